"""Pictures of fields: the right part, the right colours, outlines, and nothing where images cannot be read."""

import cv2
import numpy as np
import pytest

from features._images import FieldSource, find_fields
from stages.pictures import SIDE, PictureSettings, draw, take_picture


def decoded(jpeg: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).astype(int)


def field(dtype=np.uint8) -> np.ndarray:
    """Protein in the lower right quarter, nucleus in its middle; everything else black."""
    pixels = np.zeros((4, 256, 256), dtype)
    pixels[1, 160:224, 160:224] = np.iinfo(dtype).max // 2
    pixels[2, 180:200, 180:200] = np.iinfo(dtype).max // 2
    return pixels


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_part_with_most_protein_is_shown_in_hpa_colours(dtype):
    nothing = np.zeros((256, 256), np.int32)
    image = decoded(draw(field(dtype), nothing))
    assert image.shape == (SIDE, SIDE, 3)
    blue, green, red = (image[..., k] for k in range(3))
    assert (green > 150).mean() == pytest.approx((64 / 128) ** 2, rel=0.1)
    assert (blue > 120).mean() == pytest.approx((20 / 128) ** 2, rel=0.3)
    assert red.max() < 60


def test_outlines_are_white():
    cells = np.zeros((256, 256), np.int32)
    cells[140:, 140:] = 1
    cells[140:, 200:] = 2
    image = decoded(draw(np.zeros((4, 256, 256), np.uint8), np.roll(cells, -140, (0, 1))))
    assert (image.min(2) > 200).any()
    assert not (decoded(draw(np.zeros((4, 256, 256), np.uint8), np.zeros_like(cells))) > 40).any()


def test_an_unreadable_field_has_no_picture(tmp_path):
    for colour in ("red", "green", "blue", "yellow"):
        (tmp_path / f"a_{colour}.png").write_bytes(b"not an image")
    source = find_fields(tmp_path)
    assert isinstance(source, FieldSource)
    assert take_picture(source, "a", PictureSettings()) == ("a", None)


def test_a_real_field_has_one(shared_data):
    source = find_fields(shared_data / "hpa-sample" / "train")
    field_id, jpeg = take_picture(source, source.ids[0], PictureSettings())
    assert field_id == source.ids[0]
    assert decoded(jpeg).shape == (SIDE, SIDE, 3)
    assert len(jpeg) < 30_000
