"""Pictures of fields: scale bars of a known length, in µm where the files state the size of a pixel."""

import cv2
import numpy as np
import pytest
from review_run import SIDE, state_pixel_size, write_images

from review.pictures import Pictures
from store.run_folder import RunFolder

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
