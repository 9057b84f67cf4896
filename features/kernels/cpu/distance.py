"""Exact Euclidean distance transforms of label images.

There are two passes, along the columns and along the rows. The squared distance of a pixel is the least of
(x - u)^2 + g(u)^2 over the columns u of its row, where g is the distance within column u. Every pixel has a cell border
near it, so columns are compared at growing offset, 8 to 32 pixels at a time. Sources, such as nuclei, can be far away:
only columns that hold a source are compared, or, where these are many, the lower envelope of the parabolas is used.
Squares are whole numbers in 16 bits up to distances of 176 px, else in float32, exact to 4,096 px.

References
----------
Meijster, Roerdink and Hesselink 2000, "A general algorithm for computing distance transforms in linear time".
Felzenszwalb and Huttenlocher 2012, "Distance transforms of sampled functions", Theory of Computing 8.
"""

import numpy as np

from features.kernels.cpu._jit import Float, Int, helper, inlined, kernel

_FAR = np.float32(1e6)  # further than any pixel of a cell
_ONE = np.float32(1)
_STEP = 32  # px that are compared at once,
_AT_ONCE = 4  # at so many offsets
_WIDEST = 512  # px: where sources are in more columns the envelope is faster
_SHORT = 176  # px: up to 4 px beyond, 16 bits hold the sum of this square and one of `_BEYOND`
_BEYOND = 181  # px: a distance within a column from here on changes nothing up to there


@helper
def _lower(squares: np.ndarray, own: np.ndarray, at: Int, k: Int, n: Int) -> None:
    """Lower n squares, and up to 31 more, to the least of own[at + x +- j], plus j^2, for j from k to k + 3.

    In whole steps of 32, so that the compiler's vectors leave no rest to do one by one.
    """
    kind, size = squares.dtype.type, (n + _STEP - 1) // _STEP * _STEP
    here = squares[:size]
    left, left_1, left_2, left_3 = own[at - k :], own[at - k - 1 :], own[at - k - 2 :], own[at - k - 3 :]
    right, right_1, right_2, right_3 = own[at + k :], own[at + k + 1 :], own[at + k + 2 :], own[at + k + 3 :]
    square, square_1 = kind(k * k), kind((k + 1) * (k + 1))
    square_2, square_3 = kind((k + 2) * (k + 2)), kind((k + 3) * (k + 3))
    for x in range(size):
        one, other = kind(min(left[x], right[x]) + square), kind(min(left_1[x], right_1[x]) + square_1)
        third, fourth = kind(min(left_2[x], right_2[x]) + square_2), kind(min(left_3[x], right_3[x]) + square_3)
        here[x] = min(here[x], min(min(one, other), min(third, fourth)))


@helper
def _furthest_in_run(columns: np.ndarray) -> Int:
    """No pixel of a run is further from its ends, or from another label in its column, than this."""
    furthest = np.int32(0)
    for x in range(columns.size):
        to_end = np.int32(min(x + 1, columns.size - x))
        furthest = max(furthest, min(to_end, np.int32(columns[x])))
    return furthest


