"""Bright objects in packed crops of cells: a threshold for each cell, and the connected parts above it."""

import numpy as np

from features._kernels_cpu._jit import kernel

BINS = 256


@kernel
def thresholds(values: np.ndarray, parts: np.ndarray, starts: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Otsu's threshold of each cell's values (Otsu 1979), in 256 bins from the smallest to the largest.

    Parameters
    ----------
    values : ndarray of float32, shape (starts[-1],)
    parts : ndarray of uint8, shape (starts[-1],)
    starts : ndarray of int64, shape (n + 1,)
    wanted : ndarray of bool, shape (3,)
        Which parts count.

    Returns
    -------
    ndarray of float64, shape (n, 4)
        The threshold, the share of the variance that it explains, the mean, and the largest value; NaN where there
        are no pixels. In a flat cell nothing lies above the threshold, and nothing is explained.
    """
    out = np.full((len(starts) - 1, 4), np.nan)
    for i in range(len(out)):
        low, high, total, n = np.inf, -np.inf, 0.0, 0
        for at in range(starts[i], starts[i + 1]):
            if wanted[parts[at]]:
                low, high = min(low, values[at]), max(high, values[at])
                total += values[at]
                n += 1
        if n == 0:
            continue
        out[i, 0], out[i, 1], out[i, 2], out[i, 3] = high, np.nan, total / n, high
        if high - low <= 1e-5 * abs(high):
            continue
        histogram = np.zeros(BINS, np.int64)
        for at in range(starts[i], starts[i + 1]):
            if wanted[parts[at]]:
                histogram[min(BINS - 1, int((values[at] - low) / (high - low) * BINS))] += 1
        level, out[i, 1] = _otsu(histogram, n)
        out[i, 0] = low + (level + 1) * (high - low) / BINS
    return out


@kernel
def _otsu(histogram: np.ndarray, n: int) -> tuple[int, float]:
    """The last bin of the lower class, and the explained share of the variance."""
    mean, square = 0.0, 0.0
    for level in range(BINS):
        mean += histogram[level] * level / n
        square += histogram[level] * level * level / n
    best, at, weight, moment = 0.0, 0, 0.0, 0.0
    for level in range(BINS - 1):
        weight += histogram[level] / n
        moment += histogram[level] * level / n
        if 0 < weight < 1:
            between = (mean * weight - moment) ** 2 / (weight * (1 - weight))
            if between > best:
                best, at = between, level
    return at, best / (square - mean * mean)


@kernel
def find_objects(
    values: np.ndarray,
    parts: np.ndarray,
    starts: np.ndarray,
    boxes: np.ndarray,
    wanted: np.ndarray,
    level: np.ndarray,
    smallest: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Connected parts (8 neighbours) of each cell that lie above its level.

    Parameters
    ----------
    values, parts, starts, wanted
        As in `thresholds`.
    boxes : ndarray of int32, shape (n, 4)
    level : ndarray of float64, shape (n,)
        Nothing lies above NaN.
    smallest : ndarray of float64, shape (n,)
        Parts of fewer pixels are left out.

    Returns
    -------
    owner : ndarray of int64, shape (n_objects,)
        The cell, ascending.
    marks : ndarray of int32, shape (starts[-1],)
        1 + the object of each pixel, 0 elsewhere.
    euler : ndarray of int64, shape (n_objects,)
        1 minus the number of holes of each object.
    """
    marks = np.zeros(len(values), np.int32)
    owner, euler = np.empty(len(values), np.int64), np.empty(len(values), np.int64)
    found = 0
    for i in range(len(boxes)):
        height, width = boxes[i, 2] - boxes[i, 0], boxes[i, 3] - boxes[i, 1]
        part = parts[starts[i] : starts[i + 1]].reshape(height, width)
        value = values[starts[i] : starts[i + 1]].reshape(height, width)
        mark, least = np.zeros((height + 2, width + 2), np.int32), np.float32(level[i])
        for y in range(height):
            for x in range(width):
                mark[y + 1, x + 1] = -np.int32(wanted[part[y, x]] & (value[y, x] > least))
        first = found
        stack = np.empty((height * width, 2), np.int32)
        for y in range(1, height + 1):
            for x in range(1, width + 1):
                if mark[y, x] != -1:
                    continue
                size = _flood(mark, y, x, found + 1, stack)
                if size >= smallest[i]:
                    owner[found] = i
                    found += 1
                else:
                    for k in range(size):
                        mark[stack[k, 0], stack[k, 1]] = 0
        euler[first:found] = 0
        _count_quads(mark, euler)
        out = marks[starts[i] : starts[i + 1]].reshape(height, width)
        out[:] = mark[1:-1, 1:-1]
    return owner[:found].copy(), marks, euler[:found] // 4


@kernel
def _flood(mark: np.ndarray, y: int, x: int, name: int, stack: np.ndarray) -> int:
    """Name the part of -1 around a pixel; its pixels are left in the stack. Returns their number."""
    stack[0, 0], stack[0, 1] = y, x
    mark[y, x] = name
    done, size = 0, 1
    while done < size:
        y, x = stack[done, 0], stack[done, 1]
        done += 1
        for v in range(y - 1, y + 2):
            for u in range(x - 1, x + 2):
                if mark[v, u] == -1:
                    mark[v, u] = name
                    stack[size, 0], stack[size, 1] = v, u
                    size += 1
    return size


@kernel
def _count_quads(mark: np.ndarray, quads: np.ndarray) -> None:
    """Add four times the Euler number of each object (Gray 1971, 8 neighbours) from its 2 x 2 windows."""
    height, width = mark.shape
    for y in range(height - 1):
        upper, lower = mark[y], mark[y + 1]
        for x in range(width - 1):
            a, b, c, d = upper[x], upper[x + 1], lower[x], lower[x + 1]
            if a == b and c == d and a == c:
                continue
            name = max(max(a, b), max(c, d))
            total = (a == name) + (b == name) + (c == name) + (d == name)
            if total == 1:
                quads[name - 1] += 1
            elif total == 3:
                quads[name - 1] -= 1
            elif a == d:
                quads[name - 1] -= 2


@kernel
def object_sums(
    marks: np.ndarray,
    n_objects: int,
    values: np.ndarray,
    outside: np.ndarray,
    inside: np.ndarray,
    starts: np.ndarray,
    field: np.ndarray,
    boxes: np.ndarray,
) -> np.ndarray:
    """Sums over the pixels of each object.

    Parameters
    ----------
    marks, values, starts, boxes
        As in `find_objects`.
    n_objects : int
    outside, inside : ndarray of float32, shape (n_fields, H, W)
        Distances to the border of the nucleus.
    field : ndarray of int32, shape (n,)

    Returns
    -------
    ndarray of float64, shape (n_objects, 9)
        Sums of 1, y, x, yy, yx, xx (from the corner of the box), of the values, and of both distances.
    """
    sums = np.zeros((n_objects, 9))
    for i in range(len(boxes)):
        top, left, bottom, right = boxes[i]
        mark = marks[starts[i] : starts[i + 1]].reshape(bottom - top, right - left)
        value = values[starts[i] : starts[i + 1]].reshape(bottom - top, right - left)
        away, deep = outside[field[i]], inside[field[i]]
        for y in range(bottom - top):
            for x in range(right - left):
                k = mark[y, x] - 1
                if k < 0:
                    continue
                sums[k, 0] += 1
                sums[k, 1] += y
                sums[k, 2] += x
                sums[k, 3] += y * y
                sums[k, 4] += y * x
                sums[k, 5] += x * x
                sums[k, 6] += value[y, x]
                sums[k, 7] += away[top + y, left + x]
                sums[k, 8] += deep[top + y, left + x]
    return sums
