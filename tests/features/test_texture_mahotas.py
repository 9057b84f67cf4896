"""Texture against mahotas on the same quantised crop, and against pairs counted one by one."""

import mahotas
import numpy as np
import pytest
from mosaics import mosaic_cells

from features import texture
from features.core.cells import make_cells
from store.channels import CHANNELS, ER, PROTEIN

STEPS = ((0, 1), (1, 1), (1, 0), (1, -1))


def levels_of(values, n_levels=32, gamma=0.6):
    """The quantiser from its definition, in floating point."""
    low, high = int(values.min()), int(values.max())
    if low == high:
        return np.ones(values.shape, np.int64)
    return 1 + np.minimum(np.floor(n_levels * ((values - low) / (high - low)) ** gamma), n_levels - 1).astype(np.int64)


def kernel_values(cells, channel, device, n_levels=32):
    """float64 (n, compartments, distances, 4, 13) as the kernel gives them, before pooling."""
    plane = np.ascontiguousarray(cells.pixels[:, channel.index])
    region = cells.regions["Cells"]
    low, high = device.kernels.pixels.value_ranges(plane.ravel()[region.positions], region.offsets)
    cuts = texture.level_cuts(low, high, n_levels)
    where = (cells.cell_labels, cells.nucleus_labels, cells.field, cells.boxes)
    return device.kernels.texture.haralick(plane, *where, cuts, np.array([1, 2, 4]), 3)


def quantised(cells, channel, i, compartment, n_levels=32):
    """The cell's levels in its box, 0 outside the compartment."""
    top, left, bottom, right = cells.boxes[i]
    window = (cells.field[i], slice(top, bottom), slice(left, right))
    cell = cells.cell_labels[window] == i + 1
    levels = np.zeros(cell.shape, np.int64)
    levels[cell] = levels_of(cells.pixels[:, channel.index][window][cell].astype(np.int64), n_levels)
    return np.where(cells.labels(compartment)[window] == i + 1, levels, 0)


def mahotas_directions(image, distance):
    """(4, 13); NaN for directions without pairs."""
    out = np.full((4, 13), np.nan)
    size = int(image.max()) + 1
    for direction in range(4):
        counts = np.zeros((size, size), np.int32)
        mahotas.features.texture.cooccurence(image.astype(np.int32), direction, counts, distance=distance)
        counts[0] = counts[:, 0] = 0
        if counts.any():
            out[direction] = mahotas.features.texture.haralick_features([counts], use_x_minus_y_variance=True)[0]
    return out


def assert_like_mahotas(cells, channel, device, n_levels=32):
    got = kernel_values(cells, channel, device, n_levels)
    for i in range(cells.n):
        for c, compartment in enumerate(("Cells", "Nuclei", "Cytoplasm")):
            image = quantised(cells, channel, i, compartment, n_levels)
            for k, distance in enumerate((1, 2, 4)):
                expected = mahotas_directions(image, distance)
                np.testing.assert_allclose(got[i, c, k, :, :12], expected[:, :12], rtol=1e-9, atol=1e-12)
                # f13 is a root of a difference that is 0 for independent levels: 1e-15 becomes 3e-8
                np.testing.assert_allclose(got[i, c, k, :, 12] ** 2, expected[:, 12] ** 2, rtol=1e-9, atol=1e-13)


def test_painted_cells(painted, device):
    for channel in CHANNELS:
        assert_like_mahotas(painted, channel, device)


@pytest.mark.parametrize("n_levels", [32, 64])
def test_real_cells(shared_data, device, n_levels):
    cells = mosaic_cells(shared_data / "hpa-cells" / "train", "duloc1-mixed-img100", device)
    assert cells.n > 3
    assert_like_mahotas(cells, PROTEIN, device, n_levels)


def test_touching_cells_in_one_box_do_not_see_each_other(device, rng):
    labels = np.where(np.add.outer(np.arange(24), np.arange(26)) < 25, 1, 2)[None]
    nuclei = np.where(abs(np.arange(24)[:, None] - 11.5) < 4, labels, 0)
    pixels = rng.integers(0, 255, (1, 4, 24, 26)).astype(np.uint8)
    pixels[:, :, labels[0] == 2] //= 3
    assert_like_mahotas(make_cells(pixels, labels, nuclei, device), PROTEIN, device)


def one_cell(plane, device, mask=None):
    """A field of one cell; the same plane in all channels."""
    labels = (np.ones(plane.shape) if mask is None else mask).astype(np.int32)[None]
    return make_cells(np.stack([plane] * 4)[None], labels, np.zeros_like(labels), device)


