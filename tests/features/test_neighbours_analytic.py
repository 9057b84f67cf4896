"""Neighbours against layouts whose answer is known, and the border sums against a brute-force twin."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

import features.neighbours as neighbours
from features.core.cells import make_cells
from store.channels import MICROTUBULES, PROTEIN

Y, X = np.mgrid[:120, :160]


def disc(y, x, radius):
    return np.hypot(Y - y, X - x) <= radius


def batch(cells, nuclei, planes, device):
    """One field from masks of cells and nuclei, and the planes that are not flat 20."""
    labels = [sum((k + 1) * mask.astype(np.int32) for k, mask in enumerate(masks))[None] for masks in (cells, nuclei)]
    pixels = np.full((1, 4, *Y.shape), 20, np.uint8)
    for channel, plane in planes.items():
        pixels[0, channel.index] = plane
    return make_cells(pixels, *labels, device)


def measured(cells, device):
    values = neighbours.measure(cells)
    return {column.name.replace("_Neighbors", ""): values[:, k] for k, column in enumerate(neighbours.columns())}


def test_three_cells_at_a_right_angle(device):
    at = ((30, 40), (30, 70), (70, 40))
    got = measured(batch([disc(y, x, 10) for y, x in at], [disc(y, x, 6) for y, x in at], {}, device), device)
    unit = np.sqrt(4 / np.pi * disc(30, 40, 6).sum())
    np.testing.assert_allclose(got["Cells_FirstDistance"] * unit, [30, 30, 40], rtol=1e-6)
    np.testing.assert_allclose(got["Cells_SecondDistance"] * unit, [40, 50, 50], rtol=1e-6)
    angles = [90, np.degrees(np.arccos(0.6)), np.degrees(np.arccos(0.8))]
    np.testing.assert_allclose(got["Cells_AngleBetween"], angles, rtol=1e-5)
    np.testing.assert_array_equal(got["Cells_FirstIsMutual"], [1, 1, 0])
    np.testing.assert_array_equal(got["Cells_FirstNucleusAreaRatio"], 1)
    np.testing.assert_array_equal(got["Cells_CountWithin2"], 0)
    np.testing.assert_array_equal(got["Cells_CountWithin4"], [2, 1, 1])
    np.testing.assert_array_equal(got["Cells_Touching"], 0)
    np.testing.assert_array_equal(got["Cells_ContactShare"], 0)
    assert np.isnan(got["Cells_ContactLevel_Protein"]).all()


def test_a_cell_alone_has_no_neighbour(device):
    got = measured(batch([disc(50, 50, 20)], [disc(50, 50, 8)], {}, device), device)
    for name in ("FirstDistance", "AngleBetween", "FirstIsMutual", "FirstLevelShare_Protein", "BridgePeak_Protein"):
        assert np.isnan(got[f"Cells_{name}"]).all(), name
    assert got["Cells_CountWithin4"] == got["Cells_ContactShare"] == got["Cells_CutShare"] == 0
    assert got["Cells_FreeLevel_Protein"] == 1


def squares():
    """A row of three squares of 20 px, the third one 2 px away from the second; each with a nucleus."""
    lefts = (40, 60, 81)
    cells = [(Y >= 50) & (Y < 70) & (left <= X) & (left + 20 > X) for left in lefts]
    return cells, [disc(60, left + 10, 5) for left in lefts]


def test_shares_of_the_border(device):
    """A side of 20 px and the two pixels one column behind it are within 2 px, of 76 border pixels."""
    got = measured(batch(*squares(), {}, device), device)
    np.testing.assert_array_equal(got["Cells_Touching"], [1, 2, 1])
    np.testing.assert_allclose(got["Cells_ContactShare"], np.array([22, 42, 20]) / 76, rtol=1e-6)
    np.testing.assert_allclose(got["Cells_LargestContactShare"], np.array([22, 22, 20]) / 76, rtol=1e-6)
    np.testing.assert_array_equal(got["Cells_CutShare"], 0)


def test_the_share_cut_by_the_image(device):
    cell = (Y < 20) & (X >= 40) & (X < 60)
    got = measured(batch([cell], [disc(8, 50, 5)], {}, device), device)
    assert got["Cells_CutShare"] == pytest.approx(20 / 76)


@pytest.mark.parametrize("where", ["junction", "membrane", "free edge"])
def test_junctions_against_the_membrane(where, device):
    cells, nuclei = squares()
    cells, nuclei = cells[:2], nuclei[:2]
    rim = sum(mask & ~ndimage.binary_erosion(mask, iterations=2) for mask in cells) > 0
    seam = abs(X - 59.5) < 2
    stain = {"junction": rim & seam, "membrane": rim, "free edge": rim & ~seam}[where]
    got = measured(batch(cells, nuclei, {PROTEIN: np.where(stain, 200, 20)}, device), device)
    contrast = got["Cells_ContactContrast_Protein"]
    if where == "junction":
        assert (contrast > 0.5).all() and (got["Cells_ContactLevel_Protein"] > 2).all()
    elif where == "membrane":
        assert (abs(contrast) < 0.1).all() and (got["Cells_FreeLevel_Protein"] > 1.2).all()
    else:
        assert (contrast < -0.4).all() and (got["Cells_ContactLevel_Protein"] < 1).all()


def brute_borders(planes, labels, i, gap, depth):
    """Contact, free and cut border pixels of a cell, and the sums over their windows, pixel by pixel."""
    mine = labels == i + 1
    border = mine & ~ndimage.binary_erosion(mine)
    edge = np.ones_like(mine)
    edge[1:-1, 1:-1] = False
    others = (labels > 0) & ~mine
    near = ndimage.distance_transform_edt(~others) <= gap if others.any() else np.zeros_like(mine)
    kinds = (border & ~edge & near, border & ~edge & ~near)
    sums, sizes = np.zeros((2, len(planes)), int), np.zeros(2, int)
    peaks = np.full((2, len(planes)), np.nan)
    for kind, mask in enumerate(kinds):
        for y, x in np.argwhere(mask):
            around = (slice(max(0, y - depth), y + depth + 1), slice(max(0, x - depth), x + depth + 1))
            values = planes[:, *around][:, mine[around]].astype(int)
            sums[kind] += values.sum(axis=1)
            sizes[kind] += values.shape[1]
            peaks[kind] = np.fmax(peaks[kind], values.mean(axis=1))
    return [*(int(mask.sum()) for mask in kinds), int((border & edge).sum())], sums, sizes, peaks


@pytest.mark.parametrize(("gap", "depth"), [(1, 1), (2, 2), (4, 3)])
def test_border_sums_equal_brute_force(gap, depth, painted, device):
    touching = batch(*squares(), {}, device)
    touching.pixels[:] = np.random.default_rng(1).integers(0, 255, touching.pixels.shape)
    for cells in (painted, touching):
        assert_borders_equal_brute_force(cells, gap, depth, device)


@pytest.mark.parametrize("shape", [(17, 23), (9, 64), (1, 8), (8, 1)])
def test_border_sums_of_ragged_16_bit_cells_equal_brute_force(shape, device):
    """Cells that reach every edge of the field, in fields as wide as whole words of eight marks and not."""
    rng = np.random.default_rng(3)
    labels = np.where(rng.random(shape) < 0.7, 1 + (np.arange(shape[1]) * 3 // shape[1]), 0)[None]
    _, labels = np.unique(labels, return_inverse=True)
    pixels = rng.integers(0, 65536, (1, 5, *shape)).astype(np.uint16)
    cells = make_cells(pixels[:, :4], labels.reshape(1, *shape), np.zeros((1, *shape), int), device)
    assert_borders_equal_brute_force(replace(cells, pixels=pixels), 2, 1, device)


def test_border_sums_of_windows_that_32_bits_do_not_hold(device):
    shape = (190, 192)
    labels = np.ones((1, *shape), int)
    labels[0, 95, 96] = 0
    pixels = np.full((1, 4, *shape), 65535, np.uint16)
    cells = make_cells(pixels, labels, np.zeros((1, *shape), int), device)
    assert_borders_equal_brute_force(cells, 2, 91, device)


def assert_borders_equal_brute_force(cells, gap, depth, device):
    n = cells.n
    counts, sums, sizes, peaks = device.kernels.neighbours.borders(
        cells.pixels, cells.cell_labels, cells.field, cells.boxes, np.full(n, gap), np.full(n, depth)
    )
    for i in range(n):
        f = cells.field[i]
        expected = brute_borders(cells.pixels[f], cells.cell_labels[f], i, gap, depth)
        np.testing.assert_array_equal(counts[i, :3], expected[0])
        np.testing.assert_array_equal(sums[i], expected[1])
        np.testing.assert_array_equal(sizes[i], expected[2])
        np.testing.assert_allclose(peaks[i], expected[3], rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_nearest_equals_brute_force(seed, device):
    rng = np.random.default_rng(seed)
    n = 40
    field = np.sort(rng.integers(0, 3, n)).astype(np.int32)
    corners = rng.integers(0, 400, (n, 2))
    centres = rng.random((n, 2)) * 20
    boxes = np.concatenate([corners, corners + 20], axis=1).astype(np.int32)
    index, within = device.kernels.neighbours.nearest(field, boxes, centres, np.full((n, 1), 90.0))
    at = corners + centres
    distance = np.linalg.norm(at[:, None] - at, axis=2)
    distance[(field[:, None] != field) | np.eye(n, dtype=bool)] = np.inf
    np.testing.assert_array_equal(index, np.argsort(distance, axis=1)[:, :2])
    np.testing.assert_array_equal(within[:, 0], (distance <= 90).sum(axis=1))


def test_equally_distant_neighbours_are_told_apart_by_place(device):
    """The cell in the middle: above comes before left, whatever their numbers."""
    at = {0: (60, 60), 1: (60, 30), 2: (30, 60), 3: (90, 60)}
    for order in ((1, 2, 3, 0), (3, 0, 2, 1), (2, 1, 0, 3)):
        cells = batch([disc(*at[k], 8) for k in order], [disc(*at[k], 4) for k in order], {}, device)
        centres = device.kernels.neighbours.centres(cells.cell_labels, cells.nucleus_labels, cells.field, cells.boxes)
        index, _ = device.kernels.neighbours.nearest(cells.field, cells.boxes, centres, np.ones((4, 1)))
        assert [order[j] for j in index[order.index(0)]] == [2, 1]


def daughters(between):
    """Two round cells, 60 px apart, and a fibre of microtubules between them: whole, broken or none."""
    cells = [disc(60, 50, 18), disc(60, 110, 18)]
    fibre = (abs(Y - 60) < 2) & (X > 60) & (X < 100)
    if between == "broken":
        fibre &= abs(X - 80) > 5
    microtubules = np.where(cells[0] | cells[1], 40, 0)
    protein = np.where(cells[0] | cells[1], 30, 0)
    if between != "none":
        microtubules[fibre] = 160
    if between == "whole":
        protein[(abs(Y - 60) < 2) & (abs(X - 80) < 3)] = 240
    return cells, [disc(60, 50, 10), disc(60, 110, 10)], {MICROTUBULES: microtubules, PROTEIN: protein}


def test_a_bridge_between_daughters(device):
    whole, broken, none = (measured(batch(*daughters(k), device), device) for k in ("whole", "broken", "none"))
    continuity = "Cells_BridgeContinuity_Microtubules"
    assert (whole[continuity] > 2.5).all()
    np.testing.assert_array_equal(broken[continuity], 0)
    np.testing.assert_array_equal(none[continuity], 0)
    assert (broken["Cells_BridgePeak_Microtubules"] > 2.5).all()
    assert (whole["Cells_BridgePeak_Protein"] > 5).all() and (whole["Cells_BridgeNeck_Protein"] > 5).all()
    assert (whole["Cells_BridgeContinuity_Protein"] == 0).all()
    assert (whole["Cells_BridgeSharpness_Microtubules"] > 3).all()
    assert (whole["Cells_BridgeThickness"] == 0).all()


def test_two_halves_of_a_plate_are_joined_all_along(device):
    cells = [(abs(Y - 60) < 40) & (X > 20) & (X <= 75), (abs(Y - 60) < 40) & (X > 75) & (X < 130)]
    got = measured(batch(cells, [disc(60, 45, 10), disc(60, 105, 10)], {}, device), device)
    for channel in ("Microtubules", "Protein"):
        np.testing.assert_allclose(got[f"Cells_BridgeContinuity_{channel}"], 1, rtol=1e-6)
        np.testing.assert_allclose(got[f"Cells_BridgeSharpness_{channel}"], 1, rtol=1e-6)
    assert (abs(got["Cells_BridgeThickness"] - 1) < 0.1).all()


def test_relative_levels_of_neighbours(device):
    cells, nuclei = squares()
    protein = np.where(cells[0], 60, 20)
    protein[nuclei[0]] = 180
    mean = (60 * (400 - nuclei[0].sum()) + 180 * nuclei[0].sum()) / 400
    got = measured(batch(cells[:2], nuclei[:2], {PROTEIN: protein}, device), device)
    np.testing.assert_allclose(got["Cells_FirstLevelShare_Protein"], np.array([mean, 20]) / (mean + 20), rtol=1e-6)
    np.testing.assert_allclose(got["Nuclei_FirstLevelShare_Protein"], [0.9, 0.1], rtol=1e-6)
    np.testing.assert_allclose(got["Cells_FirstLevelShare_ER"], 0.5, rtol=1e-6)
