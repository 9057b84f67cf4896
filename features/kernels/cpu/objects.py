"""Bright objects in packed crops of cells: thresholds for each cell, and the connected parts above them."""

import numpy as np

from features.kernels.cpu._jit import Float, Int, helper, kernel

BINS = 256


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
    out = np.full((4, len(starts) - 1, 4), np.nan)
    _thresholds(values, parts, starts, np.empty((5, 4)), np.empty((4, BINS), np.int64), out)
    return out


@kernel
def _thresholds(
    values: np.ndarray, parts: np.ndarray, starts: np.ndarray, extremes: np.ndarray, histograms: np.ndarray,
    out: np.ndarray,
) -> None:  # fmt: skip
    n, total, low, high, scale = extremes[0], extremes[1], extremes[2], extremes[3], extremes[4]
    for i in range(len(starts) - 1):
        value, part = values[starts[i] : starts[i + 1]], parts[starts[i] : starts[i + 1]]
        _extremes(value, part, n, total, low, high)
        for k in range(1, 4):
            scale[k] = BINS / (high[k] - low[k]) if high[k] - low[k] > 1e-5 * abs(high[k]) else 0.0
        _histograms(value, part, low, scale, histograms)
        for k in range(1, 4):
            if n[k] == 0:
                continue
            out[k, i, 0], out[k, i, 2], out[k, i, 3] = high[k], total[k] / n[k], high[k]
            if scale[k] > 0:
                level, out[k, i, 1] = _otsu(histograms[k], np.int64(n[k]))
                out[k, i, 0] = low[k] + (level + 1) * (high[k] - low[k]) / BINS


@helper
def _extremes(
    value: np.ndarray, part: np.ndarray, n: np.ndarray, total: np.ndarray, low: np.ndarray, high: np.ndarray
) -> None:
    """Number, sum, smallest and largest of a cell's values by part; 3 is 1 and 2 together."""
    for k in range(1, 3):
        count, mass = 0, 0.0
        least, most = np.float32(np.inf), np.float32(-np.inf)
        for at in range(len(value)):
            if part[at] == k:
                least, most = min(least, value[at]), max(most, value[at])
                mass += value[at]
                count += 1
        n[k], total[k], low[k], high[k] = count, mass, least, most
    n[3], total[3], low[3], high[3] = n[1] + n[2], total[1] + total[2], min(low[1], low[2]), max(high[1], high[2])