def test_a_4_by_4_cell_pair_by_pair(device):
    plane = np.array([[0, 9, 9, 40], [3, 0, 9, 200], [3, 3, 0, 0], [255, 40, 3, 0]], np.uint8)
    mask = np.array([[1, 1, 1, 1], [1, 0, 0, 1], [1, 1, 1, 1], [1, 1, 0, 1]], bool)
    got = kernel_values(one_cell(plane, device, mask), ER, device)
    levels = levels_of(plane.astype(np.int64))
    for k, (dy, dx) in enumerate(STEPS):
        pairs = []
        for y, x in np.argwhere(mask):
            ny, nx = y + dy, x + dx
            if 0 <= ny < 4 and 0 <= nx < 4 and mask[ny, nx]:
                pairs += [(levels[y, x], levels[ny, nx]), (levels[ny, nx], levels[y, x])]
        a, b = np.array(pairs).T
        joint = np.unique(pairs, axis=0, return_counts=True)[1] / len(pairs)
        values = got[0, 0, 0, k]
        assert values[0] == pytest.approx((joint**2).sum(), rel=1e-12)
        assert values[1] == pytest.approx(((a - b) ** 2).mean(), rel=1e-12)
        assert values[2] == pytest.approx(np.corrcoef(a, b)[0, 1], rel=1e-9)
        assert values[3] == pytest.approx(a.var(), rel=1e-12)
        assert values[4] == pytest.approx((1 / (1 + (a - b) ** 2)).mean(), rel=1e-12)
        assert values[5] == pytest.approx((a + b).mean(), rel=1e-12)
        assert values[6] == pytest.approx((a + b).var(), rel=1e-12)
        assert values[8] == pytest.approx(-(joint * np.log2(joint)).sum(), rel=1e-12)
        assert values[9] == pytest.approx(abs(a - b).var(), rel=1e-12)


def test_one_level_has_exactly_no_entropy(device):
    """Rounding of logarithms once made the first information measure of a flat cell -1."""
    values = kernel_values(one_cell(np.full((37, 41), 90, np.uint8), device), PROTEIN, device)[0, 0]
    expected = [1, 0, 1, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0]
    np.testing.assert_array_equal(values, np.broadcast_to(expected, (3, 4, 13)))


def test_a_pixel_alone_has_no_texture(device):
    mask = np.zeros((9, 9), bool)
    mask[4, 4] = True
    cells = one_cell(np.full((9, 9), 7, np.uint8), device, mask)
    assert np.isnan(texture.measure(cells)).all()


def test_dark_pixels_count(device, rng):
    """Zeros inside the cell are real pixels; dropping them leaves a flat cell here."""
    plane = np.where(rng.random((30, 30)) < 0.5, 0, 200).astype(np.uint8)
    values = kernel_values(one_cell(plane, device), PROTEIN, device)[0, 0]
    assert (values[:, :, 1] > 100).all()


def test_pairs_across_two_lobes_do_not_count(device):
    """A concave cell around another pattern: what lies between its lobes is not its own."""
    plane = np.zeros((20, 21), np.uint8)
    plane[:, ::2] = 250
    mask = np.zeros(plane.shape, bool)
    mask[:, ::2] = True
    mask[0] = True
    plane[0] = 250
    values = kernel_values(one_cell(plane, device, mask), PROTEIN, device)[0, 0]
    assert (values[:, :, 1] == 0).all()
    assert np.isnan(kernel_values(one_cell(plane[1:], device, mask[1:]), PROTEIN, device)[0, 0, 0, 0]).all()


def test_counts_over_65535_do_not_overflow(device):
    plane = np.zeros((400, 400), np.uint8)
    plane[:, 300:] = 255
    values = kernel_values(one_cell(plane, device), PROTEIN, device)[0, 0, 0]
    assert values[0, 1] == pytest.approx(31**2 * 400 / (400 * 399), rel=1e-12)
    assert values[2, 5] == pytest.approx(2 * (0.75 * 1 + 0.25 * 32), rel=1e-12)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_quantiser_is_its_definition(rng, dtype):
    top = np.iinfo(dtype).max
    for low, high in ((0, top), (3, 9), (17, 17), (0, 1), (top - 60, top)):
        values = np.unique(np.concatenate([[low, high], rng.integers(low, high + 1, 300)]))
        for n_levels in (32, 64):
            cuts = texture.level_cuts(np.array([low]), np.array([high]), n_levels)[0]
            levels = 1 + (values[:, None] > cuts).sum(axis=1)
            np.testing.assert_array_equal(levels, levels_of(values, n_levels))
            assert levels[0] == 1
            assert levels[-1] == (n_levels if high > low else 1)


def test_exposure_does_not_change_the_levels(rng):
    values = rng.integers(0, 200, 500)
    for gain in (3, 100):
        np.testing.assert_array_equal(levels_of(values * gain), levels_of(values))


def test_pooling_leaves_directions_without_pairs_out():
    values = np.arange(4 * 13, dtype=float).reshape(4, 13)
    values[1] = np.nan
    pooled = texture.pool_directions(values)
    np.testing.assert_allclose(pooled[0], values[[0, 2, 3]].mean(axis=0))
    np.testing.assert_allclose(pooled[1], np.ptp(values[[0, 2, 3]], axis=0))
    assert np.isnan(texture.pool_directions(np.full((4, 13), np.nan))).all()
