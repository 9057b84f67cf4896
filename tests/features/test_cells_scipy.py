"""The distance maps of a batch against SciPy's exact Euclidean distance transform, cell by cell."""

import numpy as np
import pytest
from mosaics import mosaic_cells
from painting import paint_cells
from scipy.ndimage import distance_transform_edt

from features.core.cells import Cells, make_cells
from store.channels import CHANNELS, ER, MICROTUBULES, PROTEIN


def inside(mask: np.ndarray) -> np.ndarray:
    """Distance of each pixel of a mask to the nearest pixel outside, the outside of the image included."""
    return distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]


def assert_maps_are_scipys(cells: Cells) -> None:
    assert cells.distance_to_cell_border.dtype == np.float32
    for i in range(cells.n):
        f = cells.field[i]
        cell, nucleus = cells.cell_labels[f] == i + 1, cells.nucleus_labels[f] == i + 1
        np.testing.assert_allclose(cells.distance_to_cell_border[f][cell], inside(cell)[cell], rtol=1e-6)
        np.testing.assert_allclose(cells.distance_inside_nucleus[f][nucleus], inside(nucleus)[nucleus], rtol=1e-6)
        outwards = distance_transform_edt(~nucleus)[cell] if nucleus.any() else 0
        np.testing.assert_allclose(cells.distance_to_nucleus[f][cell], outwards, rtol=1e-6)
    for distances in (cells.distance_to_cell_border, cells.distance_inside_nucleus, cells.distance_to_nucleus):
        assert (distances[cells.cell_labels == 0] == 0).all()


def test_painted_cells(painted):
    assert_maps_are_scipys(painted)


def test_values_are_those_of_the_cells_own_pixels(painted):
    for compartment, region in painted.regions.items():
        for i in range(painted.n):
            mine = painted.labels(compartment)[painted.field[i]] == i + 1
            for channel in CHANNELS:
                found = painted.values(compartment, channel)[region.offsets[i] : region.offsets[i + 1]]
                np.testing.assert_array_equal(found, painted.pixels[painted.field[i], channel.index][mine])


def test_planes_of_some_channels_are_copied_only_where_needed(rng):
    one, two = (paint_cells(rng, n_fields=n) for n in (1, 2))
    for cells in (one, two):
        for channels in ((PROTEIN,), (MICROTUBULES, PROTEIN), (PROTEIN, MICROTUBULES), (PROTEIN, ER), CHANNELS, ()):
            planes = cells.planes(channels)
            assert planes.flags.c_contiguous
            np.testing.assert_array_equal(planes, cells.pixels[:, [channel.index for channel in channels]])
    assert np.shares_memory(one.planes((PROTEIN,)), one.pixels)
    assert np.shares_memory(one.planes((MICROTUBULES, PROTEIN)), one.pixels)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_random_speckle(rng, device, share):
    """Cells of any shape, also torn and touching, with nuclei of several pieces."""
    cell_labels = (rng.integers(1, 4, (2, 40, 53)) * (rng.random((2, 40, 53)) < share)).astype(np.int32)
    cell_labels[1][cell_labels[1] > 0] += 3
    nucleus_labels = cell_labels * (rng.random(cell_labels.shape) < 0.1)
    assert_maps_are_scipys(make_cells(np.zeros((2, 4, 40, 53), np.uint8), cell_labels, nucleus_labels, device))


def test_one_cell_fills_the_field(device):
    cell_labels = np.ones((1, 70, 200), np.int32)
    nucleus_labels = np.zeros_like(cell_labels)
    nucleus_labels[0, 3:9, 150:180] = 1
    assert_maps_are_scipys(make_cells(np.zeros((1, 4, 70, 200), np.uint8), cell_labels, nucleus_labels, device))


def test_real_cells(shared_data, device):
    folder = shared_data / "hpa-cells" / "train"
    name = sorted(path.stem.removesuffix("_red") for path in folder.glob("*_red.png"))[0]
    assert_maps_are_scipys(mosaic_cells(folder, name, device))


def test_a_cell_keeps_its_distances_when_left_alone(rng, device):
    cells = paint_cells(rng, n_fields=1)
    mine = cells.cell_labels == 2
    alone = make_cells(cells.pixels, mine.astype(np.int32), mine * (cells.nucleus_labels > 0), device)
    for name in ("distance_to_cell_border", "distance_inside_nucleus", "distance_to_nucleus"):
        np.testing.assert_array_equal(getattr(alone, name)[mine], getattr(cells, name)[mine])


@pytest.mark.parametrize("side", [344, 352, 353, 361, 420])
def test_far_from_every_border(device, side):
    """Sums of squares fit 16 bits up to a certain distance."""
    labels = np.zeros((1, side, side + 40), np.int32)
    labels[0, :, 3:] = 1
    labels[0, side // 3, side // 2] = 0
    pixels = np.zeros((1, len(CHANNELS), *labels.shape[1:]), np.uint8)
    assert_maps_are_scipys(make_cells(pixels, labels, labels * (np.arange(side + 40) < side - 9), device))


@pytest.mark.parametrize(
    "nucleus", [np.s_[3:9, 150:180], np.s_[190:200, 171:200], np.s_[200:203, 9:522], np.s_[8:9, 170:681], np.s_[:, 5:6]]
)
@pytest.mark.parametrize("width", [353, 700])
def test_near_and_far_from_the_nucleus(device, nucleus, width):
    """Sources in few columns are compared one by one, up to a certain distance."""
    cell_labels = np.ones((1, 380, width), np.int32)
    cell_labels[0, 30:90, 40:60] = 0
    nucleus_labels = np.zeros_like(cell_labels)
    nucleus_labels[0][nucleus] = 1
    pixels = np.zeros((1, len(CHANNELS), *cell_labels.shape[1:]), np.uint8)
    assert_maps_are_scipys(make_cells(pixels, cell_labels, nucleus_labels * cell_labels, device))
