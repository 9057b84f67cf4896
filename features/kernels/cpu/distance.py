"""Exact Euclidean distance maps of labelled regions: count down the columns, then compare squares along the rows.

The squared distance of a pixel is the least of (x - u)^2 + g(u)^2 over the columns u of its row, where g is the
distance within column u. Towards a border (near, everywhere) it is found by comparing at growing offset, 8 or 16 pixels
at a time; towards a set of sources (far, on one side) by the envelope of the parabolas. Squares are whole numbers in
float32, exact to distances of 4,096 px.

References
----------
Meijster, Roerdink and Hesselink 2000, "A general algorithm for computing distance transforms in linear time".
Felzenszwalb and Huttenlocher 2012, "Distance transforms of sampled functions", Theory of Computing 8.
"""

import numpy as np

from features.kernels.cpu._jit import Int, helper, kernel

_FAR = np.float32(1e6)  # further than any pixel of a cell
_ONE = np.float32(1)
_STEP = 32  # px that are compared at once
_NEAR = 24  # up to here comparing is faster than the envelope


@helper
def _lower(squares: np.ndarray, own: np.ndarray, k: Int, n: Int) -> None:
    """Lower n squares, and up to 31 more, to the lesser of own[x] and own[x + 2 k], plus k^2.

    In whole steps of 32, so that the compiler's vectors leave no rest to do one by one.
    """
    square, size = np.float32(k * k), (n + _STEP - 1) // _STEP * _STEP
    left, right = own[:size], own[2 * k : 2 * k + size]
    for x in range(size):
        other = (left[x] if left[x] < right[x] else right[x]) + square
        squares[x] = other if other < squares[x] else squares[x]


@helper
def _run_to_ends(columns: np.ndarray, own: np.ndarray, squares: np.ndarray, out: np.ndarray) -> None:
    """Distances in one run of equal labels in a row, whose both ends are borders.

    A column k pixels away lowers only pixels further than k from both ends, so what lies in `own` beyond the ends does
    not matter. Steps begin at the same pixels for each k: what was just written is read back at once only as a whole.
    """
    n = columns.size
    bound = 0
    for x in range(n):
        to_end = min(x + 1, n - x)
        own[_STEP + x] = columns[x] * columns[x]
        squares[x] = min(np.float32(to_end * to_end), own[_STEP + x])
        bound = max(bound, min(to_end, int(columns[x])))
    for k in range(1, bound):
        first = k // _STEP * _STEP
        _lower(squares[first:], own[_STEP + first - k :], k, n - k - first)
    for x in range(n):
        out[x] = np.sqrt(squares[x])


def to_border(labels: np.ndarray) -> np.ndarray:
    """Distance of each labelled pixel to the nearest pixel of another label (background and outside included).

    Parameters
    ----------
    labels : ndarray of int32, shape (n_fields, H, W)
        0 is background.

    Returns
    -------
    ndarray of float32, shape (n_fields, H, W)
        In px: 1 in the outermost pixels of a region; 0 in the background.
    """
    _, height, width = labels.shape
    out = np.zeros(labels.shape, np.float32)
    own, squares = np.zeros((2, width + 2 * _STEP), np.float32)
    _to_border(labels, np.empty((height, width), np.float32), own, squares, out)
    return out


@kernel
def _to_border(labels: np.ndarray, columns: np.ndarray, own: np.ndarray, squares: np.ndarray, out: np.ndarray) -> None:
    n_fields, height, width = labels.shape
    for f in range(n_fields):
        _columns_to_border(labels[f], columns)
        for y in range(height):
            row = labels[f, y]
            start = 0
            while start < width:
                stop = start + 1
                while stop < width and row[stop] == row[start]:
                    stop += 1
                if row[start]:
                    _run_to_ends(columns[y, start:stop], own, squares, out[f, y, start:stop])
                start = stop


@helper
def _columns_to_border(labels: np.ndarray, columns: np.ndarray) -> None:
    """Distance to the nearest other label within each column; float32, shape (H, W)."""
    height, width = labels.shape
    for x in range(width):
        columns[0, x] = _ONE
    for y in range(1, height):
        here, above, before, now = labels[y], labels[y - 1], columns[y - 1], columns[y]
        for x in range(width):
            now[x] = before[x] + _ONE if here[x] == above[x] else _ONE
    for x in range(width):
        columns[height - 1, x] = _ONE
    for y in range(height - 2, -1, -1):
        here, below, before, now = labels[y], labels[y + 1], columns[y + 1], columns[y]
        for x in range(width):
            other = before[x] + _ONE if here[x] == below[x] else _ONE
            now[x] = other if other < now[x] else now[x]


