"""Sums by distance on a GPU emulated on the CPU, where bands begin on whole pixels and landmarks reach far."""

import cuda_on_cpu
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal


@pytest.mark.parametrize("downwards", [False, True])
def test_bands_begin_at_their_edge(painted, emulated, downwards, monkeypatch):
    monkeypatch.setattr(cuda_on_cpu.HostProgram, "downwards", downwards)
    region = painted.regions["Cells"]
    edges = np.tile(np.float32([1, 2, 5]), (painted.n, 1))
    edges[3] = np.nan
    values = tuple(painted.pixels[:, k].ravel()[region.positions] for k in (1, 0, 3))
    given = (region.offsets, region.positions, painted.distance_to_cell_border.ravel(), edges)
    ours = painted.device.kernels.proximity.band_sums(values, *given, np.empty(0))
    theirs = emulated.kernels.proximity.band_sums(
        tuple(map(emulated.put, values)), *map(emulated.put, given), np.empty(0)
    )
    assert_array_equal(emulated.get(theirs), ours)


@pytest.mark.parametrize("downwards", [False, True])
@pytest.mark.parametrize("reach", [1, 4, 130])
@pytest.mark.parametrize("labels", ["Cells", "Cytoplasm"])
def test_distances_to_bright_pixels(painted, emulated, labels, reach, downwards, monkeypatch):
    monkeypatch.setattr(cuda_on_cpu.HostProgram, "downwards", downwards)
    planes = np.ascontiguousarray(painted.pixels[:, [1, 0, 3]])
    planes[0, 0, :40] = 7  # no bright pixel for many rows
    edges = np.tile(np.float32([1e-3, 2, 5]), (painted.n, 1))
    where = (painted.field, painted.boxes, painted.labels(labels), edges, np.full(painted.n, reach, np.float32))
    ours = painted.device.kernels.landmarks.bright_sums(planes, 0, 0.02, *where)
    theirs = emulated.kernels.landmarks.bright_sums(emulated.put(planes), 0, 0.02, *map(emulated.put, where))
    assert_array_equal(emulated.get(theirs[0]), ours[0])
    assert_allclose(emulated.get(theirs[1]), ours[1], rtol=1e-12)
