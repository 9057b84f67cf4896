"""Names of masks: those that segmentation tools write are of the right field and kind; no file vanishes."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from features.reading.archive import Member
from features.reading.fields import find_fields
from features.reading.mask_files import masks_in_words, with_masks
from features.reading.options import ReadingOptions
from features.reading.source import ChannelTable, FieldSource, ImageFile
from store.channels import CHANNELS


def kaggle(*ids: str) -> FieldSource:
    folder = Path("images")
    files = {i: tuple(ImageFile(i, c.colour, Member(folder, f"{i}_{c.colour}.png")) for c in CHANNELS) for i in ids}
    return FieldSource(folder, files, dict.fromkeys(files, ChannelTable({c: c.colour for c in CHANNELS})))


def found(folder: Path, source: FieldSource, *names: str) -> tuple[dict[str, dict[str, str]], FieldSource]:
    """The file of each kind by field, of masks with these names; and the source."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    given = with_masks({"train": source}, folder)["train"]
    return {i: {mask.kind: mask.member.name for mask in of} for i, of in (given.masks or {}).items()}, given


@pytest.mark.parametrize(
    ("cells", "nuclei"),
    [
        ("f1_cells.png", "f1_nuclei.png"),
        ("f1_cells.ome.tif", "f1_nuclei.ome.tif"),
        ("f1_cellmask.png", "f1_nucleimask.png"),
        ("f1_cp_masks.png", "f1_blue_cp_masks.tif"),
        ("f1_red_cp_masks.tif", "f1_blue_stardist.tif"),
        ("f1_green_MaskCells.tiff", "f1_blue_MaskNuclei.tiff"),
        ("f1_Cells.tiff", "f1_Nuclei.tiff"),
        ("cells/f1.tif", "nuclei/f1.tif"),
        ("f1.tif", "f1_blue.tif"),
        ("hpa_cell_mask/f1.png", "hpa_nuclei_mask/f1.png"),
        ("f1_labels.tif", "f1_nuclei_labels.tif"),
        ("f1_cyto_cp_masks.png", "f1_nuclei_cp_masks.png"),
    ],
)
def test_names_that_tools_write(tmp_path, cells, nuclei):
    masks, given = found(tmp_path / "m", kaggle("f1", "f10"), cells, nuclei)
    assert masks == {"f1": {"cells": cells, "nuclei": nuclei}}
    assert given.unused == ()
    assert masks_in_words([given]) == (
        "masks of cells and nuclei of 1 field, none of 1 field, which cannot be measured"
    )


def test_a_file_that_is_no_mask_is_listed(tmp_path):
    names = ("f1_cells.png", "f3_cells.png", "f1_MaskCytoplasm.tiff", "f1_seg.npy", "notes.txt")
    masks, given = found(tmp_path / "m", kaggle("f1"), *names)
    assert masks == {"f1": {"cells": "f1_cells.png"}}
    reasons = {Path(file.path).name: file.reason for file in given.unused}
    assert reasons.keys() == {"f3_cells.png", "f1_MaskCytoplasm.tiff", "f1_seg.npy", "notes.txt"}
    assert reasons["f3_cells.png"] == "is no mask of a field, by its name"
    assert "cytoplasm" in reasons["f1_MaskCytoplasm.tiff"]
    assert "Python objects" in reasons["f1_seg.npy"]


def test_masks_of_both_splits_in_one_folder(tmp_path):
    for name in ("f1_cells.png", "f2_cells.png"):
        (tmp_path / name).write_bytes(b"")
    sources = with_masks({"train": kaggle("f1"), "test": kaggle("f2")}, tmp_path)
    assert {split: tuple(source.masks) for split, source in sources.items()} == {"train": ("f1",), "test": ("f2",)}
    assert [source.unused for source in sources.values()] == [(), ()]


def test_masks_beside_the_images_need_a_word(tmp_path):
    """An image is not taken for a mask of itself, and a mask not for a field."""
    for name in ("a", "a_mask", "b", "b_cp_masks"):
        tifffile.imwrite(tmp_path / f"{name}.tif", np.zeros((2, 32, 32), np.uint16), photometric="minisblack")
    source = find_fields(tmp_path, options=ReadingOptions("files", stains="protein=1,nucleus=2"))
    masks, given = found(tmp_path, source)
    assert masks == {"a": {"cells": "a_mask.tif"}, "b": {"cells": "b_cp_masks.tif"}}
    assert given.ids == ("a", "b")


def test_a_mask_named_after_an_image_of_another_stain(tmp_path):
    """CellProfiler names cells after the image that they were found in, which need not be one that is measured."""
    names = [f"B7_01_{k}_3_{stain}_001" for k, stain in ((1, "DAPI"), (2, "GFP"), (3, "RFP"))]
    more = (f"{names[0]}_MaskNuclei", f"{names[2]}_MaskCells", f"{names[2]}_MaskCytoplasm")
    for name in (*names, *more):
        tifffile.imwrite(tmp_path / f"{name}.tif", np.zeros((32, 32), np.uint16), photometric="minisblack")
    source = find_fields(tmp_path, options=ReadingOptions("cytation", stains="protein=GFP,nucleus=DAPI"))
    masks, given = found(tmp_path, source)
    assert masks == {"B07_s3": {"cells": f"{names[2]}_MaskCells.tif", "nuclei": f"{names[0]}_MaskNuclei.tif"}}
    reasons = [(Path(file.path).name, file.reason.partition(",")[0]) for file in given.unused]
    stain, cytoplasm = "is of channel RFP", "is a mask of the cytoplasm"
    assert reasons == [(f"{names[2]}.tif", stain), (f"{names[2]}_MaskCytoplasm.tif", cytoplasm)], "one reason a file"


def test_the_part_for_a_worker_has_its_masks_and_notices_their_changes(tmp_path):
    _, given = found(tmp_path, kaggle("f1", "f2"), "f1_cells.png", "f2_cells.png")
    part = given.part(["f2"])
    assert tuple(part.masks) == ("f2",)
    before = part.fingerprint(["f2"])
    (tmp_path / "f2_cells.png").write_bytes(b"edited")
    assert part.fingerprint(["f2"]) != before
    assert kaggle("f1").fingerprint(["f1"]) == kaggle("f1").part(["f1"]).fingerprint(["f1"])
