"""Points grouped by cell: sums over them, the two highest, and how far apart they lie.

Cell i owns the points offsets[i]:offsets[i + 1].
"""

import numpy as np

from features.kernels.cpu._jit import kernel


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
    _sums(np.ascontiguousarray(values), offsets, out)
    return out


@kernel
def _sums(values: np.ndarray, offsets: np.ndarray, out: np.ndarray) -> None:
    for k in range(len(values)):
        for i in range(len(offsets) - 1):
            for point in range(offsets[i], offsets[i + 1]):
                out[k, i] += values[k, point]


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
    _two_highest(np.ascontiguousarray(values), offsets, out)
    return out


@kernel
def _two_highest(values: np.ndarray, offsets: np.ndarray, out: np.ndarray) -> None:
    for i in range(len(offsets) - 1):
        first, second = -1, -1
        for point in range(offsets[i], offsets[i + 1]):
            if first < 0 or values[point] > values[first]:
                first, second = point, first
            elif second < 0 or values[point] > values[second]:
                second = point
        out[0, i], out[1, i] = first, second


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
    y, x, kept = np.ascontiguousarray(y), np.ascontiguousarray(x), np.ascontiguousarray(kept)
    _nearest_distances(y, x, kept, offsets, np.empty(len(y), np.int64), out)
    return out


@kernel
def _nearest_distances(
    y: np.ndarray, x: np.ndarray, kept: np.ndarray, offsets: np.ndarray, mine: np.ndarray, out: np.ndarray
) -> None:
    for i in range(len(offsets) - 1):
        n = 0
        for point in range(offsets[i], offsets[i + 1]):
            if kept[point]:
                mine[n] = point
                n += 1
        for j in range(n):
            a, closest = mine[j], np.inf
            for k in range(n):
                b = mine[k]
                dy, dx = y[a] - y[b], x[a] - x[b]
                distance = dy * dy + dx * dx
                if a != b and distance < closest:
                    closest = distance
            if closest < np.inf:
                out[a] = np.sqrt(closest)