@helper
def _run_to_ends(
    columns: np.ndarray, furthest: Int, beyond: Int, own: np.ndarray, squares: np.ndarray, out: np.ndarray
) -> None:
    """Distances in one run of equal labels in a row, whose both ends are borders.

    A column k pixels away lowers only pixels further than k from both ends, so what lies in `own` beyond the ends does
    not matter. Steps begin at the same pixels for each k: what was just written is read back at once only as a whole.
    """
    n, kind, inner = columns.size, squares.dtype.type, own[_STEP:]
    for x in range(n):
        column, to_end = min(np.int32(columns[x]), np.int32(beyond)), np.int32(min(x + 1, n - x))
        nearest = min(column, to_end)
        inner[x] = kind(column * column)
        squares[x] = kind(nearest * nearest)
    for k in range(1, furthest, _AT_ONCE):
        first = k // _STEP * _STEP
        _lower(squares[first:], own, _STEP + first, k, n - k - first)
    for x in range(n):
        out[x] = np.sqrt(np.float32(squares[x]))


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
    out, columns = np.zeros(labels.shape, np.float32), np.empty((height, width), np.uint16)
    near, far = (np.zeros((2, width + 3 * _STEP), kind) for kind in (np.uint16, np.float32))
    ends, rows = np.zeros(-(-width // 8) * 8, np.uint8), np.empty((2, width), np.uint16)
    _to_border(labels, columns, rows, near, far, ends, ends.view(np.uint64), out)
    return out


@kernel
def _to_border(
    labels: np.ndarray, columns: np.ndarray, rows: np.ndarray, near: np.ndarray, far: np.ndarray, ends: np.ndarray,
    words: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    """Run by run of equal labels. `ends` marks the last pixel of each run; most words of eight pixels hold no mark."""
    n_fields, height, width = labels.shape
    for f in range(n_fields):
        _columns_to_border(labels[f], columns, rows)
        for y in range(height):
            row, start = labels[f, y], 0
            for x in range(width - 1):
                ends[x] = row[x] != row[x + 1]
            ends[width - 1] = 1
            for k in range(words.size):
                if words[k] == 0:
                    continue
                for x in range(8 * k, 8 * k + 8):
                    if ends[x] == 0:
                        continue
                    if row[x]:
                        _distances_in_run(columns[y, start : x + 1], near, far, out[f, y, start : x + 1])
                    start = x + 1


@inlined
def _distances_in_run(columns: np.ndarray, near: np.ndarray, far: np.ndarray, out: np.ndarray) -> None:
    """Distances in one run, in 16 bits if the squares fit, else in float32."""
    furthest = _furthest_in_run(columns)
    if furthest <= _SHORT:
        _run_to_ends(columns, furthest, _BEYOND, near[0], near[1], out)
    else:
        _run_to_ends(columns, furthest, np.iinfo(np.uint16).max, far[0], far[1], out)


@helper
def _columns_to_border(labels: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> None:
    """Distance to the nearest other label within each column; uint16, shape (H, W).

    Labels are compared in loops of their own: one loop over 32-bit labels and 16-bit counts is not vectorised.
    """
    height, width = labels.shape
    one = np.uint16(1)
    for x in range(width):
        columns[0, x] = rows[0, x] = one
    for y in range(1, height):
        here, above, before, now, same = labels[y], labels[y - 1], columns[y - 1], columns[y], rows[1]
        for x in range(width):
            same[x] = np.uint16(here[x] == above[x])
        for x in range(width):
            now[x] = np.uint16(before[x] * same[x]) + one
    for x in range(width):
        columns[height - 1, x] = one
    for k in range(1, height):
        y = height - 1 - k
        here, below, now, before, upwards = labels[y], labels[y + 1], columns[y], rows[(k + 1) % 2], rows[k % 2]
        for x in range(width):
            upwards[x] = np.uint16(here[x] == below[x])
        for x in range(width):
            upwards[x] = np.uint16(before[x] * upwards[x]) + one
        for x in range(width):
            now[x] = min(now[x], upwards[x])


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
        In px: pixels further from any source are given this distance.

    Returns
    -------
    ndarray of float32, shape (n_fields, H, W)
        In px, along the straight line (also across other cells); 0 in the sources, in the background and in cells
        without any source.
    """
    out, width = np.zeros(labels.shape, np.float32), labels.shape[2]
    columns, envelope = np.empty(labels.shape[1:], np.float32), np.empty((3, width), np.float32)
    steps = np.minimum(abs(np.arange(-width - _AT_ONCE, width + _STEP)), _BEYOND)
    own, squares = np.empty((2, width + _STEP), np.uint16)
    scratch = (columns, np.square(steps).astype(np.uint16), own, squares, envelope)
    _to_sources(sources, labels, field, boxes, reach, *scratch, out)
    return out


@kernel
def _to_sources(
    sources: np.ndarray, labels: np.ndarray, field: np.ndarray, boxes: np.ndarray, reach: np.ndarray,
    columns: np.ndarray, steps: np.ndarray, own: np.ndarray, squares: np.ndarray, envelope: np.ndarray,
    out: np.ndarray,
) -> None:  # fmt: skip
    """`steps[labels.shape[2] + _AT_ONCE + d]` is the square of d px, that of `_BEYOND` at most."""
    for i in range(field.size):
        top, left, bottom, right = boxes[i]
        window = labels[field[i], top:bottom, left:right]
        target = out[field[i], top:bottom, left:right]
        width = window.shape[1]
        first, last = _columns_to_sources(sources[field[i], top:bottom, left:right], i + 1, columns)
        near = max(first, width - 1 - last) <= _SHORT and last - first < _WIDEST
        for y in range(bottom - top if last >= 0 else 0):
            row, column = window[y], columns[y, :width]
            if near and _square_columns(column[first : last + 1], own) <= _SHORT:
                _compare_sources(own, last + 1 - first, steps, labels.shape[2] + _AT_ONCE - first, width, squares)
                if _write_near(squares, row, i + 1, reach[i], envelope[0], target[y]) < _SHORT:
                    continue
            _write_far(column, row, i + 1, reach[i], envelope, target[y])


@helper
def _columns_to_sources(sources: np.ndarray, label: Int, columns: np.ndarray) -> tuple[Int, Int]:
    """Fill in the distance to the nearest source within each column, at least _FAR where there is none.

    Returns the first and the last column with a source, -1 without any.
    """
    height, width = sources.shape
    label = np.int32(label)
    for x in range(width):
        columns[0, x] = np.float32(0) if sources[0, x] == label else _FAR
    for y in range(1, height):
        here, before, now = sources[y], columns[y - 1], columns[y]
        for x in range(width):
            now[x] = np.float32(0) if here[x] == label else before[x] + _ONE
    for y in range(height - 2, -1, -1):
        before, now = columns[y + 1], columns[y]
        for x in range(width):
            below = before[x] + _ONE
            now[x] = below if below < now[x] else now[x]
    first, last = 0, width - 1
    while last >= 0 and columns[0, last] >= _FAR:
        last -= 1
    while first < last and columns[0, first] >= _FAR:
        first += 1
    return first, last


@helper
def _square_columns(columns: np.ndarray, own: np.ndarray) -> Int:
    """Square the distances within the columns, and three more that change nothing; returns the least distance."""
    least, beyond = np.int32(_BEYOND), np.int32(_BEYOND)
    for u in range(columns.size):
        away = min(np.int32(columns[u]), beyond)
        own[u] = away * away
        least = min(least, away)
    for u in range(columns.size, columns.size + _AT_ONCE - 1):
        own[u] = beyond * beyond
    return least


@helper
def _compare_sources(
    own: np.ndarray, n: Int, steps: np.ndarray, start: Int, width: Int, squares: np.ndarray
) -> None:  # fmt: skip
    """The least squared distance of each pixel of a row over the n columns with sources, four of them at a time.

    The squared distance along the row from pixel x to the k-th of these columns is steps[start + x - k].
    Squares beyond that of _SHORT may be too small.
    """
    size = (width + _STEP - 1) // _STEP * _STEP
    for x in range(size):
        squares[x] = 65535
    for u in range(0, n, _AT_ONCE):
        at = np.int64(start - u)
        height, height_1, height_2, height_3 = own[u], own[u + 1], own[u + 2], own[u + 3]
        square, square_1, square_2, square_3 = steps[at:], steps[at - 1 :], steps[at - 2 :], steps[at - 3 :]
        for x in range(size):
            one, other = np.uint16(square[x] + height), np.uint16(square_1[x] + height_1)
            third, fourth = np.uint16(square_2[x] + height_2), np.uint16(square_3[x] + height_3)
            squares[x] = min(squares[x], min(min(one, other), min(third, fourth)))


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
def _write_near(
    squares: np.ndarray, row: np.ndarray, label: Int, reach: Float, roots: np.ndarray, out: np.ndarray
) -> Int:  # fmt: skip
    """Distances of a cell's pixels in a row from their squares; returns the largest, rounded down.

    The loops are apart because the compiler makes no vectors of one over 16-bit squares and 32-bit labels.
    """
    furthest, nothing, label = np.int32(0), np.int32(0), np.int32(label)
    for x in range(row.size):
        roots[x] = np.sqrt(np.float32(squares[x]))
    for x in range(row.size):
        furthest = max(furthest, np.int32(roots[x]) if row[x] == label else nothing)
    for x in range(row.size):
        distance = roots[x] if roots[x] < reach else reach
        out[x] = distance if row[x] == label else out[x]
    return furthest


@helper
def _write_far(
    columns: np.ndarray, row: np.ndarray, label: Int, reach: float, scratch: np.ndarray, out: np.ndarray
) -> None:
    """Distances of a cell's pixels in a row by the envelope."""
    at, height, start = scratch[0], scratch[1], scratch[2]
    n = _envelope(columns, at, height, start)
    j = 0
    for x in range(row.size):
        if row[x] == label:
            while j + 1 < n and start[j + 1] <= x:
                j += 1
            dx = x - at[j]
            out[x] = min(np.float32(np.sqrt(height[j] + dx * dx)), reach)
