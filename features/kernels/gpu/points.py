"""Twins of the CPU's sums over points grouped by cell, of the two highest and of their distances."""

import numpy as np

from features.kernels.gpu._cuda import launch, namespace

_THREADS = 64  # few points a cell


def sums(values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """See the CPU twin. Adds up in an order of its own, always the same."""
    xp, (n_values, n_points), n = namespace(values), values.shape, len(offsets) - 1
    out = xp.empty((n_values, n))
    launch("points", "sums", n_values * n, _THREADS, xp.ascontiguousarray(values), n_points, offsets, n, out)
    return out


def two_highest(values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """See the CPU twin."""
    xp, n = namespace(values), len(offsets) - 1
    out = xp.empty((2, n), np.int64)
    launch("points", "two_highest", n, _THREADS, xp.ascontiguousarray(values), offsets, n, out)
    return out


def nearest_distances(y: np.ndarray, x: np.ndarray, kept: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """See the CPU twin."""
    out = namespace(y).empty(len(y))
    launch("points", "nearest_distances", len(offsets) - 1, _THREADS, y, x, kept, offsets, out)
    return out
