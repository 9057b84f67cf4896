"""Bright objects in packed crops of cells: thresholds for each cell, and the connected parts above them."""

import numpy as np

from features.kernels.cpu._jit import Float, Int, helper, kernel, sum_helper

BINS = 256
_FIRST, _LAST, _PARENT, _AREA, _EULER, _OBJECT, _N_FACTS = range(7)  # what is known of a run; its part's, in the root


def thresholds(values: np.ndarray, parts: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Otsu's threshold of each cell's values (Otsu 1979), in 256 bins from the smallest to the largest.

    Parameters
    ----------
    values : ndarray of float32, shape (starts[-1],)
    parts : ndarray of uint8, shape (starts[-1],)
        0 outside the cell, 1 in the cytoplasm, 2 in the nucleus.
    starts : ndarray of int64, shape (n + 1,)

    Returns
    -------
    ndarray of float64, shape (4, n, 4)
        Of cytoplasm (1), nucleus (2) and both (3), the sum of the parts' numbers; 0 is empty. The threshold, the share
        of the variance that it explains, the mean, and the largest value; NaN where there are no pixels. In a flat
        cell nothing lies above the threshold, and nothing is explained.
    """
    out, bits = np.full((4, len(starts) - 1, 4), np.nan), np.empty((2, 4), np.int32)
    scratch = (bits, bits.view(np.float32), np.empty((3, 4)), np.empty((4, BINS), np.int64))
    places = np.empty((2, int(np.diff(starts).max(initial=0))), np.int32)
    _thresholds(values, values.view(np.int32), parts, starts, *scratch, places, out)
    return out


@kernel
def _thresholds(
    values: np.ndarray, in_bits: np.ndarray, parts: np.ndarray, starts: np.ndarray, bits: np.ndarray,
    extremes: np.ndarray, of_parts: np.ndarray, histograms: np.ndarray, places: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    (n, total, scale), low, high = of_parts, extremes[0], extremes[1]
    for i in range(len(starts) - 1):
        value, part = values[starts[i] : starts[i + 1]], parts[starts[i] : starts[i + 1]]
        _find_extremes(in_bits[starts[i] : starts[i + 1]], part, bits)
        _add_up_parts(value, part, n, total)
        for k in range(1, 4):
            apart = np.float64(high[k]) - np.float64(low[k])
            scale[k] = BINS / apart if n[k] and apart > 1e-5 * abs(high[k]) else 0.0
        _count_bins(value, part, low, scale, places, histograms)
        for k in range(1, 4):
            if n[k] == 0:
                continue
            out[k, i, 0], out[k, i, 2], out[k, i, 3] = high[k], total[k] / n[k], high[k]
            if scale[k] > 0:
                level, out[k, i, 1] = _otsu(histograms[k], np.int64(n[k]))
                out[k, i, 0] = low[k] + (level + 1) * (np.float64(high[k]) - np.float64(low[k])) / BINS


@helper
def _find_extremes(values: np.ndarray, part: np.ndarray, out: np.ndarray) -> None:
    """Smallest and largest of a cell's values by part; 3 is 1 and 2 together.

    Bits of numbers of 0 or more, as integers, are in the same order, and compared in vectors.
    """
    most = np.int32(0x7FFFFFFF)
    low1, low2, high1, high2 = most, most, np.int32(-1), np.int32(-1)
    for at in range(values.size):
        value, is_1, is_2 = values[at], part[at] == 1, part[at] == 2
        low1, high1 = min(low1, value if is_1 else most), max(high1, value if is_1 else np.int32(-1))
        low2, high2 = min(low2, value if is_2 else most), max(high2, value if is_2 else np.int32(-1))
    out[0, 1], out[0, 2], out[0, 3] = low1, low2, min(low1, low2)
    out[1, 1], out[1, 2], out[1, 3] = high1, high2, max(high1, high2)


@sum_helper
def _add_up_parts(value: np.ndarray, part: np.ndarray, n: np.ndarray, total: np.ndarray) -> None:
    """Number and sum of a cell's values by part."""
    n_1, n_2, sum_1, sum_2 = np.int32(0), np.int32(0), 0.0, 0.0
    for at in range(value.size):
        n_1 += np.int32(part[at] == 1)
        n_2 += np.int32(part[at] == 2)
        sum_1 += value[at] if part[at] == 1 else np.float32(0)
        sum_2 += value[at] if part[at] == 2 else np.float32(0)
    n[1], n[2], n[3] = n_1, n_2, n_1 + n_2
    total[1], total[2], total[3] = sum_1, sum_2, sum_1 + sum_2


@helper
def _count_bins(
    value: np.ndarray, part: np.ndarray, low: np.ndarray, scale: np.ndarray, places: np.ndarray, out: np.ndarray
) -> None:
    """Counts of a cell's values by part, (4, BINS); 3 is 1 and 2 together. First all bins, which takes vectors."""
    for k in range(4):
        for level in range(BINS):
            out[k, level] = 0
    of_part, of_both, last = places[0], places[1], np.int32(BINS - 1)
    low1, low2, low3, scale1, scale2, scale3 = low[1], low[2], low[3], scale[1], scale[2], scale[3]
    for at in range(value.size):
        least, by = (low1, scale1) if part[at] == 1 else (low2, scale2)
        of_part[at] = min(last, np.int32((np.float64(value[at]) - least) * by))
        of_both[at] = min(last, np.int32((np.float64(value[at]) - low3) * scale3))
    for at in range(value.size):
        if part[at] > 0:
            out[part[at], np.uint64(of_part[at])] += 1
            out[3, np.uint64(of_both[at])] += 1


@helper
def _otsu(histogram: np.ndarray, n: Int) -> tuple[int, float]:
    """The last bin of the lower class, and the explained share of the variance."""
    total, squares = 0, 0
    for level in range(BINS):
        total += histogram[level] * level
        squares += histogram[level] * level * level
    best, at, below, moment = 0.0, 0, 0, 0
    mean = total / n
    for level in range(BINS - 1):
        if histogram[level] == 0:  # nothing changes
            continue
        below += histogram[level]
        moment += histogram[level] * level
        if below == n:
            break
        apart = mean * below - moment
        between = apart * apart / (float(below) * (n - below))
        if between > best:
            best, at = between, level
    return at, best / (squares / n - mean * mean)


def find_objects(
    values: np.ndarray,
    parts: np.ndarray,
    starts: np.ndarray,
    field: np.ndarray,
    boxes: np.ndarray,
    wanted: np.ndarray,
    level: np.ndarray,
    smallest: np.ndarray,
    outside: np.ndarray,
    inside: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Connected parts (8 neighbours) of each cell that lie above its levels.

    Parameters
    ----------
    values, parts, starts
        As in `thresholds`.
    field, boxes : ndarray of int32, shapes (n,) and (n, 4)
    wanted : ndarray of uint8, shape (n_sets,)
        Where to look: 1 in the cytoplasm, 2 in the nucleus, 3 in both.
    level : ndarray of float64, shape (n_sets, n)
        Nothing lies above NaN.
    smallest : ndarray of float64, shape (n,)
        Parts of fewer pixels are left out.
    outside, inside : ndarray of float32, shape (n_fields, H, W)
        Distances to the border of the nucleus.

    Returns
    -------
    owner : ndarray of int64, shape (n_objects,)
        set * n + cell, ascending.
    offsets : ndarray of int64, shape (n_sets * n + 1,)
        Where the objects of each set and cell begin.
    euler : ndarray of int64, shape (n_objects,)
        1 minus the number of holes of each object.
    sums : ndarray of float64, shape (n_objects, 9)
        Sums of 1, y, x, yy, yx, xx (from the corner of the box), of the values, and of both distances.
    """
    sides = (boxes[:, 2:] - boxes[:, :2]).astype(np.int64)
    height, width = sides.max(axis=0, initial=0).tolist()
    capacity = len(wanted) * int((sides.prod(axis=1) / np.maximum(1, smallest)).astype(np.int64).sum())
    owner, euler, sums = np.empty(capacity, np.int64), np.empty(capacity, np.int64), np.empty((capacity, 9))
    mark, turn = np.zeros((2, int(np.diff(starts).max(initial=0)) // 8 * 8 + 8), np.uint8)
    runs, firsts = np.empty((height * (width // 2 + 1), _N_FACTS), np.int32), np.zeros(height + 1, np.int64)
    offsets = np.zeros(len(wanted) * len(boxes) + 1, np.int64)
    images = (field, boxes, wanted, level, smallest, outside, inside)
    scratch = (mark, turn, turn.view(np.uint64), runs, firsts)
    _find_objects(values, parts, starts, *images, *scratch, owner, offsets, euler, sums)
    n = offsets[-1]
    return owner[:n].copy(), offsets, euler[:n].copy(), sums[:n].copy()


@kernel
def _find_objects(
    values: np.ndarray, parts: np.ndarray, starts: np.ndarray, field: np.ndarray, boxes: np.ndarray,
    wanted: np.ndarray, level: np.ndarray, smallest: np.ndarray, outside: np.ndarray, inside: np.ndarray,
    mark: np.ndarray, turn: np.ndarray, turns: np.ndarray, runs: np.ndarray, firsts: np.ndarray, owner: np.ndarray,
    offsets: np.ndarray, euler: np.ndarray, sums: np.ndarray,
) -> None:  # fmt: skip
    n, found = len(boxes), 0
    for k in range(len(wanted)):
        for i in range(n):
            height, width = boxes[i, 2] - boxes[i, 0], boxes[i, 3] - boxes[i, 1]
            value, part = values[starts[i] : starts[i + 1]], parts[starts[i] : starts[i + 1]]
            away, deep, top, left = outside[field[i]], inside[field[i]], boxes[i, 0], boxes[i, 1]
            _mark_above(value, part, wanted[k], np.float32(level[k, i]), mark, turn)
            for y in range(height):
                firsts[y + 1] = _list_runs(mark, turns, y * width, (y + 1) * width, runs, firsts[y])
            _join_runs(runs, firsts[: height + 1])
            for y in range(height):
                if firsts[y] == firsts[y + 1]:
                    continue
                row, outer, inner = value[y * width :], away[top + y, left:], deep[top + y, left:]
                for r in range(firsts[y], firsts[y + 1]):
                    root = runs[_root(runs, r)]
                    if root[_AREA] < smallest[i]:
                        continue
                    if runs[r, _PARENT] == r:
                        owner[found], euler[found], root[_OBJECT] = k * n + i, root[_EULER], found
                        sums[found, :] = 0
                        found += 1
                    _add_up(row, outer, inner, y, runs[r, _FIRST], runs[r, _LAST], sums[root[_OBJECT]])
            offsets[k * n + i + 1] = found


@helper
def _mark_above(
    value: np.ndarray, part: np.ndarray, wanted: int, least: Float, mark: np.ndarray, turn: np.ndarray
) -> None:
    """1 where a wanted pixel of a crop lies above the level, and where that differs from the pixel before."""
    for at in range(value.size):
        mark[at] = np.uint8((value[at] > least) & ((part[at] & wanted) != 0))
    here, after = mark[1 : value.size], turn[1 : value.size]
    for at in range(here.size):
        after[at] = mark[at] ^ here[at]


@helper
def _list_runs(mark: np.ndarray, turns: np.ndarray, start: int, end: int, runs: np.ndarray, n: int) -> int:
    """List the runs of marked pixels of a row from place n on, each a part of its own; returns the next place."""
    first, is_marked = start, mark[np.uint64(start)] != 0
    for word in range((start + 1) // 8, (end + 7) // 8):
        left = turns[np.uint64(word)]
        if left == 0:  # eight pixels at a time: most are like the one before
            continue
        while left:
            at = 8 * word + _first_byte(left)
            left &= left - np.uint64(1)
            if start < at < end:
                if is_marked:
                    n = _add_run(first - start, at - start, runs, n)
                first, is_marked = at, not is_marked
    if is_marked:
        n = _add_run(first - start, end - start, runs, n)
    return n


@helper
def _first_byte(word: Int) -> Int:
    """Which byte of a word of marks, 0 or 1, is the first with one."""
    ones = np.uint64(0x0101010101010101)
    below = (word & (~word + np.uint64(1))) - np.uint64(1)  # all bits below the first one
    return np.int64(((below & ones) * ones) >> np.uint64(56))


@helper
def _add_run(first: int, last: int, runs: np.ndarray, n: int) -> int:
    run = runs[n]
    run[_FIRST], run[_LAST], run[_PARENT], run[_AREA], run[_EULER] = first, last, n, last - first, 1
    return n + 1


@helper
def _join_runs(runs: np.ndarray, firsts: np.ndarray) -> None:
    """Join the runs of rows below one another that touch, also at a corner; row y owns firsts[y]:firsts[y + 1].

    The first run of a part is its root. The union of closed pixels has Euler's number of its runs less that of what
    they share, a point or a line for each two that touch.
    """
    for y in range(1, len(firsts) - 1):
        above, here = firsts[y - 1], firsts[y]
        while above < firsts[y] and here < firsts[y + 1]:
            if runs[above, _FIRST] <= runs[here, _LAST] and runs[here, _FIRST] <= runs[above, _LAST]:
                one, other = _root(runs, above), _root(runs, here)
                root, joined = runs[min(one, other)], runs[max(one, other)]
                if one != other:
                    joined[_PARENT] = min(one, other)
                    root[_AREA] += joined[_AREA]
                    root[_EULER] += joined[_EULER]
                root[_EULER] -= 1
            if runs[above, _LAST] < runs[here, _LAST]:
                above += 1
            else:
                here += 1


@helper
def _root(runs: np.ndarray, k: Int) -> Int:
    while runs[k, _PARENT] != k:
        runs[k, _PARENT] = runs[runs[k, _PARENT], _PARENT]
        k = np.int64(runs[k, _PARENT])
    return k


@helper
def _add_up(
    value: np.ndarray, outside: np.ndarray, inside: np.ndarray, y: int, first: int, last: int, sums: np.ndarray
) -> None:
    """Add the pixels of one run of a row."""
    mass, away, deep = 0.0, 0.0, 0.0
    for x in range(np.uint64(first), np.uint64(last)):
        mass += value[x]
        away += outside[x]
        deep += inside[x]
    n, n_x = np.int64(last - first), _sum_below(last) - _sum_below(first)
    sums[0] += n
    sums[1] += n * y
    sums[2] += n_x
    sums[3] += n * y * y
    sums[4] += n_x * y
    sums[5] += _squares_below(last) - _squares_below(first)
    sums[6] += mass
    sums[7] += away
    sums[8] += deep


@helper
def _sum_below(n: Int) -> Int:
    return np.int64(n) * (n - 1) // 2


@helper
def _squares_below(n: Int) -> Int:
    return np.int64(n) * (n - 1) * (2 * n - 1) // 6
