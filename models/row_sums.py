"""Weighted sums over a row whose last bits do not depend on the other rows.

A matrix product adds in a different order at the edge of a block of rows or for a single row (and so does einsum for
rows longer than its buffer). A field predicted alone would then get a slightly different probability than among others.
"""

import numpy as np


def row_sums(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum of values x weights over the last axis, bit-identical for a row alone or among others.

    Parameters
    ----------
    values : ndarray of float, shape (..., m)
    weights : ndarray of float, shape (m,), or (n, m) to broadcast with `values`

    Returns
    -------
    ndarray of float, the broadcast shape without the last axis
    """
    return np.ascontiguousarray(values * weights).sum(-1)
