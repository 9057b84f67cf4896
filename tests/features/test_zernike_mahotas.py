"""Zernike magnitudes against mahotas on the same masked pixels, centre and radius."""

import numpy as np
import pytest
from mahotas.features import zernike_moments
from mosaics import mosaic_cells

import features.zernike as zernike
from features.core.cells import make_cells


def measured(cells, device):
    values = zernike.measure(cells)
    return {column.name: values[:, k] for k, column in enumerate(zernike.columns())}


def mahotas_of(image, mask):
    """All 30 magnitudes to degree 9, on the disc of the mask."""
    y, x = np.nonzero(mask)
    centre = y.mean(), x.mean()
    radius = np.hypot(y - centre[0], x - centre[1]).max() + 0.5
    return zernike_moments(np.where(mask, image, 0), radius, 9, centre)


def assert_like_mahotas(cells, device):
    values = zernike.measure(cells)
    seen = 0
    for i in range(cells.n):
        expected = []
        for compartment, channels in zernike.STAINS.items():
            mask = cells.labels(compartment)[0] == i + 1
            if not mask.any():
                expected.append(np.full(len(channels) * 29 + 28, np.nan))
                continue
            for channel in channels:
                image = cells.pixels[0, channel.index]
                stained = image[mask].any()
                expected.append(mahotas_of(image, mask)[1:] if stained else np.full(29, np.nan))
                seen += stained
            expected.append(mahotas_of(np.ones(mask.shape), mask)[2:])
        np.testing.assert_allclose(values[i], np.concatenate(expected), rtol=1e-6, atol=1e-9)
    assert seen


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_noise_in_painted_cells(dtype, rng, device):
    y, x = np.mgrid[:70, :90]
    cells = np.where(np.hypot((y - 30) / 25, (x - 30) / 18) < 1, 1, 0) + np.where((x > 60) & (y > 3) & (y < 60), 2, 0)
    nuclei = cells * (np.hypot((y - 25) / 9, (x - 35) / 7) < 1)
    pixels = rng.integers(0, np.iinfo(dtype).max, (1, 4, 70, 90)).astype(dtype)
    pixels[:, 2, :, 60:] = 0
    assert_like_mahotas(make_cells(pixels, cells[None], nuclei[None], device), device)


@pytest.mark.shared
def test_real_cells(shared_data, device):
    assert_like_mahotas(mosaic_cells(shared_data / "hpa-cells" / "train", "duloc1-mixed-img36", device), device)


def test_a_stain_beside_the_centre_shows_in_degree_one(device):
    y, x = np.mgrid[:81, :81]
    disc = (np.hypot(y - 40, x - 40) < 35).astype(np.int32)[None]
    pixels = np.zeros((1, 4, 81, 81), np.uint8)
    pixels[0, :] = 100
    pixels[0, 1] = np.where(np.hypot(y - 40, x - 60) < 5, 200, 0)
    got = measured(make_cells(pixels, disc, disc, device), device)
    shift = 20 / 35.5
    assert got["Cells_Zernike_Stain_Protein_1_1"][0] == pytest.approx(2 / np.pi * shift, rel=0.02)
    assert got["Cells_Zernike_Stain_ER_1_1"][0] < 1e-6
    assert got["Cells_Zernike_Outline_2_2"][0] < 1e-3


def test_turning_the_cell_changes_nothing(rng, device):
    pixels = rng.integers(0, 255, (1, 4, 60, 60)).astype(np.uint8)
    y, x = np.mgrid[:60, :60]
    labels = (np.hypot((y - 25) / 20, (x - 28) / 12) < 1).astype(np.int32)[None]
    before = zernike.measure(make_cells(pixels, labels, labels, device))
    turned = [np.rot90(image, axes=(-2, -1)).copy() for image in (pixels, labels, labels)]
    np.testing.assert_allclose(zernike.measure(make_cells(*turned, device)), before, rtol=2e-6, atol=1e-8)
