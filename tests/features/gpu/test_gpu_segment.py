"""The loops of cell finding on a GPU emulated on the CPU: the CPU's labels, pixel by pixel."""

import cuda_on_cpu
import cv2
import emulated_gpu
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from features.kernels.cpu import segment as kernels
from features.reading.field_reading import read_field
from features.reading.fields import find_fields
from features.segmentation.segment import segment

LEVELS = [1, 2, 5, 60]


@pytest.fixture(params=[False, True], autouse=True)
def downwards(request, monkeypatch):
    """Threads from the first to the last, and from the last to the first."""
    monkeypatch.setattr(cuda_on_cpu.HostProgram, "downwards", request.param)


def noise(rng, levels):
    """Seven fields of 0 to `levels`: two of noise, of flat squares, of smooth hills, and a dry one."""
    fine, coarse = rng.random((2, 36, 54)), rng.random((2, 9, 18)).repeat(4, 1).repeat(3, 2)
    hills = np.stack([cv2.GaussianBlur(one, (0, 0), 1.5) for one in rng.random((2, 36, 54))])
    hills = (hills - hills.min()) / np.ptp(hills)
    stack = np.concatenate([fine, coarse, hills, np.zeros((1, 36, 54))])
    return (stack * (levels + 0.999)).astype(np.uint16)


def without_ties(rng):
    """Three fields of distinct heights, far apart, up to the highest there is."""
    heights = np.linspace(65535, 1, 20 * 54).astype(np.uint16)
    return np.stack([rng.permutation(heights).reshape(20, 54) for _ in range(3)])


def scattered(rng, shape, share):
    """Seeds on a share of the pixels, their labels in any order and more than once; none in the last field but one."""
    seeds = (rng.random(shape) < share) * rng.integers(1, 40, (shape[0], 1, 1))
    seeds[-2:-1] = 0
    return (seeds * rng.integers(1, 5, seeds.shape)).astype(np.int32)


def assert_same_lobes(device, height, neck, smallest):
    expected = kernels.split_by_depth(height, neck, smallest)
    found = device.kernels.segment.split_by_depth(device.put(height), neck, smallest)
    assert_array_equal(device.get(found), expected)
    assert found.dtype == np.int32
    return expected


def assert_same_waters(device, seeds, relief, inside=None):
    inside = np.ones(relief.shape, bool) if inside is None else inside
    expected = kernels.flood(seeds, relief, inside)
    found = device.kernels.segment.flood(*map(device.put, (seeds, relief, inside)))
    assert_array_equal(device.get(found), expected)
    assert found.dtype == np.int32
    return expected


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("neck", [0.0, 0.5, 0.8, 0.95, 2.0])
def test_lobes_of_noise(levels, neck, rng, emulated):
    expected = assert_same_lobes(emulated, noise(rng, levels), neck, np.array([1, 4, 1, 20, 1, 9, 1]))
    assert expected[:6].any(axis=(1, 2)).all()


@pytest.mark.parametrize("neck", [0.8, 2.0])
def test_lobes_without_ties(neck, rng, emulated):
    assert_same_lobes(emulated, without_ties(rng), neck, np.array([1, 2, 3]))


def test_lobes_of_one_pixel(rng, emulated):
    height = np.zeros((2, 20, 30), np.uint16)
    height[:, 1:-1:2, 1:-1:2] = rng.integers(1, 4, (2, 9, 14))
    expected = assert_same_lobes(emulated, height, 0.8, np.array([1, 2]))
    assert expected.max(axis=(1, 2)).tolist() == [9 * 14, 0]


def test_each_field_has_its_own_smallest_lobe(rng, emulated):
    height = noise(rng, 60)[[4, 4, 4, 4]]
    expected = assert_same_lobes(emulated, height, 0.9, np.array([1, 50, 100, 10_000]))
    counts = expected.max(axis=(1, 2)).tolist()
    assert counts[0] > counts[1] > counts[2] > counts[3] == 0


def test_a_saddle_exactly_at_the_neck_joins(emulated):
    """Also where others were joined before, so that the lower peak is not that of the basin itself."""
    ridges = np.array([[[100, 50, 90, 80, 100, 40, 80]], [[10, 5, 10, 5, 10, 5, 10]], [[60, 50, 100, 50, 70, 30, 60]]])
    for neck in (0.5, 0.8, 0.5000001):
        assert_same_lobes(emulated, ridges.astype(np.uint16), neck, np.ones(3, int))


@pytest.mark.parametrize("levels", LEVELS)
@pytest.mark.parametrize("share", [0.002, 0.05, 0.4])
def test_waters_on_noise(levels, share, rng, emulated):
    relief = noise(rng, levels)
    assert_same_waters(emulated, scattered(rng, relief.shape, share), relief)


def test_waters_without_ties(rng, emulated):
    relief = without_ties(rng)
    assert_same_waters(emulated, scattered(rng, relief.shape, 0.01), relief)


def test_waters_over_a_plain_that_falls_and_rises(rng, emulated):
    """Queues longer than a block takes at once, of pixels whose ground lies far below."""
    relief = rng.integers(900, 902, (2, 60, 90)).astype(np.uint16)
    relief[:, 20:40, 20:70] -= 890
    seeds = np.zeros(relief.shape, np.int32)
    seeds[:, 0] = np.arange(1, 91)
    expected = assert_same_waters(emulated, seeds, relief)
    assert (expected > 0).all()


def test_seeds_on_dry_ground_stay(rng, emulated):
    relief = noise(rng, 1)
    seeds = scattered(rng, relief.shape, 0.1)
    relief[:3] = 0
    expected = assert_same_waters(emulated, seeds, relief)
    assert_array_equal(expected[:3], seeds[:3])


@pytest.fixture
def real_calls(shared_data, monkeypatch):
    """What three real fields ask of the kernels, as one stack for each call."""
    calls = {"split_by_depth": [], "flood": []}

    def noting(name, kernel):
        def noted(*given):
            calls[name].append(given)
            return kernel(*given)

        return noted

    source = find_fields(shared_data / "hpa-sample" / "train")
    with monkeypatch.context() as patched:
        for name in calls:
            patched.setattr(kernels, name, noting(name, getattr(kernels, name)))
        for field in source.ids[:3]:
            segment(read_field(source, field), field)
    return calls


@pytest.mark.shared
def test_lobes_and_waters_of_real_fields(real_calls, emulated):
    heights, necks, smallest = zip(*real_calls["split_by_depth"])
    lobes = assert_same_lobes(emulated, np.concatenate(heights), necks[0], np.concatenate(smallest))
    assert lobes.max() > 5
    for of_nuclei_or_cells in (slice(0, None, 2), slice(1, None, 2)):
        assert_same_waters(emulated, *map(np.concatenate, zip(*real_calls["flood"][of_nuclei_or_cells])))


def test_neither_waits_for_the_gpu(rng, emulated):
    relief = emulated.put(noise(rng, 5))
    seeds = emulated.put(scattered(rng, relief.shape, 0.1))
    emulated_gpu.waits.clear()
    emulated.kernels.segment.split_by_depth(relief, 0.8, np.ones(len(relief), int))
    emulated.kernels.segment.flood(seeds, relief, relief > 1)
    assert emulated_gpu.waits == []
