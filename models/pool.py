"""From cells to fields: each feature's mean, spread and top over the cells of a field.

Labels are per field, features per cell. The mean says what most cells show; the spread tells uneven fields; the top
(the mean of the few highest cells) keeps what shows in one or two cells only, such as spindles and bridges.
"""

from collections.abc import Sequence

import numba
import numpy as np
import pandas as pd

POOLS: tuple[str, ...] = ("mean", "sd", "top")
"""The pools in the order of the pooled columns: all means, then all standard deviations, then all tops."""

TOP_SHARE = 0.1
"""The top is the mean over this share of a field's cells, rounded up: one cell of up to 10, two of up to 20, ..."""


def pool(values: np.ndarray, field_index: np.ndarray, n_fields: int, pools: Sequence[str] = POOLS) -> np.ndarray:
    """Pool the cells of each field.

    Parameters
    ----------
    values : ndarray of float32, shape (n_cells, n_features)
        NaN where a value does not exist; such cells do not count for that feature.
    field_index : ndarray of int, shape (n_cells,)
        The field of each cell, from 0; in any order.
    n_fields : int
        Fields, also those without a cell.
    pools : sequence of str
        Which pools, from `POOLS`.

    Returns
    -------
    ndarray of float32, shape (n_fields, len(pools) * n_features)
        One block of columns a pool. NaN where no cell has the value, and for the standard deviation (n - 1 in the
        denominator) where fewer than two have it.

    Raises
    ------
    ValueError
        If a pool is unknown or the shapes do not fit.
    """
    unknown = [name for name in pools if name not in POOLS]
    if unknown:
        raise ValueError(f"unknown pool {unknown[0]!r}; there are {', '.join(POOLS)}")
    if values.ndim != 2 or field_index.shape != (len(values),):
        raise ValueError(f"values {values.shape} and field_index {field_index.shape} do not fit")
    order = np.argsort(field_index, kind="stable")
    starts = np.searchsorted(field_index[order], np.arange(n_fields + 1))
    blocks = np.full((len(pools), n_fields, values.shape[1]), np.nan, np.float32)
    wanted = np.array([POOLS.index(name) for name in pools], np.int64)
    _pool_sorted(np.ascontiguousarray(values, np.float32), order, starts, wanted, TOP_SHARE, blocks)
    return np.concatenate(blocks, axis=1)


def pooled_columns(columns: pd.DataFrame, pools: Sequence[str] = POOLS) -> pd.DataFrame:
    """Describe the pooled matrix's columns.

    Parameters
    ----------
    columns : DataFrame
        One row a cell feature, with at least `name`.
    pools : sequence of str
        As given to `pool`.

    Returns
    -------
    DataFrame
        One row a pooled column, in the order of `pool`: the same fields, `name` with the pool behind, and `pool`.
    """
    blocks = [columns.assign(name=columns["name"] + f"_{name}", pool=name) for name in pools]
    return pd.concat(blocks, ignore_index=True)


@numba.njit(cache=True, nogil=True)
def _pool_sorted(values, order, starts, wanted, top_share, blocks):
    """Fill a block for each wanted pool; cells of field f are order[starts[f]:starts[f + 1]]."""
    column = np.empty(len(order), np.float64)
    for f in range(len(starts) - 1):
        for j in range(values.shape[1]):
            n = 0
            total = 0.0
            for i in range(starts[f], starts[f + 1]):
                value = values[order[i], j]
                if not np.isnan(value):
                    column[n] = value
                    total += value
                    n += 1
            if n == 0:
                continue
            for b in range(len(wanted)):
                if wanted[b] == 0:
                    blocks[b, f, j] = total / n
                elif wanted[b] == 1:
                    blocks[b, f, j] = _spread(column[:n], total / n)
                else:
                    blocks[b, f, j] = _mean_of_top(column[:n], int(np.ceil(top_share * n - 1e-9)))


@numba.njit(cache=True, nogil=True)
def _spread(column, mean):
    """Standard deviation about the mean, n - 1 in the denominator; NaN of fewer than two values."""
    if len(column) < 2:
        return np.nan
    squares = 0.0
    for value in column:
        squares += (value - mean) ** 2
    return np.sqrt(squares / (len(column) - 1))


@numba.njit(cache=True, nogil=True)
def _mean_of_top(column, n_top):
    """Mean of the n_top largest values; reorders the column."""
    total = 0.0
    for k in range(n_top):
        best = k
        for i in range(k + 1, len(column)):
            if column[i] > column[best]:
                best = i
        column[k], column[best] = column[best], column[k]
        total += column[k]
    return total / n_top
