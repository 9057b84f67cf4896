"""Kernels on a GPU emulated on the CPU give the CPU's values on labels worse than cells: ragged, crowded, large."""

import cuda_on_cpu
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from painting import paint_cells
from scipy import ndimage
from twins import assert_twin

from features.core.cells import make_cells


@pytest.fixture(params=[False, True], ids=["upwards", "downwards"])
def gpu(request, emulated, monkeypatch):
    monkeypatch.setattr(cuda_on_cpu.HostProgram, "downwards", request.param)
    return emulated


def ragged_cells(rng, device, n_fields=2, size=64, seeds=9, holes=0.15):
    """Pixels go to the nearest of some seeds, and many of them to nobody; nuclei are what is left of a sixth."""
    pixels = rng.integers(0, 65536, (n_fields, 4, size, size)).astype(np.uint16)
    labels = np.zeros((n_fields, size, size), np.int32)
    for image in labels:
        image[...] = labels.max() + voronoi(rng, size, seeds)
    labels[rng.random(labels.shape) < holes] = 0
    labels[:, 20:24, :50] = 0
    labels[:, :, 40:43] = 0
    kept = np.unique(labels)
    labels = np.searchsorted(kept, labels).astype(np.int32)
    return make_cells(pixels, labels, np.where(rng.random(labels.shape) < 1 / 6, labels, 0), device)


def voronoi(rng, size, seeds):
    points = np.zeros((size, size), int)
    points.ravel()[rng.choice(size * size, seeds, replace=False)] = np.arange(1, seeds + 1)
    nearest = ndimage.distance_transform_edt(points == 0, return_distances=False, return_indices=True)
    return points[tuple(nearest)]


def assert_same(kernel, cells, gpu, *arguments):
    """A kernel ("module.name") gives the same on both devices; whole numbers exactly."""
    module, name = kernel.split(".")
    ours = getattr(getattr(cells.device.kernels, module), name)(*arguments)
    placed = [gpu.put(one) if isinstance(one, np.ndarray) else one for one in arguments]
    theirs = getattr(getattr(gpu.kernels, module), name)(*placed)
    pairs = zip(ours, theirs) if isinstance(ours, tuple) else [(ours, theirs)]
    for our, their in pairs:
        compare = assert_array_equal if our.dtype.kind == "i" else lambda a, b: assert_allclose(a, b, rtol=1e-12)
        compare(gpu.get(their), our)


@pytest.mark.parametrize("kernel", ["region_moments", "outlines", "hulls"])
@pytest.mark.parametrize("holes", [0.15, 0.5, 0.9])
def test_shape_of_ragged_regions(kernel, holes, rng, device, gpu):
    cells = ragged_cells(rng, device, holes=holes)
    assert_same(f"shape.{kernel}", cells, gpu, cells.cell_labels, cells.field, cells.boxes)


def test_borders_of_ragged_cells(rng, device, gpu):
    cells = ragged_cells(rng, device)
    gap, depth = rng.integers(2, 7, cells.n), rng.integers(1, 5, cells.n)
    assert_same("neighbours.borders", cells, gpu, cells.pixels, cells.cell_labels, cells.field, cells.boxes, gap, depth)


def test_borders_in_a_crowd(rng, device, emulated):
    """A cell that touches more cells than are counted at a time."""
    labels = np.zeros((2, 40, 60), np.int32)
    labels[0, :5] = 1
    labels[1] = 2 + np.arange(40 * 60).reshape(40, 60)
    labels[1, 10:30, 10:40] = labels[1, 10, 10]
    labels[1, 1::2, :9] = labels[1, 10, 10]
    labels = np.searchsorted(np.unique(labels), labels).astype(np.int32)
    pixels = rng.integers(0, 256, (2, 4, 40, 60)).astype(np.uint8)
    cells = make_cells(pixels, labels, np.zeros_like(labels), device)
    assert cells.n > 1200
    gap, depth = np.full(cells.n, 2), np.full(cells.n, 1)
    planes = pixels[:, :1]
    assert_same("neighbours.borders", cells, emulated, planes, labels, cells.field, cells.boxes, gap, depth)


def test_nearest_of_equally_distant_cells(device, emulated):
    y, x = np.mgrid[:42, :42]
    labels = np.where((y % 6 < 3) & (x % 6 < 3), 1 + y // 6 * 7 + x // 6, 0)[None].astype(np.int32)
    cells = make_cells(np.zeros((1, 4, 42, 42), np.uint8), labels, np.zeros_like(labels), device)
    centres = device.kernels.neighbours.centres(labels, labels, cells.field, cells.boxes)
    reach = np.array([[5.0, 6.0, 9.0]] * cells.n)
    assert_same("neighbours.nearest", cells, emulated, cells.field, cells.boxes, centres, reach)


@pytest.mark.parametrize("step", [1, 3, 6])
def test_crossings_of_ragged_cells(step, rng, device, gpu):
    cells = ragged_cells(rng, device)
    kernels, given = device.kernels.neighbours, (cells.field, cells.boxes)
    centres = kernels.centres(cells.cell_labels, cells.nucleus_labels, *given)
    partner = kernels.nearest(*given, centres, np.ones((cells.n, 1)))[0][:, 0].copy()
    partner[::5] = -1
    width = rng.uniform(5, 40, cells.n)
    width[1::5] = np.nan
    steps = np.full(cells.n, step)
    assert_same("bridge.crossings", cells, gpu, cells.pixels, cells.cell_labels, *given, centres, partner, width, steps)


@pytest.mark.parametrize("family", ["intensity", "radial", "zernike"])
def test_sums_of_a_large_bright_cell(family, device, emulated):
    """Two wedges have nearly all of it: each sum is more than 32 bits hold."""
    pixels = np.full((1, 4, 420, 420), 65535, np.uint16)
    pixels[0, 1:, 100:] -= np.arange(420, dtype=np.uint16)
    labels, nuclei = np.ones((1, 420, 420), np.int32), np.zeros((1, 420, 420), np.int32)
    nuclei[0, 3:13, 3:13] = 1
    assert_twin(family, make_cells(pixels, labels, nuclei, device), emulated)


def test_degree_without_registers_is_refused(rng, emulated):
    cells = paint_cells(rng)
    given = map(emulated.put, (cells.pixels, cells.cell_labels, cells.field, cells.boxes))
    with pytest.raises(ValueError, match="degree 10"):
        emulated.kernels.zernike.disc_moments(*given, 10)
