"""Pictures of fields: scale bars of a known length, in µm where the files state the size of a pixel."""

import json

import cv2
import numpy as np
import pytest
from review_run import SIDE, make_review, state_pixel_size, write_images

from engine.errors import FieldError, InputError
from features.extraction.recorded import UNRECORDED, acquisition_record
from report.galleries import find_pictured
from review.pictures import Pictures
from store.run_folder import RunFolder, open_run

SIZE = 0.325  # µm


@pytest.fixture
def pictures(tmp_path):
    """Of the fields "plain", which states no pixel size, and "sized", which does."""
    folder = tmp_path / "data/train"
    folder.mkdir(parents=True)
    for field in ("plain", "sized"):
        write_images(folder, field, np.random.default_rng(0))
    state_pixel_size(folder, "sized", SIZE)
    return Pictures(RunFolder(tmp_path / "run"), tmp_path / "data", None)


def bar(jpeg: bytes) -> int:
    """Length of the scale bar, px of the picture."""
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
    return int((image.min(2) > 160).sum(1)[-9:].max())


def test_a_scale_bar_is_in_px_where_the_size_of_a_pixel_is_not_known_and_else_in_micrometres(pictures):
    assert pictures.scale("plain") == ((SIDE, SIDE), None)
    assert pictures.scale("sized") == ((SIDE, SIDE), SIZE)
    for view in ("colour", "protein"):
        assert bar(pictures.field("plain", view, False)) == pytest.approx(20, abs=1), "20 px of at most 28.8"
        assert bar(pictures.field("sized", view, False)) == pytest.approx(5 / SIZE, abs=1), "5 µm of at most 9.36"
    zoom = 128 / 40  # of a cell's picture
    cells = {field: bar(pictures.cell(field, 1, 10, 80, 40, "colour", False)) for field in ("plain", "sized")}
    assert cells == {"plain": pytest.approx(10 * zoom, abs=2), "sized": pytest.approx(2 / SIZE * zoom, abs=2)}


def test_a_picture_of_a_cell_is_the_same_whatever_was_drawn_before(pictures, monkeypatch):
    monkeypatch.setattr("review.pictures.THUMBNAIL", 2 * SIDE)  # as large as the field, so that nothing is resized
    before = pictures.cell("plain", 1, 48, 48, SIDE, "colour", False)
    assert pictures.cell("plain", 1, 48, 48, SIDE, "colour", True) != before
    assert pictures.cell("plain", 1, 48, 48, SIDE, "colour", False) == before


def test_images_that_were_replaced_are_not_shown_until_they_are_back(tmp_path):
    made = make_review(tmp_path, n=2)
    images = sorted((made.data / "train").glob("train-001_*.png"))
    measured = [path.read_bytes() for path in images]
    pictures = Pictures(open_run(made.run), made.data, None)
    assert pictures.cells("train-001").max() == 2, "kept before the images are replaced"
    for path in images:
        path.write_bytes(path.with_name(path.name.replace("001", "000")).read_bytes())
    for shown in (lambda: pictures.plane("train-001", 1), lambda: pictures.field("train-001", "colour", True)):
        with pytest.raises(FieldError, match=r"of field train-001 in .* are not those that were measured.*extract"):
            shown()
    assert pictures.replaced.startswith("the images of 1 field (train-001) are not those that were measured")
    assert pictures.plane("train-000", 1).startswith(b"\x89PNG")
    for path, content in zip(images, measured, strict=True):
        path.write_bytes(content)
    assert pictures.plane("train-001", 1).startswith(b"\x89PNG")
    assert pictures.replaced == ""


def test_cells_are_not_found_in_images_that_were_replaced_after_their_pixels_were_read(tmp_path):
    made = make_review(tmp_path, n=2)
    pictures = Pictures(open_run(made.run), made.data, None)
    assert pictures.plane("train-001", 1).startswith(b"\x89PNG")
    for path in (made.data / "train").glob("train-001_*.png"):
        path.write_bytes(path.with_name(path.name.replace("001", "000")).read_bytes())
    with pytest.raises(FieldError, match="not those that were measured"):
        pictures.numbers("train-001")


def test_images_that_a_csv_listed_are_pictured_when_it_is_named_again_and_never_by_the_path_in_the_run(tmp_path):
    data, folder, table = tmp_path / "data", RunFolder(tmp_path / "run"), tmp_path / "load_data.csv"
    (data / "anywhere").mkdir(parents=True)
    write_images(data / "anywhere", "img", np.random.default_rng(0))
    table.write_text("FileName_DNA,FileName_GFP,Metadata_Id\nimg_blue.png,img_green.png,field-1\n")
    table.with_name("moved.csv").write_text(table.read_text().replace("img_", "anywhere/img_"))
    folder.features.mkdir(parents=True)
    settings = {
        "masks": None, "network": None, "device": "cpu", "code": "x", "images": str(table), "layout": "",
        "stains": "nucleus=DNA,protein=GFP", "acquisition": acquisition_record(UNRECORDED.acquisition),
    }  # fmt: skip
    (folder.features / "settings.json").write_text(json.dumps(settings))
    with pytest.raises(InputError, match="Name it with --images"):
        find_pictured(folder, data, None)
    assert "--images" in Pictures(folder, data, None).missing
    pictures = Pictures(folder, data, None, table.with_name("moved.csv"))
    assert pictures.missing == ""
    assert pictures.scale("field-1") == ((SIDE, SIDE), None)
    assert bar(pictures.field("field-1", "protein", False)) == pytest.approx(20, abs=1)
    (folder.features / "settings.json").write_text(json.dumps(settings | {"images": None, "stains": ""}))
    with pytest.raises(InputError, match="were not listed in a csv"):
        find_pictured(folder, data, None, table)
