"""Granularity against scikit-image's morphology: steps within a mask, and whole octagons where the cell is convex."""

import numpy as np
import pytest
from mosaics import mosaic_cells
from skimage import morphology

from features import granularity
from features.core.cells import make_cells
from store.channels import CHANNELS, PROTEIN

RADII = np.array(granularity.RADII)
CROSS, SQUARE = morphology.disk(1), np.ones((3, 3), np.uint8)


def opened(plane, mask, radius):
    """The opening within a mask, step by step."""
    image = plane.copy()
    for step in range(1, radius + 1):
        image[~mask] = np.iinfo(plane.dtype).max
        image = morphology.erosion(image, CROSS if step % 2 else SQUARE, mode="max")
    for step in range(radius, 0, -1):
        image[~mask] = 0
        image = morphology.dilation(image, CROSS if step % 2 else SQUARE, mode="min")
    image[~mask] = 0
    return image


def kernel_sums(cells, labels, channel, device):
    measured, place = np.array([channel.index]), (cells.field, cells.boxes)
    return device.kernels.granularity.opened_sums(cells.pixels, measured, labels, *place, RADII)[:, 0]


def assert_like_skimage(cells, channels, device):
    for channel in channels:
        for labels in (cells.cell_labels, cells.nucleus_labels):
            got = kernel_sums(cells, labels, channel, device)
            for i in range(cells.n):
                mask = labels[cells.field[i]] == i + 1
                top, left, bottom, right = cells.boxes[i]
                box = (slice(max(top - 1, 0), bottom + 1), slice(max(left - 1, 0), right + 1))
                plane, mask = cells.pixels[cells.field[i], channel.index][box], mask[box]
                expected = [opened(plane, mask, radius).astype(np.int64).sum() for radius in (0, *RADII)]
                np.testing.assert_array_equal(got[i], expected)


def test_painted_cells(painted, device):
    assert_like_skimage(painted, CHANNELS[:2], device)


def test_real_cells(shared_data, device):
    cells = mosaic_cells(shared_data / "hpa-cells" / "train", "duloc1-mixed-img100", device)
    assert_like_skimage(cells, (PROTEIN,), device)


def test_touching_cells_in_one_box_do_not_see_each_other(device, rng):
    labels = np.where(np.add.outer(np.arange(24), np.arange(26)) < 25, 1, 2)[None]
    nuclei = np.where(abs(np.arange(24)[:, None] - 11.5) < 4, labels, 0)
    pixels = rng.integers(0, 255, (1, 4, 24, 26)).astype(np.uint8)
    pixels[:, :, labels[0] == 2] //= 3
    assert_like_skimage(make_cells(pixels, labels, nuclei, device), (PROTEIN,), device)


def one_cell(plane, device, mask=None):
    labels = (np.ones(plane.shape) if mask is None else mask).astype(np.int32)[None]
    return make_cells(np.stack([plane] * 4)[None], labels, np.zeros_like(labels), device)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_in_a_convex_cell_it_is_the_opening_by_an_octagon(rng, device, dtype):
    plane = rng.integers(0, np.iinfo(dtype).max, (61, 47), endpoint=True).astype(dtype)
    cells = one_cell(plane, device)
    sums = kernel_sums(cells, cells.cell_labels, PROTEIN, device)[0]
    for k, radius in enumerate(RADII):
        octagon = morphology.octagon(2 * (radius // 2) + 1, (radius + 1) // 2)
        assert octagon.shape == (2 * radius + 1, 2 * radius + 1)
        eroded = morphology.erosion(plane, octagon, mode="max")
        assert sums[k + 1] == morphology.dilation(eroded, octagon, mode="min").astype(np.int64).sum()


def row_of(cells, device):
    names = [column.name for column in granularity.columns()]
    return dict(zip(names, granularity.measure(cells)[0]))


@pytest.mark.parametrize("radius", [2, 4, 6])
def test_grains_go_at_their_own_size(device, radius):
    """Octagons of one radius: all signal goes at the first opening that is larger."""
    plane = np.zeros((90, 90), np.uint8)
    grain = morphology.octagon(2 * (radius // 2) + 1, (radius + 1) // 2) * 200
    for y in range(5, 60, 25):
        for x in range(5, 60, 25):
            plane[y : y + len(grain), x : x + len(grain)] = grain
    row = row_of(one_cell(plane, device), device)
    for r in RADII:
        assert row[f"Cells_Granularity_OpeningShare_Protein_{r}"] == (1 if r == radius + 1 else 0)
    assert row["Cells_Granularity_MeanRadius_Protein"] == radius + 1


def test_flat_cells_lose_nothing_and_black_cells_have_no_spectrum(device, rng):
    """The border is not a pattern: not even a thin, ragged cell of one brightness loses signal."""
    mask = rng.random((40, 40)) < 0.4
    flat = row_of(one_cell(np.full(mask.shape, 90, np.uint8), device, mask), device)
    black = row_of(one_cell(np.zeros(mask.shape, np.uint8), device, mask), device)
    for r in RADII:
        assert flat[f"Cells_Granularity_OpeningShare_ER_{r}"] == 0
        assert np.isnan(black[f"Cells_Granularity_OpeningShare_ER_{r}"])
    assert np.isnan(flat["Cells_Granularity_MeanRadius_ER"])
    assert np.isnan(flat["Nuclei_Granularity_OpeningShare_Protein_1"])


def test_exposure_does_not_matter(device, rng):
    plane = rng.integers(0, 60, (50, 50)).astype(np.uint8)
    dim, bright = (granularity.measure(one_cell(p, device)) for p in (plane, plane * 4))
    np.testing.assert_allclose(bright, dim, rtol=1e-6)
