"""Points grouped by cell: sums over them, the two highest, and how far apart they lie.

Cell i owns the points offsets[i]:offsets[i + 1].
"""

import numpy as np

from features.kernels.cpu._jit import kernel


@kernel
def sums(values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Sum of several values over the points of each cell.

    Parameters
    ----------
    values : ndarray of float64, shape (n_values, n_points)
    offsets : ndarray of int64, shape (n + 1,)

    Returns
    -------
    ndarray of float64, shape (n_values, n)
    """
    out = np.zeros((len(values), len(offsets) - 1))
    for k in range(len(values)):
        for i in range(len(offsets) - 1):
            for point in range(offsets[i], offsets[i + 1]):
                out[k, i] += values[k, point]
    return out


@kernel
def two_highest(values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """The two points of each cell with the largest values; of equal ones the first comes first.

    Parameters
    ----------
    values : ndarray of float64, shape (n_points,)
    offsets : ndarray of int64, shape (n + 1,)

    Returns
    -------
    ndarray of int64, shape (2, n)
        -1 where there is none.
    """
    out = np.full((2, len(offsets) - 1), -1, np.int64)
    for i in range(len(offsets) - 1):
        first, second = -1, -1
        for point in range(offsets[i], offsets[i + 1]):
            if first < 0 or values[point] > values[first]:
                first, second = point, first
            elif second < 0 or values[point] > values[second]:
                second = point
        out[0, i], out[1, i] = first, second
    return out


@kernel
def nearest_distances(y: np.ndarray, x: np.ndarray, kept: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Distance of each kept point to the nearest other kept one of its cell.

    Parameters
    ----------
    y, x : ndarray of int64, shape (n_points,)
    kept : ndarray of bool, shape (n_points,)
    offsets : ndarray of int64, shape (n + 1,)

    Returns
    -------
    ndarray of float64, shape (n_points,)
        NaN where a point is alone or not kept.
    """
    out = np.full(len(y), np.nan)
    mine = np.empty(len(y), np.int64)
    for i in range(len(offsets) - 1):
        n = 0
        for point in range(offsets[i], offsets[i + 1]):
            if kept[point]:
                mine[n] = point
                n += 1
        for a in mine[:n]:
            closest = np.inf
            for b in mine[:n]:
                distance = (y[a] - y[b]) ** 2 + (x[a] - x[b]) ** 2
                if a != b and distance < closest:
                    closest = distance
            if closest < np.inf:
                out[a] = np.sqrt(closest)
    return out
