"""Operations on stacks of planes and masks: a GPU gives the CPU's bits; CUDA sources run on the CPU here."""

import cuda_on_cpu
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from painted_fields import diagonal, squares
from scipy import ndimage

from features.segmentation.fixed_point import gaussian_weights

SHAPES = [(3, 41, 67), (1, 4, 4), (2, 1, 9), (2, 23, 1), (1, 90, 600)]


@pytest.fixture(params=[False, True], ids=["upwards", "downwards"])
def assert_twins(request, device, emulated, monkeypatch):
    """Calls a kernel on both devices: the arrays have the same type and the same values."""
    monkeypatch.setattr(cuda_on_cpu.HostProgram, "downwards", request.param)

    def call(module, kernel, *given, on_host=()):
        ours = getattr(getattr(device.kernels, module), kernel)(*given, *on_host)
        placed = [emulated.put(one) if isinstance(one, np.ndarray) else one for one in given]
        theirs = emulated.get(getattr(getattr(emulated.kernels, module), kernel)(*placed, *on_host))
        assert theirs.dtype == ours.dtype
        assert_array_equal(theirs, ours)

    return call


def planes(rng, shape, dtype=np.uint8):
    """Blobs of any brightness on a dark ground with noise, one plane black."""
    smooth = ndimage.gaussian_filter(rng.normal(size=shape), (0, 3, 3)) * 12
    full = np.iinfo(dtype).max
    out = (np.clip(smooth, 0.02, 1) * full * 0.8 + rng.integers(0, full // 40, shape)).astype(dtype)
    out[-1] *= len(out) == 1
    return out


def masks(rng, shape):
    return ndimage.gaussian_filter(rng.normal(size=shape), (0, 2, 2)) > 0.02


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_planes_of_either_depth(shape, dtype, assert_twins, rng):
    stack = planes(rng, shape, dtype)
    assert_twins("planes", "root_scale", stack)
    assert_twins(
        "planes", "root_scale", stack // 2 + np.iinfo(dtype).max // 3
    )  # far from 0 the background's noise counts
    for times in (2, 3):
        assert_twins("planes", "shrink", stack, times)
    for n in (1, stack[0].size // 3 + 1, stack[0].size):
        assert_twins("planes", "nth_brightest", stack, n)
    weights, reaches = gaussian_weights(np.linspace(0.7, 5.3, len(stack)))
    assert_twins("smoothing", "gaussian", stack, on_host=(weights, reaches))


@pytest.mark.parametrize("shape", SHAPES)
def test_planes_on_the_root_scale(shape, assert_twins, rng):
    stack = planes(rng, shape)
    assert_twins("planes", "mean_of_nine", stack)
    n = int((stack[0] > 12).sum())
    for fewest in (16, n, n + 1):
        assert_twins("planes", "otsu", stack, 12, fewest)
    assert_twins("planes", "look_up", stack, on_host=(rng.integers(0, 256, (len(stack), 256), np.uint8),))
    reaches = np.arange(1, 2 * len(stack), 2)
    assert_twins("smoothing", "local_mean", stack, masks(rng, shape), on_host=(reaches,))


@pytest.mark.parametrize("shape", SHAPES)
def test_masks(shape, assert_twins, rng):
    stack = masks(rng, shape)
    sizes = np.arange(1, len(stack) + 1)
    for reach in (0, 3, 9):
        assert_twins("outline", "even_out", stack, on_host=(sizes + reach,))
        assert_twins("outline", "opened", stack, on_host=(sizes + reach,))
    for largest in (0.0, 7.5, 40.0, 1e9):
        assert_twins("outline", "fill_holes", stack, on_host=(largest * sizes,))
        assert_twins("outline", "fill_holes", ~stack, on_host=(largest * sizes,))
    for one in (stack, ~stack, stack | True, stack & False):
        assert_twins("chamfer", "distances", one)
        assert_twins("chamfer", "typical_radius", one)


@pytest.mark.parametrize("times", [2, 3, 4])
def test_enlarged_labels(times, assert_twins, rng):
    labels = rng.integers(0, 4, (2, 13, 17)).astype(np.int32)
    for height, width in ((13 * times, 17 * times), (13 * times - 1, 16 * times + 1)):
        assert_twins("outline", "enlarge", labels, times, height, width)
    assert_twins("outline", "enlarge", ndimage.zoom(labels, (1, 4, 4), order=0), times, 52 * times, 68 * times)


def test_ties(assert_twins):
    assert_twins("planes", "otsu", np.repeat(np.uint8([50, 100, 150]), 20).reshape(1, 3, 20), 12, 16)
    assert_twins("chamfer", "typical_radius", squares())
    assert_twins("outline", "enlarge", diagonal(), 4, 36, 36)
