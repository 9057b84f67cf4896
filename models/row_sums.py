"""Weighted sums whose last bits do not depend on which rows stand beside a row.

A matrix product's do: it adds in another order at the edge of a block of rows, or for a row alone (and einsum where a
row is longer than its buffer). A field would then get one probability alone and another, a few units in the last place
away, among others.
"""

import numpy as np


def row_sums(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum of values x weights over the last axis: the same bits for a row alone and among any others.

    Parameters
    ----------
    values : ndarray of float, shape (..., m)
    weights : ndarray of float, shape (m,), or (n, m) to broadcast with `values`

    Returns
    -------
    ndarray of float, the broadcast shape without the last axis
    """
    return np.ascontiguousarray(values * weights).sum(-1)
