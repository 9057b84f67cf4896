"""Pictures of fields: the right part, the right colours, outlines, and nothing where images cannot be read."""

import cv2
import numpy as np
import pytest
from example_reports import LARGE_JPEG
from hostile_images import good_field

from features.extraction.field_level import field_hashes
from features.reading.field_reading import read_field_pixels
from features.reading.fields import find_fields
from features.reading.source import FieldSource
from report.field_picture import draw
from report.galleries import PictureSettings, take_picture
from report.report_data import PICTURE_SIDE


def decoded(jpeg: bytes) -> np.ndarray:
    """The coloured half of a picture; the protein alone is below it."""
    both = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).astype(int)
    assert both.shape == (2 * PICTURE_SIDE, PICTURE_SIDE, 3)
    return both[:PICTURE_SIDE]


def protein_alone(jpeg: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR).astype(int)[PICTURE_SIDE:]


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
    assert image.shape == (PICTURE_SIDE, PICTURE_SIDE, 3)
    blue, green, red = (image[..., k] for k in range(3))
    assert (green > 150).mean() == pytest.approx((64 / 128) ** 2, rel=0.1)
    assert (blue > 120).mean() == pytest.approx((20 / 128) ** 2, rel=0.3)
    assert red.max() < 60
    grey = protein_alone(draw(field(dtype), nothing))
    assert np.ptp(grey[8:], axis=2).max() < 4  # JPEG blends the first rows with the coloured half
    assert (grey[..., 0] > 150).mean() == pytest.approx((64 / 128) ** 2, rel=0.1)


def test_a_dim_part_is_stretched_to_its_own_contrast_not_to_that_of_a_speck_elsewhere():
    pixels = np.zeros((4, 256, 256), np.uint16)
    pixels[1, 130:250, 130:250] = 40
    pixels[1, 5:16, 5:16] = 60000
    pixels[1, 130:250, 130:250] += 500 * (np.indices((120, 120)).sum(0) % 8 < 4).astype(np.uint16)
    cells = np.zeros((256, 256), np.int32)
    cells[128:, 128:] = 1
    shown = protein_alone(draw(np.where(pixels < 60000, pixels, 560), cells))
    assert shown.max() > 200


def test_er_is_yellow_and_microtubules_are_red():
    pixels = np.zeros((4, 256, 256), np.uint8)
    pixels[0, :, :40] = pixels[3, :, 80:120] = 200
    image = decoded(draw(pixels, np.zeros((256, 256), np.int32))).mean(0)
    blue, green, red = image.T
    yellow, reddish = (green > 60) & (abs(red - green) < 20) & (blue < 40), (red > 60) & (green < 40) & (blue < 40)
    assert yellow.sum() == pytest.approx(40 / 128 * PICTURE_SIDE, abs=8)
    assert reddish.sum() == pytest.approx(40 / 128 * PICTURE_SIDE, abs=8)


def test_outlines_are_white_and_leave_the_signal_through():
    cells = np.ones((256, 256), np.int32)
    cells[:, 70:] = 2
    dark = decoded(draw(np.zeros((4, 256, 256), np.uint8), cells))
    bright = decoded(draw(np.full((4, 256, 256), 200, np.uint8), cells))
    edge = int(dark.min(2).mean(0).argmax())
    assert dark[:, edge].min() > 130
    assert dark[:, np.abs(np.arange(PICTURE_SIDE) - edge) > 8].max() < 40
    assert bright[:, edge, 1].mean() > dark[:, edge, 1].mean() + 30


def test_small_cells_are_shown_larger():
    """A bright dot that is one pixel of the field: the smaller its cells, the wider it is drawn."""
    pixels = np.zeros((4, 1024, 1024), np.uint8)
    pixels[1, 500:508, 500:508] = 255
    widths = []
    for cell in (256, 32):
        blocks = np.arange((1024 // cell) ** 2, dtype=np.int32).reshape(1024 // cell, -1)
        cells = blocks.repeat(cell, 0).repeat(cell, 1) + 1
        green = decoded(draw(pixels, cells))[..., 1] - decoded(draw(np.zeros_like(pixels), cells))[..., 1]
        widths.append(np.sqrt((green > 60).sum()))
    assert widths[1] > 2 * widths[0]


def test_an_unreadable_field_has_no_picture(tmp_path):
    for colour in ("red", "green", "blue", "yellow"):
        (tmp_path / f"a_{colour}.png").write_bytes(b"not an image")
    source = find_fields(tmp_path)
    assert isinstance(source, FieldSource)
    assert take_picture(source, "a", PictureSettings()) == ("a", None)


def test_a_field_whose_images_were_replaced_has_no_picture(tmp_path):
    good_field(tmp_path)
    source = find_fields(tmp_path)
    measured = field_hashes(read_field_pixels(source, "f1").pixels)
    assert take_picture(source, "f1", PictureSettings(), hashes=measured)[1].startswith(b"\xff\xd8")
    for outlined in (True, False):
        settings = PictureSettings(outlined=outlined)
        assert take_picture(source, "f1", settings, hashes=measured ^ np.uint64(1)) == ("f1", None)


def test_bits_that_another_machine_rounds_otherwise_make_no_other_images(tmp_path):
    good_field(tmp_path)
    source = find_fields(tmp_path)
    measured = field_hashes(read_field_pixels(source, "f1").pixels)
    for bits, shown in ((0b111, True), (0b1111, False)):
        hashes = measured ^ np.array([0, bits, 0, 0], np.uint64)
        assert (take_picture(source, "f1", PictureSettings(), hashes=hashes)[1] is not None) == shown


def test_a_real_field_has_one(shared_data):
    source = find_fields(shared_data / "hpa-sample" / "train")
    field_id, jpeg = take_picture(source, source.ids[0], PictureSettings())
    assert field_id == source.ids[0]
    assert decoded(jpeg).shape == (PICTURE_SIDE, PICTURE_SIDE, 3)
    assert len(jpeg) < LARGE_JPEG
