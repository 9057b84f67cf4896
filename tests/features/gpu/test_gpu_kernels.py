"""Kernels that all families share, and the launcher, on a GPU emulated on the CPU; every CUDA source compiles."""

import shutil
import subprocess
import sys
from types import SimpleNamespace
from unittest.mock import MagicMock

import cuda_on_cpu
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from painting import paint_cells
from twins import on

from features.kernels.gpu import _cuda


@pytest.mark.slow
@pytest.mark.parametrize(("source", "pixel"), cuda_on_cpu.PROGRAMS)
def test_source_compiles_for_a_gpu(source, pixel, tmp_path):
    """With the warnings of nvcc; the usual suite compiles all by NVRTC, as CuPy does."""
    compiler = shutil.which("nvcc")
    if compiler is None:
        pytest.skip("needs nvcc, the CUDA compiler")
    options = [one for one in _cuda.OPTIONS if one != "--std=c++17"]
    command = [compiler, "-ptx", "-std=c++17", "-Werror", "all-warnings", *options, f"-DPixel={_cuda.PIXELS[pixel]}"]
    done = subprocess.run(
        [*command, str(_cuda.FOLDER / f"{source}.cu"), "-o", str(tmp_path / "out.ptx")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("downwards", [False, True])
def test_places_of_cells(painted, emulated, downwards, monkeypatch):
    monkeypatch.setattr(cuda_on_cpu.HostProgram, "downwards", downwards)
    theirs = on(emulated, painted)
    assert_array_equal(emulated.get(theirs.field), painted.field)
    assert_array_equal(emulated.get(theirs.boxes), painted.boxes)
    for name, region in painted.regions.items():
        assert_array_equal(emulated.get(theirs.regions[name].offsets), region.offsets)
        assert_array_equal(emulated.get(theirs.regions[name].positions), region.positions)
        assert_array_equal(emulated.get(theirs.centroids(name)), painted.centroids(name))
    for name in ("crop_starts", "nucleus_diameter"):
        assert_array_equal(emulated.get(getattr(theirs, name)), getattr(painted, name))


@pytest.mark.parametrize("downwards", [False, True])
def test_distance_maps(painted, emulated, downwards, monkeypatch):
    monkeypatch.setattr(cuda_on_cpu.HostProgram, "downwards", downwards)
    theirs = on(emulated, painted)
    for name in ("distance_to_cell_border", "distance_inside_nucleus", "distance_to_nucleus"):
        assert_array_equal(emulated.get(getattr(theirs, name)), getattr(painted, name))


def test_short_reach_of_sources(rng, emulated):
    cells = paint_cells(rng)
    reach = rng.uniform(1, 9, cells.n).astype(np.float32)
    given = (cells.nucleus_labels, cells.cell_labels, cells.field, cells.boxes, reach)
    theirs = emulated.kernels.distance.to_sources(*map(emulated.put, given))
    assert_array_equal(emulated.get(theirs), cells.device.kernels.distance.to_sources(*given))


def test_an_array_that_is_not_contiguous_is_refused(emulated):
    labels = emulated.put(np.zeros((2, 8, 8), np.int32))[:, ::2]
    with pytest.raises(ValueError, match="argument 0 is not contiguous"):
        _cuda.launch("distance", "columns_to_border", 1, 32, labels, 2, 4, 8, labels)


@pytest.fixture
def compiled(monkeypatch):
    """What CuPy is given: a list of modules, each its options, and its kernels by name."""
    modules = []

    class RawModule:
        def __init__(self, code, options):
            self.options, self.kernels = options, {}
            modules.append(self)

        def get_function(self, name):
            assert name not in self.kernels
            return self.kernels.setdefault(name, MagicMock(max_dynamic_shared_size_bytes=None))

    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(RawModule=RawModule))
    return modules


def test_a_changed_header_is_compiled_anew(compiled, tmp_path, monkeypatch):
    """CuPy does not look at what a source includes: the options tell."""
    (tmp_path / "points.cu").write_text((_cuda.FOLDER / "points.cu").read_text())
    monkeypatch.setattr(_cuda, "FOLDER", tmp_path)
    for header in ("// one", "// one", "// another"):
        (tmp_path / "common.cuh").write_text(header)
        _cuda.CupyProgram("points", "uint8")
    first, second, third = (module.options for module in compiled)
    assert first == second != third


@pytest.mark.parametrize("shared", [0, 40_000, 48_800, 60_000])
def test_dynamic_shared_memory_is_asked_for(compiled, shared):
    """Also where it would fit but for the kernel's static arrays."""
    program = _cuda.CupyProgram("shape", "uint8")
    for _ in range(2):
        program.launch("hulls", 7, 128, (1, 2), shared)
    kernel = compiled[0].kernels["hulls"]
    assert kernel.max_dynamic_shared_size_bytes == (shared or None)
    kernel.assert_called_with((7,), (128,), (1, 2), shared_mem=shared)


def test_a_kernel_refuses_an_array_on_the_host(emulated):
    labels = emulated.put(np.zeros((1, 8, 8), np.int32))
    with pytest.raises(TypeError, match="on the host"):
        _cuda.launch("distance", "columns_to_border", 1, 32, labels, 1, 8, 8, np.zeros((1, 8, 8), np.uint16))


def test_an_array_on_the_host_is_refused(emulated):
    with pytest.raises(TypeError, match="on the host"):
        emulated.put(np.ones(3)) + np.ones(3)
