"""Crops of painted cells against what they must show: one cell, centred, at one scale, whatever its brightness."""

import numpy as np
import pytest

from features.embedding.cell_crops import CropSettings, crop_cells

SETTINGS = CropSettings(side=32, diameters=4.0, exponent=1.0)


def field(scale: int = 1, gain: float = 1.0, dtype=np.uint8):
    """Two cells side by side, nuclei of 10 px at scale 1, the right one brighter; planes of different levels."""
    y, x = np.mgrid[: 60 * scale, : 90 * scale] / scale
    cells = np.where(x < 45, 1, 2) * (np.hypot(y - 30, x - np.where(x < 45, 25, 65)) < 18)
    nuclei = cells * (np.hypot(y - 30, x - np.where(x < 45, 25, 65)) < 5)
    levels = np.array([40, 60, 80, 20])[:, None, None] * np.where(cells == 2, 1.5, 1.0) * np.where(nuclei > 0, 1.5, 1)
    return (gain * levels * (1 + 0.2 * np.sin(x / 3))).astype(dtype), cells.astype(np.int32), nuclei.astype(np.int32)


def test_a_cell_is_centred_on_its_nucleus_and_stands_alone():
    pixels, cells, nuclei = field(scale=4)
    crops = crop_cells(pixels, cells, nuclei, SETTINGS)
    assert crops.shape == (2, 4, 32, 32)
    y, x = np.nonzero(crops[0, 2] > 100)
    assert abs(y.mean() - 15.5) < 1
    assert abs(x.mean() - 15.5) < 1
    lit = crops[0, 1] > 60
    assert lit.sum() == pytest.approx(np.pi * 18**2 * (32 / 40) ** 2, rel=0.05)
    pixels[:, cells == 2] = 255
    np.testing.assert_array_equal(crop_cells(pixels, cells, nuclei, SETTINGS)[0], crops[0])


def test_averaging_keeps_the_mean_level():
    pixels, cells, nuclei = field(scale=4)
    pixels[:] = np.where(np.indices(cells.shape).sum(0) % 2, 200, 100)
    crops = crop_cells(pixels, cells, nuclei, SETTINGS).astype(float)
    inside = crops[0, 0, 12:20, 12:20]
    assert inside.min() > 0.97 * 255  # a chequered cell is even once averaged, and scaled to its own level


@pytest.mark.parametrize("exponent", [0.5, 1.0])
def test_neither_resolution_nor_brightness_nor_depth_shows(exponent):
    settings = CropSettings(side=32, diameters=4.0, exponent=exponent)
    plain = crop_cells(*field(scale=4), settings).astype(int)
    for other, most in ((field(scale=7), 4.0), (field(scale=4, gain=200.0, dtype=np.uint16), 0.6)):
        assert np.mean(abs(crop_cells(*other, settings).astype(int) - plain)) < most


def test_a_cell_at_the_border_or_without_a_nucleus_is_shown_too():
    pixels, cells, nuclei = field()
    nuclei[nuclei == 2] = 0
    crops = crop_cells(pixels[:, 25:], cells[25:], nuclei[25:], SETTINGS)
    assert crops.shape[0] == 2
    assert (crops.max(axis=(2, 3)) == 255).all()
    rows = np.nonzero(crops[0, 0].any(axis=1))[0]
    assert rows.min() > 8  # nothing above the border of the image


def test_wanted_cells_are_the_same_as_among_all():
    images = field()
    everyone = crop_cells(*images, SETTINGS)
    np.testing.assert_array_equal(crop_cells(*images, SETTINGS, np.array([2])), everyone[1:])
    assert crop_cells(*images, SETTINGS, np.array([], int)).shape == (0, 4, 32, 32)


def test_a_channel_that_is_not_there_is_black():
    pixels, cells, nuclei = field()
    pixels[3] = 0
    assert crop_cells(pixels, cells, nuclei, SETTINGS)[:, 3].max() == 0
