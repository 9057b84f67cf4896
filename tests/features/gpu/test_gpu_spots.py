"""Smoothing, spots and objects on a GPU emulated on the CPU, on images made to be hard for them."""

import cuda_on_cpu
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from features.core.packed_crops import pack_crops
from store.channels import PROTEIN


@pytest.fixture(params=[False, True], autouse=True)
def downwards(request, monkeypatch):
    """Threads from the first to the last, and from the last to the first."""
    monkeypatch.setattr(cuda_on_cpu.HostProgram, "downwards", request.param)


def both(module, name, emulated, device, *given):
    """What the twins of a kernel give, each as a list of host arrays."""
    ours = getattr(getattr(device.kernels, module), name)(*given)
    placed = (emulated.put(one) if isinstance(one, np.ndarray) else one for one in given)
    theirs = getattr(getattr(emulated.kernels, module), name)(*placed)
    if isinstance(ours, tuple):
        return list(ours), [emulated.get(one) for one in theirs]
    return [ours], [emulated.get(theirs)]


@pytest.mark.parametrize("times", [1, 9])
def test_local_means_are_the_same_bits(painted, device, emulated, times):
    crops = pack_crops(painted, {PROTEIN: 0})
    places = (crops.parts, crops.starts, painted.field, painted.boxes)
    planes, finest = np.ascontiguousarray(painted.pixels[:, [1, 0]]), np.array([0, 1])
    (ours,), (theirs,) = both("spots", "local_means", emulated, device, planes, *places, crops.reach * times, finest)
    assert_array_equal(theirs[0], ours[0])
    assert_array_equal(theirs[1, 1:], ours[1, 1:])


@pytest.mark.parametrize("reach", [0, 2])
def test_peaks_of_plateaus(painted, device, emulated, rng, reach):
    crops = pack_crops(painted, {PROTEIN: 0})
    fine, coarse = (rng.integers(0, 6, (2, len(crops.parts))) * (crops.parts > 0)).astype(np.float32)
    places = (crops.parts, crops.starts, painted.boxes, np.full(painted.n, reach))
    ours, theirs = both("spots", "peaks", emulated, device, fine, coarse, *places, 0.25)
    assert len(ours[0]) > 40
    assert_array_equal(theirs[0], ours[0])
    assert_array_equal(theirs[1], ours[1])
    assert_allclose(theirs[2], ours[2], rtol=1e-14)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75, 0.9375])
def test_objects_of_noise(painted, device, emulated, rng, share):
    """Parts that wind, join late and have holes, among pixels that are exactly at the level."""
    crops = pack_crops(painted, {PROTEIN: 0})
    values = (rng.integers(0, 17, len(crops.parts)) / 16 * (crops.parts > 0)).astype(np.float32)
    wanted, level = np.array([3, 1, 2], np.uint8), np.full((3, painted.n), 1 - share)
    level[0, 1] = np.nan
    places = (values, crops.parts, crops.starts, painted.field, painted.boxes)
    maps = (painted.distance_to_nucleus, painted.distance_inside_nucleus)
    smallest = np.full(painted.n, 3.0)
    ours, theirs = both("objects", "find_objects", emulated, device, *places, wanted, level, smallest, *maps)
    for k in range(3):
        assert_array_equal(theirs[k], ours[k])
    assert_allclose(theirs[3], ours[3], rtol=1e-12)


def test_thresholds(painted, device, emulated):
    crops = pack_crops(painted, {PROTEIN: 0})
    (ours,), (theirs,) = both(
        "objects", "thresholds", emulated, device, crops.smooth[PROTEIN][0], crops.parts, crops.starts
    )
    assert_allclose(theirs, ours, rtol=1e-14)


def test_the_first_of_two_equal_thresholds(device, emulated):
    values = np.repeat(np.float32([0, 127 / 128, 1, 2]), (3, 20, 20, 3))  # bins 0, 127, 128 and 255
    (ours,), (theirs,) = both(
        "objects", "thresholds", emulated, device, values, np.ones(46, np.uint8), np.array([0, 46])
    )
    assert ours[1, 0, 0] < 0.5
    assert_array_equal(theirs, ours)


def test_points_of_a_cell(device, emulated, rng):
    offsets = np.array([0, 0, 1, 3, 200, 200, 500])
    values, kept = rng.integers(-9, 9, (3, 500)).astype(float), rng.uniform(size=500) < 0.4
    for name, given in (
        ("sums", (values,)), ("two_highest", (values[0],)),
        ("nearest_distances", (*rng.integers(0, 90, (2, 500)), kept)),
    ):  # fmt: skip
        (ours,), (theirs,) = both("points", name, emulated, device, *given, offsets)
        assert_array_equal(theirs, ours)
