"""The loops of cell finding against scikit-image's watershed on reliefs without ties, and a naive flood with ties."""

from collections import deque

import numpy as np
import pytest
from skimage.feature import peak_local_max
from skimage.segmentation import watershed

from features.kernels.cpu import segment as kernels

EVERY_LOBE = 2.0  # no saddle is lower than twice the peak: nothing is joined
NO_LOBE_TOO_SMALL = 1


def split(height, neck, smallest):
    return kernels.split_by_depth(height[None], neck, np.array([smallest]))[0]


def flood(seeds, relief, inside=None):
    inside = np.ones(relief.shape, bool) if inside is None else inside
    return kernels.flood(seeds[None], relief[None], inside[None])[0]


@pytest.fixture
def relief(rng):
    """Distinct heights from 1 on, 50 x 70, with dry ground."""
    heights = rng.permutation(np.arange(1, 50 * 70 + 1)).reshape(50, 70).astype(np.uint16)
    return np.where(rng.random((50, 70)) < 0.2, 0, heights).astype(np.uint16)


def test_flood(relief, rng):
    seeds = np.zeros(relief.shape, np.int32)
    spots = np.sort(rng.choice(np.flatnonzero(relief), 12, replace=False))
    seeds.flat[spots] = np.arange(1, 13)
    relief[relief > 0] += 12
    relief.flat[spots] = np.arange(1, 13)  # scikit-image starts each seed at its own height, the kernel all at once
    expected = watershed(relief, seeds, connectivity=1, mask=relief > 0)
    found = flood(seeds, relief)
    np.testing.assert_array_equal(found, expected)
    assert set(np.unique(found)) == set(range(13))


@pytest.mark.parametrize("top", [1, 3, 40])
@pytest.mark.parametrize("shape", [(50, 70), (1, 60), (33, 1)])
def test_pixels_of_one_level_are_flooded_in_the_order_in_which_they_were_reached(rng, shape, top):
    relief = rng.integers(0, top + 1, shape).astype(np.uint16)
    seeds = np.where(rng.random(shape) < 0.05, rng.integers(1, 9, shape), 0).astype(np.int32)
    np.testing.assert_array_equal(flood(seeds, relief), in_order_reached(seeds, relief))
    inside = rng.random(shape) < 0.8
    np.testing.assert_array_equal(flood(seeds, relief, inside), in_order_reached(seeds, relief * inside))


def in_order_reached(seeds, relief):
    """The flood with one first-in-first-out queue a level."""
    found, queues = np.pad(seeds, 1), [deque() for _ in range(int(relief.max()) + 1)]
    ground = np.pad(relief, 1)
    queues[0].extend(map(tuple, np.argwhere(found)))
    for level, queue in enumerate(queues):
        while queue:
            y, x = queue.popleft()
            for beside in ((y - 1, x), (y, x - 1), (y, x + 1), (y + 1, x)):
                if ground[beside] and not found[beside]:
                    found[beside] = found[y, x]
                    queues[max(level, int(ground[beside]))].append(beside)
    return found[1:-1, 1:-1]


def test_seeds_on_dry_ground_stay(relief):
    seeds = np.zeros(relief.shape, np.int32)
    seeds[20:25, 20:25] = 3
    relief[18:27, 18:27] = 0
    found = flood(seeds, relief)
    np.testing.assert_array_equal(found, seeds)


def test_split_without_joining_is_a_watershed(relief):
    peaks = peak_local_max(relief.astype(int), min_distance=1, exclude_border=False, footprint=np.ones((3, 3)))
    markers = np.zeros(relief.shape, np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)  # the highest first, as the kernel numbers them
    expected = watershed(-relief.astype(int), markers, connectivity=2, mask=relief > 0)
    found = split(relief, EVERY_LOBE, NO_LOBE_TOO_SMALL)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(("neck", "n_lobes"), [(0.74, 1), (0.76, 2)])
def test_a_lobe_stays_apart_if_its_saddle_is_low(neck, n_lobes):
    """Peaks of 100 and 60, a saddle of 45 between them: 75 % of the lower peak."""
    ridge = np.array([[20, 70, 100, 80, 45, 50, 60, 30]], np.uint16)
    found = split(ridge, neck, NO_LOBE_TOO_SMALL)
    assert found.max() == n_lobes
    assert (found > 0).all()
    if n_lobes == 2:
        np.testing.assert_array_equal(found, [[1, 1, 1, 1, 1, 2, 2, 2]])


def test_small_lobes_are_dropped_and_ids_have_no_gap():
    ridge = np.array([[60, 10, 100, 0, 80, 70, 0, 50, 50, 50]], np.uint16)
    found = split(ridge, 0.5, 2)
    np.testing.assert_array_equal(found, [[0, 1, 1, 0, 2, 2, 0, 3, 3, 3]])
