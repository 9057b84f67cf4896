"""What cells are found with, operations on planes and masks, against SciPy and scikit-image."""

import numpy as np
import pytest
from painted_fields import diagonal, squares
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.measure import block_reduce
from skimage.morphology import remove_small_holes

from features.kernels.cpu import chamfer, outline, planes, smoothing
from features.segmentation.fixed_point import gaussian_weights

LEAST_ERROR = 0.0202  # of a distance by steps of 5, 7 and 11: at worst 2 % (Borgefors 1986)


@pytest.fixture
def levels(rng):
    return rng.integers(0, 256, (2, 61, 83)).astype(np.uint8)


@pytest.fixture
def masks(rng):
    return ndimage.gaussian_filter(rng.normal(size=(2, 61, 83)), (0, 2, 2)) > 0.03


@pytest.mark.parametrize(("dtype", "most"), [(np.uint8, 0.6), (np.uint16, 3.0)])
def test_gaussian(dtype, most, rng):
    stack = rng.integers(0, np.iinfo(dtype).max, (2, 61, 83)).astype(dtype)
    sigmas = np.array([1.0, 3.7])
    found = smoothing.gaussian(stack, *gaussian_weights(sigmas))
    for plane, sigma, smooth in zip(stack, sigmas, found):
        expected = ndimage.gaussian_filter(plane.astype(float), sigma, mode="mirror", radius=int(np.ceil(3 * sigma)))
        assert np.abs(smooth - expected).max() < most  # a level of 256; 3 of 65,536, as weights are whole numbers


def test_gaussian_weights_sum_to_one():
    weights, reaches = gaussian_weights(np.array([0.7, 1.0, 12.3]))
    np.testing.assert_array_equal(2 * weights.sum(axis=1) - weights[:, 0], 65536)
    np.testing.assert_array_equal(reaches, [3, 3, 37])
    np.testing.assert_array_equal([np.flatnonzero(one)[-1] <= reach for one, reach in zip(weights, reaches)], True)


@pytest.mark.parametrize("times", [2, 3, 5])
def test_shrink(times, levels):
    padded = np.pad(levels, ((0, 0), (0, -61 % times), (0, -83 % times)), mode="edge")
    expected = block_reduce(padded, (1, times, times), np.mean)
    np.testing.assert_array_equal(planes.shrink(levels, times), np.floor(expected + 0.5))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_nth_brightest(dtype, rng):
    stack = rng.integers(0, np.iinfo(dtype).max, (3, 61, 83), endpoint=True).astype(dtype)
    stack[1] //= 200  # many are equal
    stack[2] = 0
    for n in (1, 2, 500, 61 * 83):
        found = planes.nth_brightest(stack, n)
        np.testing.assert_array_equal(found, np.sort(stack.reshape(3, -1), axis=1)[:, -n])
        assert found.dtype == dtype


def test_mean_of_nine(levels):
    expected = ndimage.uniform_filter(levels.astype(float), (0, 3, 3), mode="mirror")
    np.testing.assert_array_equal(planes.mean_of_nine(levels), np.rint(expected))


def test_otsu(levels):
    levels[0] //= 3
    levels[0, 20:40] += 120
    expected = [threshold_otsu(plane[plane > 12]) for plane in levels]
    np.testing.assert_array_equal(planes.otsu(levels, 12, 16), expected)
    n = int((levels[1] > 12).sum())
    assert [planes.otsu(levels[1:], 12, fewest)[0] for fewest in (n, n + 1)] == [expected[1], 255]


def test_otsu_of_three_equal_levels_is_the_lowest():
    assert planes.otsu(np.repeat(np.uint8([50, 100, 150]), 20).reshape(1, 3, 20), 12, 16) == 50


def test_local_mean_of_what_is_masked(levels, masks):
    """Exact in the middle of four blocks, where four squares' means are averaged."""
    reaches = np.array([2, 5])
    found = smoothing.local_mean(levels, masks, reaches)
    for plane, mask, reach, mean in zip(levels, masks, reaches, found):
        squares = [
            (plane * mask)[window].sum() // max(mask[window].sum(), 1)
            for v, u in ((5, 7), (5, 8), (6, 7), (6, 8))
            for window in [
                np.s_[max(4 * (v - reach), 0) : 4 * (v + reach + 1), max(4 * (u - reach), 0) : 4 * (u + reach + 1)]
            ]
        ]
        middle = mean[23:25, 31:33].astype(int)  # an eighth of a block from where the four meet
        assert abs(middle.mean() - np.mean(squares)) <= 0.5
    assert smoothing.local_mean(np.full_like(levels, 77), masks, np.array([20, 20])).min() == 77


def test_root_scale_spreads_a_plane(rng):
    """Background with noise around an offset goes to 0, the brightest 0.2 % to 255, a quarter of that to a half."""
    plane = rng.normal(400, 10, (1, 256, 256))
    plane[0, :64] = 4400
    plane[0, 64:128] = 1400
    scaled = planes.root_scale(plane.astype(np.uint16))
    assert (scaled[0, 128:] == 0).mean() > 0.99
    assert (scaled[0, :64] == 255).all()
    assert scaled[0, 100, 100] == pytest.approx(127, abs=4)