def to_sources(
    sources: np.ndarray, labels: np.ndarray, field: np.ndarray, boxes: np.ndarray, reach: np.ndarray
) -> np.ndarray:
    """Distance of each pixel of a cell to the nearest source pixel of the same cell.

    Parameters
    ----------
    sources : ndarray of int32, shape (n_fields, H, W)
        The cell's label at its source pixels, anything else elsewhere; sources lie inside their cell.
    labels : ndarray of int32, shape (n_fields, H, W)
    field : ndarray of int32, shape (n,)
    boxes : ndarray of int32, shape (n, 4)
    reach : ndarray of float32, shape (n,)
        In px: pixels further from any source are given this distance. A short reach is faster.

    Returns
    -------
    ndarray of float32, shape (n_fields, H, W)
        In px, along the straight line (also across other cells); 0 in the sources, in the background and in cells
        without any source.
    """
    out = np.zeros(labels.shape, np.float32)
    columns = np.empty(labels.shape[1:], np.float32)
    scratch = np.empty((3, labels.shape[2] + 2 * _NEAR + _STEP), np.float32)
    _to_sources(sources, labels, field, boxes, reach, columns, scratch, out)
    return out


@kernel
def _to_sources(
    sources: np.ndarray, labels: np.ndarray, field: np.ndarray, boxes: np.ndarray, reach: np.ndarray,
    columns: np.ndarray, scratch: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    for i in range(field.size):
        top, left, bottom, right = boxes[i]
        window = labels[field[i], top:bottom, left:right]
        target = out[field[i], top:bottom, left:right]
        if _columns_to_sources(sources[field[i], top:bottom, left:right], i + 1, columns):
            for y in range(bottom - top):
                _row_to_sources(columns[y, : right - left], window[y], i + 1, reach[i], scratch, target[y])


@helper
def _columns_to_sources(sources: np.ndarray, label: Int, columns: np.ndarray) -> bool:
    """Distance to the nearest source within each column, at least _FAR where there is none; whether there is any."""
    height, width = sources.shape
    label = np.int32(label)
    found = False
    for x in range(width):
        columns[0, x] = np.float32(0) if sources[0, x] == label else _FAR
        found |= sources[0, x] == label
    for y in range(1, height):
        here, before, now = sources[y], columns[y - 1], columns[y]
        for x in range(width):
            now[x] = np.float32(0) if here[x] == label else before[x] + _ONE
            found |= here[x] == label
    for y in range(height - 2, -1, -1):
        before, now = columns[y + 1], columns[y]
        for x in range(width):
            below = before[x] + _ONE
            now[x] = below if below < now[x] else now[x]
    return found


@helper
def _envelope(columns: np.ndarray, at: np.ndarray, height: np.ndarray, start: np.ndarray) -> int:
    """The lower envelope of the parabolas height + (x - at)^2 of a row; parabola j is lowest from start[j] on.

    Returns the number of parabolas.
    """
    n = -1
    for x in range(columns.size):
        if columns[x] >= _FAR:
            continue
        square = columns[x] * columns[x]
        crossing = -1.0
        while n >= 0:
            u = float(at[n])
            crossing = (float(square) - float(height[n]) + x * x - u * u) / (2 * (x - u))
            if crossing > start[n]:
                break
            n -= 1
        n += 1
        at[n] = x
        height[n] = square
        start[n] = crossing if n else -1.0
    return n + 1


@helper
def _row_to_sources(
    columns: np.ndarray, row: np.ndarray, label: int, reach: float, scratch: np.ndarray, out: np.ndarray
) -> None:
    """Distances in one row of a cell's window: by comparing where all sources are near, else by the envelope."""
    furthest = np.int32(0)  # the largest of whole numbers is found in vectors, of floats one after the other
    for x in range(row.size):
        furthest = max(furthest, np.int32(columns[x]) if row[x] == label else np.int32(0))
    bound = min(np.float32(furthest), reach)
    if bound <= _NEAR:
        own, squares, reached = scratch[0], scratch[1], int(bound)
        for x in range(reached):
            own[x] = own[reached + row.size + x] = _FAR
        for x in range(row.size):
            own[reached + x] = squares[x] = columns[x] * columns[x]
        for k in range(1, reached + 1):
            _lower(squares, own[reached - k :], k, row.size)
        for x in range(row.size):
            distance = np.sqrt(squares[x])
            distance = distance if distance < reach else reach
            out[x] = distance if row[x] == label else out[x]
        return
    at, height, start = scratch[0], scratch[1], scratch[2]
    n = _envelope(columns, at, height, start)
    j = 0
    for x in range(row.size):
        if row[x] == label:
            while j + 1 < n and start[j + 1] <= x:
                j += 1
            dx = x - at[j]
            out[x] = min(np.float32(np.sqrt(height[j] + dx * dx)), reach)
