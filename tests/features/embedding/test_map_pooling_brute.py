"""Pooling of maps under cells against sums over single pixels, and its twin for GPUs."""

import cuda_on_cpu
import numpy as np
import pytest

from features.embedding.embedding import map_box_starts
from features.embedding.field_maps import map_places


def pooled_by_pixels(plane, weights, mask, rows, columns):
    """Mean and sd of the map's values at the pixels of a mask, each pixel by its weight."""
    y, x = np.nonzero(mask)
    values, weight = plane[rows[y], columns[x]].astype(np.float64), weights[y, x].astype(np.float64)
    mean = np.average(values, weights=weight)
    return mean, np.sqrt(np.average((values - mean) ** 2, weights=weight))


def given_for(cells, rng, step):
    """The kernel's arguments for a map of random numbers whose pixels are `step` wide."""
    n_fields, height, width = cells.cell_labels.shape
    shape = (int(np.ceil(height / step)), int(np.ceil(width / step)))
    maps = rng.normal(3, 2, (n_fields, *shape, 5)).astype(np.float32)
    weights = rng.integers(1, 10_001, cells.cell_labels.shape).astype(np.uint16)
    places = [map_places(n, n_map, step) for n, n_map in zip((height, width), shape, strict=True)]
    ids = np.arange(1, cells.n + 1, dtype=np.int32)
    starts = map_box_starts(cells.boxes, *places, np)
    return maps, weights, cells.cell_labels, ids, cells.field, cells.boxes, starts, int(starts[-1]), *places


@pytest.mark.parametrize("step", [0.5, 1, 3.5, 4, 16])
def test_a_map_pixel_counts_by_the_cells_pixels_in_it(painted, rng, step):
    given = given_for(painted, rng, step)
    maps, weights, labels, *_, rows, columns = given
    found = painted.device.kernels.map_pooling.pool_maps(*given)
    assert found.dtype == np.float32
    for i, field in enumerate(painted.field):
        for c in range(maps.shape[3]):
            expected = pooled_by_pixels(maps[field, :, :, c], weights[field], labels[field] == i + 1, rows, columns)
            np.testing.assert_allclose(found[i, :, c], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("downwards", [False, True])
def test_the_gpus_twin_gives_the_same(painted, emulated, rng, downwards, monkeypatch):
    monkeypatch.setattr(cuda_on_cpu.HostProgram, "downwards", downwards)
    given = given_for(painted, rng, 4)
    ours = painted.device.kernels.map_pooling.pool_maps(*given)
    there = [emulated.put(one) if isinstance(one, np.ndarray) else one for one in given]
    np.testing.assert_allclose(emulated.get(emulated.kernels.map_pooling.pool_maps(*there)), ours, rtol=1e-6)


def test_places_cover_the_map_evenly():
    assert map_places(10, 3, 4).tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2]
    assert map_places(6, 12, 0.5).tolist() == [1, 3, 5, 7, 9, 11]
    assert map_places(9, 2, 4).tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1], "pixels beyond the map count with its last"
