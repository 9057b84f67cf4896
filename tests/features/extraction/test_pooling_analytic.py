"""Pooling against pandas and plain NumPy, field by field."""

import numpy as np
import pandas as pd
import pytest

from features.extraction.pooling import pool
from store.matrix import POOLS, pooled_columns


@pytest.fixture
def cells(rng):
    values = rng.normal(100, 5, (300, 7)).astype(np.float32)
    values[rng.random(values.shape) < 0.2] = np.nan
    field = rng.integers(0, 12, 300)
    field[field == 5] = 6
    values[field == 3, 2] = np.nan
    return values, field


def test_mean_and_sd_are_those_of_pandas(cells):
    values, field = cells
    grouped = pd.DataFrame(values.astype(np.float64)).groupby(field)
    pooled = pool(values, field, 12)
    np.testing.assert_allclose(pooled[:, :7], grouped.mean().reindex(range(12)), rtol=1e-6)
    np.testing.assert_allclose(pooled[:, 7:14], grouped.std().reindex(range(12)), rtol=1e-5)


def test_top_is_the_mean_of_the_highest_tenth(cells):
    values, field = cells
    tops = pool(values, field, 12, ["top"])
    for f in range(12):
        for j in range(7):
            known = np.sort(values[field == f, j].astype(np.float64))[::-1]
            known = known[~np.isnan(known)]
            n_top = -(-len(known) // 10)
            np.testing.assert_allclose(tops[f, j], known[:n_top].mean() if n_top else np.nan, rtol=1e-6)


def test_a_field_without_cells_and_one_with_a_single_cell():
    pooled = pool(np.array([[2.0]], np.float32), np.array([1]), 2)
    assert np.isnan(pooled[0]).all()
    np.testing.assert_array_equal(pooled[1], [2.0, np.nan, 2.0, 2.0])


def test_order_of_cells_does_not_matter(cells, rng):
    values, field = cells
    order = rng.permutation(len(field))
    np.testing.assert_allclose(pool(values[order], field[order], 12), pool(values, field, 12), rtol=1e-6)


def test_large_offsets_keep_their_spread():
    values = np.array([[1e6], [1e6 + 1], [1e6 + 2]], np.float32)
    assert pool(values, np.zeros(3, int), 1, ["sd"])[0, 0] == 1.0


def test_columns_fit_the_matrix(cells):
    values, field = cells
    columns = pd.DataFrame({"name": [f"Cells_Texture_F{j}" for j in range(7)], "family": "Texture"})
    described = pooled_columns(columns, ["top", "mean"])
    assert len(described) == pool(values, field, 12, ["top", "mean"]).shape[1]
    assert described["name"][0] == "Cells_Texture_F0_top"
    assert described["pool"][7] == "mean"
    assert (described["family"] == "Texture").all()


def test_unknown_pools_and_misfits_are_refused(cells):
    values, field = cells
    with pytest.raises(ValueError, match="unknown pool 'mode'; there are " + ", ".join(POOLS)):
        pool(values, field, 12, ["mode"])
    with pytest.raises(ValueError, match="do not fit"):
        pool(values, field[:-1], 12)


def test_mass_is_the_weighted_mean_of_the_cells_that_have_the_value(cells, rng):
    values, field = cells
    mass = rng.uniform(0.1, 50, len(values)).astype(np.float32)
    pooled = pool(values, field, 12, ["mass"], mass)
    for f in range(12):
        for j in range(7):
            known = (field == f) & ~np.isnan(values[:, j])
            expected = np.average(values[known, j].astype(np.float64), weights=mass[known]) if known.any() else np.nan
            np.testing.assert_allclose(pooled[f, j], expected, rtol=1e-6)
    np.testing.assert_allclose(pool(values, field, 12, ["mass"]), pool(values, field, 12, ["mean"]), rtol=1e-6)
