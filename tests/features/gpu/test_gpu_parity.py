"""The GPU's twins give the CPU's values: CUDA sources run on the CPU here, and on a GPU where there is one."""

import cuda_on_cpu
import emulated_gpu
import numpy as np
import pytest
from mosaics import mosaic_cells
from painting import paint_cells
from twins import assert_twin, on

import features
from features.core.cells import make_cells
from features.texture import level_cuts

FAMILIES = sorted(features.families())
LEANER = [name for name in FAMILIES if hasattr(features.families()[name], "DEFAULT_STAINS")]
WAITS = {"spots": 4}  # waits that a family needs: how many maxima there are in three bands, and how many objects


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("downwards", [False, True])
def test_painted_cells(family, downwards, painted, emulated, monkeypatch):
    """Threads from the last to the first too: a missing barrier gives other values."""
    monkeypatch.setattr(cuda_on_cpu.HostProgram, "downwards", downwards)
    assert_twin(family, painted, emulated)


@pytest.mark.parametrize("family", FAMILIES)
def test_no_cells_and_one_black_pixel(family, emulated, device):
    labels = np.zeros((1, 9, 9), np.int32)
    pixels = np.zeros((1, 4, 9, 9), np.uint8)
    assert_twin(family, make_cells(pixels, labels, labels, device), emulated)
    labels[0, 0, 0] = 1
    assert_twin(family, make_cells(pixels, labels, labels, device), emulated)


def test_levels_of_texture_are_those_of_the_cpu_for_any_range(emulated):
    """Ranges that are multiples of 32 have cuts at whole grey values."""
    darkest, brightest = np.zeros(255, np.int64), np.arange(1, 256)
    theirs = level_cuts(emulated.put(darkest), emulated.put(brightest), xp=emulated.xp)
    np.testing.assert_array_equal(emulated.get(theirs), level_cuts(darkest, brightest))


@pytest.mark.shared
@pytest.mark.parametrize("family", FAMILIES)
def test_real_cells(family, shared_data, device, emulated):
    folder = shared_data / "hpa-cells" / "train"
    name = sorted(path.name.rsplit("_", 1)[0] for path in folder.glob("*_green.png"))[3]
    assert_twin(family, mosaic_cells(folder, name, device), emulated)


@pytest.mark.parametrize("family", LEANER)
def test_stains_that_are_left_out_change_no_other_value(family, painted, emulated):
    module, cells = features.families()[family], on(emulated, painted)
    kept = [not c.channels or c.channels[0] in module.DEFAULT_STAINS for c in module.columns()]
    every, fewer = (
        emulated.get(values) for values in (module.measure(cells), module.measure(cells, module.DEFAULT_STAINS))
    )
    assert fewer.tobytes() == every[:, kept].tobytes()


@pytest.mark.parametrize("family", FAMILIES)
def test_no_family_waits_for_the_gpu(family, rng, emulated):
    cells = on(emulated, paint_cells(rng))
    for shared in ("regions", "values_by_compartment", "nucleus_diameter", "nucleus_centres", "n_crop_pixels"):
        getattr(cells, shared)
    for distances in ("distance_to_cell_border", "distance_inside_nucleus", "distance_to_nucleus"):
        getattr(cells, distances)
    emulated_gpu.waits.clear()
    features.families()[family].measure(cells)
    assert len(emulated_gpu.waits) <= WAITS.get(family, 0), emulated_gpu.waits
