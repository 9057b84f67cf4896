"""Costes' automatic thresholds of two channels: all candidates from one pass over the pixels.

A pixel is foreground at a candidate t (of 0..255) if x >= t M / 255 and y >= a t M / 255 + b, where y = a x + b is the
orthogonal regression line and M the larger maximum. On a rising line that holds up to some last t, so a pixel's moments
enter a table of candidates there, and running sums give the background's moments at every candidate. The search among
them is CellProfiler's bisection (mode "Faster").
"""

import numpy as np

from features.kernels.cpu._jit import helper, kernel

_TOP = 255
_EPSILON = float(np.finfo(np.float64).eps)


def costes(x: np.ndarray, y: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Share of each channel's foreground mass that lies in the foreground of both.

    Parameters
    ----------
    x, y : ndarray of uint8 or uint16, shape (n_values,)
        Two channels at the pixels of a region, grouped by cell.
    offsets : ndarray of int64, shape (n + 1,)

    Returns
    -------
    ndarray of float64, shape (n, 2)
        Of x, of y. NaN where the line does not rise, or the search or a denominator is undefined.
    """
    out = np.full((len(offsets) - 1, 2), np.nan)
    last = np.empty(np.diff(offsets).max(initial=0), np.int32)
    _costes(x, y, offsets, last, np.empty((_TOP + 2, 6)), out)
    return out


@kernel
def _costes(
    x: np.ndarray, y: np.ndarray, offsets: np.ndarray, last: np.ndarray, moments: np.ndarray, out: np.ndarray
) -> None:
    for i in range(len(out)):
        first, second = x[offsets[i] : offsets[i + 1]], y[offsets[i] : offsets[i + 1]]
        if first.size < 3:
            continue
        slope, intercept = _line(first, second)
        if np.isnan(slope):
            continue
        largest = np.int64(0)
        for j in range(first.size):
            largest = max(largest, max(np.int64(first[j]), np.int64(second[j])))
        unit = largest / _TOP
        _tabulate(first, second, slope, intercept, unit, last, moments)
        step = _bisect(moments)
        if step >= 0:
            out[i, 0], out[i, 1] = _shares(first, second, step * unit, slope * step * unit + intercept)


@helper
def _line(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Slope and intercept of the orthogonal regression over the pixels not black in both; NaN if it does not rise."""
    n, sx, sy, sxx, syy, sxy = 0, 0, 0, 0, 0, 0
    for j in range(x.size):
        a, b = np.int64(x[j]), np.int64(y[j])
        n += (a | b) > 0
        sx += a
        sy += b
        sxx += a * a
        syy += b * b
        sxy += a * b
    if n < 3:
        return np.nan, np.nan
    var_x, var_y = sxx - float(sx) * sx / n, syy - float(sy) * sy / n
    covariance = sxy - float(sx) * sy / n
    flat = min(var_x / max(sxx, 1), var_y / max(syy, 1)) <= 1e-13
    if flat or covariance <= 8 * _EPSILON * max(var_x, var_y):
        return np.nan, np.nan
    difference = var_y - var_x
    slope = (difference + np.sqrt(difference * difference + 4 * covariance * covariance)) / (2 * covariance)
    return slope, sy / n - slope * sx / n


@helper
def _tabulate(
    x: np.ndarray, y: np.ndarray, slope: float, intercept: float, unit: float, last: np.ndarray, moments: np.ndarray
) -> None:
    """Moments (1, x, y, xx, yy, xy) of the background at each candidate t in row t; of all pixels in the last row."""
    per_step = 1 / (slope * unit)
    for j in range(x.size):
        bound = min(np.float64(x[j]) / unit, (np.float64(y[j]) - intercept) * per_step)
        last[j] = np.int32(np.floor(min(max(bound, -1.0), float(_TOP)) + 1e-10))
    for t in range(_TOP + 2):
        for k in range(6):
            moments[t, k] = 0
    for j in range(x.size):
        t, a, b = np.uint64(last[j] + 1), np.float64(x[j]), np.float64(y[j])
        moments[t, 0] += 1
        moments[t, 1] += a
        moments[t, 2] += b
        moments[t, 3] += a * a
        moments[t, 4] += b * b
        moments[t, 5] += a * b
    for t in range(_TOP + 1):
        for k in range(6):
            moments[t + 1, k] += moments[t, k]


@helper
def _correlation(row: np.ndarray) -> float:
    """Pearson's correlation from moments; NaN for fewer than three pixels or a constant channel."""
    n = row[0]
    var_x, var_y = n * row[3] - row[1] * row[1], n * row[4] - row[2] * row[2]
    if n < 3 or var_x <= 1e-13 * n * row[3] or var_y <= 1e-13 * n * row[4]:
        return np.nan
    return (n * row[5] - row[1] * row[2]) / np.sqrt(var_x * var_y)


@helper
def _bisect(moments: np.ndarray) -> int:
    """The candidate that CellProfiler's shrinking window ends at, or -1."""
    left, right = 1.0, float(_TOP)
    middle = (right - left) // (6 / 5) + left
    previous, valid = 0.0, -1
    for _ in range(256):
        if middle == previous:
            break
        correlation = _correlation(moments[int(middle)])
        if np.isnan(correlation) or correlation < 0:
            left = middle - 1
        else:
            right = middle + 1
            valid = int(middle)
        previous = middle
        middle = (right - left) // (6 / 5 if right - left > 6 else 2.0) + left
    if valid < 1 or np.isnan(_correlation(moments[valid - 1])):
        return -1
    return valid - 1


@helper
def _shares(x: np.ndarray, y: np.ndarray, above_x: float, above_y: float) -> tuple[float, float]:
    both_x, both_y, all_x, all_y = 0, 0, 0, 0
    for j in range(x.size):
        a, b = np.int64(x[j]), np.int64(y[j])
        both = (a > above_x + 1e-9) & (b > above_y)
        both_x += a if both else 0
        both_y += b if both else 0
        all_x += a if a >= above_x - 1e-9 else 0
        all_y += b if b >= above_y else 0
    if all_x <= 0 or all_y <= 0:
        return np.nan, np.nan
    return both_x / all_x, both_y / all_y