@helper
def _histograms(value: np.ndarray, part: np.ndarray, low: np.ndarray, scale: np.ndarray, out: np.ndarray) -> None:
    """Counts of a cell's values by part, (4, BINS); 3 is 1 and 2 together."""
    for k in range(4):
        for level in range(BINS):
            out[k, level] = 0
    for at in range(len(value)):
        k = part[at]
        if k > 0:
            out[k, np.uint64(min(BINS - 1, np.int32((value[at] - low[k]) * scale[k])))] += 1
            out[3, np.uint64(min(BINS - 1, np.int32((value[at] - low[3]) * scale[3])))] += 1


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
    largest = int((sides + 2).prod(axis=1).max(initial=0))
    capacity = len(wanted) * int((sides.prod(axis=1) / np.maximum(1, smallest)).astype(np.int64).sum())
    owner, euler, sums = np.empty(capacity, np.int64), np.empty(capacity, np.int64), np.empty((capacity, 9))
    mark, stack = np.empty((largest + 7) // 8 * 8, np.uint8), np.empty(largest, np.int32)
    offsets = np.zeros(len(wanted) * len(boxes) + 1, np.int64)
    scratch = (mark, mark.view(np.uint64), stack)
    images = (field, boxes, wanted, level, smallest, outside, inside)
    _find_objects(values, parts, starts, *images, *scratch, owner, offsets, euler, sums)
    n = offsets[-1]
    return owner[:n].copy(), offsets, euler[:n].copy(), sums[:n].copy()


@kernel
def _find_objects(
    values: np.ndarray, parts: np.ndarray, starts: np.ndarray, field: np.ndarray, boxes: np.ndarray,
    wanted: np.ndarray, level: np.ndarray, smallest: np.ndarray, outside: np.ndarray, inside: np.ndarray,
    mark: np.ndarray, words: np.ndarray, stack: np.ndarray, owner: np.ndarray, offsets: np.ndarray, euler: np.ndarray,
    sums: np.ndarray,
) -> None:  # fmt: skip
    n, found = len(boxes), 0
    for k in range(len(wanted)):
        for i in range(n):
            height, width = boxes[i, 2] - boxes[i, 0], boxes[i, 3] - boxes[i, 1]
            value, stride = values[starts[i] : starts[i + 1]], width + 2
            away = outside[field[i], boxes[i, 0] : boxes[i, 2], boxes[i, 1] : boxes[i, 3]]
            deep = inside[field[i], boxes[i, 0] : boxes[i, 2], boxes[i, 1] : boxes[i, 3]]
            length = (stride * (height + 2) + 7) // 8 * 8
            _mark_above(value, parts[starts[i] :], height, width, wanted[k], np.float32(level[k, i]), mark[:length])
            for word in range(length // 8):  # eight pixels at a time: most have none left
                while words[word] & 0x0101010101010101:
                    at = 8 * word
                    while mark[at] != 1:
                        at += 1
                    size, holes = _flood(mark, at, stride, stack)
                    if size >= smallest[i]:
                        owner[found], euler[found] = k * n + i, holes
                        _add_up(stack[:size], stride, value, away, deep, sums[found])
                        found += 1
            offsets[k * n + i + 1] = found


@helper
def _mark_above(
    value: np.ndarray, part: np.ndarray, height: int, width: int, wanted: int, least: Float, mark: np.ndarray
) -> None:
    """1 where a wanted pixel lies above the level, with a frame of 0 around the crop."""
    for k in range(mark.size):
        mark[k] = 0
    for y in range(height):
        row, which, target = value[y * width :], part[y * width :], mark[(y + 1) * (width + 2) + 1 :]
        for x in range(width):
            target[x] = np.uint8((row[x] > least) & ((which[x] & wanted) != 0))


@helper
def _flood(mark: np.ndarray, first: int, stride: Int, stack: np.ndarray) -> tuple[Int, Int]:
    """Turn the part of 1 around a pixel into 2; its pixels are left in the stack. Returns their number and Euler's.

    The union of closed pixels has as many faces less edges plus vertices as its Euler number. With each edge and
    vertex counted at its first pixel in row-major order, all cancel but two cases, which the neighbours tell.
    """
    stack[0] = first
    mark[first] = 2
    one, stride = np.uint64(1), np.uint64(stride)  # signed places are looked at for counting from the end
    done, size, euler = np.uint64(0), np.uint64(1), 0
    while done < size:
        at = np.uint64(stack[done])
        done += one
        for west in (at - stride - one, at - one, at + stride - one):
            for k in range(west, west + np.uint64(3)):
                new = mark[k] & np.uint8(1)
                mark[k] += new
                stack[size] = k  # kept if new: a branch here would be guessed wrong at every other pixel
                size += new
        if mark[at - stride] == 0:
            euler += (mark[at - one] == 0) & (mark[at - stride - one] == 0)
            euler -= mark[at - stride + one] != 0
    return np.int64(size), euler


@helper
def _add_up(
    pixels: np.ndarray, stride: int, value: np.ndarray, outside: np.ndarray, inside: np.ndarray, sums: np.ndarray
) -> None:
    """The sums over the pixels of one object."""
    n_y, n_x, n_yy, n_yx, n_xx = 0, 0, 0, 0, 0
    mass, away, deep = 0.0, 0.0, 0.0
    rows_per_pixel = 1 / stride
    for k in range(len(pixels)):
        row = np.int64((pixels[k] + 0.5) * rows_per_pixel)  # exact, and a division of integers is slow
        y, x = row - 1, pixels[k] - row * stride - 1
        n_y += y
        n_x += x
        n_yy += y * y
        n_yx += y * x
        n_xx += x * x
        mass += value[np.uint64(y * (stride - 2) + x)]
        away += outside[np.uint64(y), np.uint64(x)]
        deep += inside[np.uint64(y), np.uint64(x)]
    sums[0], sums[1], sums[2] = len(pixels), n_y, n_x
    sums[3], sums[4], sums[5] = n_yy, n_yx, n_xx
    sums[6], sums[7], sums[8] = mass, away, deep