@pytest.mark.parametrize("shape", [(1, 1), (3, 20), (20, 1), (99, 99)])
def test_even_out(masks, shape):
    """Also where a square is larger than the image."""
    masks, reaches = masks[:, : shape[0], : shape[1]], np.array([1, 4])
    found = outline.even_out(masks, reaches)
    for mask, reach, evened in zip(masks, reaches, found):
        share = ndimage.uniform_filter(mask.astype(float), 2 * reach + 1, mode="mirror")
        np.testing.assert_array_equal(evened, share > 0.5)


def test_even_out_counts_squares_of_more_pixels_than_16_bits_hold():
    mask = np.ones((1, 300, 310), bool)
    mask[0, :20, :20] = False
    reach = 130
    share = ndimage.uniform_filter(mask[0].astype(float), 2 * reach + 1, mode="mirror")
    np.testing.assert_array_equal(outline.even_out(mask, np.array([reach]))[0], share > 0.5)


def test_opened(masks):
    radii = np.array([1, 5])
    for mask, radius, found in zip(masks, radii, outline.opened(masks, radii)):
        y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
        disc = np.abs(x) <= np.rint(np.sqrt(radius**2 - y**2))
        inner = ndimage.binary_erosion(mask, disc, border_value=1)
        np.testing.assert_array_equal(found, ndimage.binary_dilation(inner, disc))


def test_fill_holes(masks, rng):
    masks = (masks & (rng.random(masks.shape) < 0.9)) | (
        ndimage.gaussian_filter(rng.normal(size=masks.shape), 3) > 0.02
    )
    largest = np.array([1.0, 3.5])
    for mask, limit, found in zip(masks, largest, outline.fill_holes(masks, largest)):
        ground = np.pad(mask, 20)  # what reaches the border joins the ground outside, which is no hole
        expected = remove_small_holes(ground, max_size=int(limit), connectivity=1)[20:-20, 20:-20]
        np.testing.assert_array_equal(found, expected)
        assert found.sum() > mask.sum()


def test_background_at_the_border_is_no_hole_however_large_holes_may_be():
    masks = np.ones((1, 9, 9), bool)
    masks[0, 0, 0] = masks[0, 4, 4] = False
    (found,) = outline.fill_holes(masks, np.array([1e9]))
    assert np.argwhere(~found).tolist() == [[0, 0]]


def test_chamfer(masks):
    found = chamfer.distances(masks) / 5
    for mask, distance in zip(masks, found):
        expected = ndimage.distance_transform_edt(mask)
        assert np.abs(distance - expected).max() > 0.02  # it is no exact distance
        np.testing.assert_allclose(distance, expected, rtol=LEAST_ERROR)


def test_chamfer_far_away():
    masks = np.ones((1, 200, 300), bool)
    assert (chamfer.distances(masks) == 8191).all()
    masks[0, 100, 150] = False
    np.testing.assert_allclose(
        chamfer.distances(masks)[0] / 5, ndimage.distance_transform_edt(masks[0]), rtol=LEAST_ERROR
    )


def test_typical_radius_is_that_of_most_area():
    y, x = np.mgrid[:200, :300]
    discs = [(40, 40, 30), (40, 140, 28), (150, 60, 29)] + [(150 + 12 * (k % 2), 120 + 12 * k, 4) for k in range(9)]
    mask = np.any([np.hypot(y - cy, x - cx) < radius for cy, cx, radius in discs], axis=0)
    found = chamfer.typical_radius(np.stack([mask, np.zeros_like(mask)]))
    assert found[0] == pytest.approx(29, abs=2)
    assert found[1] == 2


def test_typical_radius_is_the_smaller_of_two_halves():
    assert chamfer.typical_radius(squares()) == 4


def test_enlarge_gives_what_is_equally_shared_to_the_smaller_label():
    found = outline.enlarge(diagonal(), 4, 36, 36)[0]
    along = np.arange(4, 32)
    assert (found[along, along] == 1).all()
    assert (found[along, along + 3] == 2).all()


@pytest.mark.parametrize("times", [2, 3, 4])
def test_enlarge_gives_each_pixel_to_the_largest_share(times, rng):
    labels = ndimage.zoom(rng.integers(0, 4, (1, 5, 6)), (1, 4, 4), order=0).astype(np.int32)
    shape = 20 * times, 24 * times
    places = np.meshgrid(*((np.arange(n) + 0.5) / times + 1.5 for n in shape), indexing="ij")
    shares = []
    for label in range(4):
        soft = np.pad((labels[0] == label).astype(float), 2, mode="edge")
        for axis in (0, 1):
            soft = ndimage.correlate1d(soft, np.array([2, 53, 146, 53, 2]) / 256, axis, mode="nearest")
        shares.append(ndimage.map_coordinates(soft, places, order=1, mode="nearest"))
    best = np.sort(shares, axis=0)
    clear = best[-1] - best[-2] > 1e-9
    found = outline.enlarge(labels, times, *shape)[0]
    np.testing.assert_array_equal(found[clear], np.argmax(shares, axis=0)[clear])
    assert clear.mean() > 0.9
