"""Local binary patterns: 8 points on a circle against the pixel in the middle, in exact arithmetic.

Only pixels whose whole neighbourhood lies in one region are counted, so that it does not matter what lies beside it.
These come as runs along rows: long enough to keep the vector units busy, and of one cell each.
"""

import numpy as np

from features.kernels.cpu._jit import Int, helper, kernel

N_BINS = 10
_GAP = 64  # px
_ALL_OF_8 = np.uint64(0x0101010101010101)
_TURNS, _PADDED = np.uint64(4), np.uint64(16)
_UNSIGNED = np.uint64  # of a position: no test for negative ones, which would keep the loop from vectors


def _uniform_bins() -> np.ndarray:
    """The bin of each 8-bit code: its number of ones if the ones are in one piece around the circle, otherwise 9.

    Returns
    -------
    ndarray of uint8, shape (256,)
        Ojala et al. 2002, IEEE TPAMI 24(7):971, riu2.
    """
    codes = np.arange(256)[:, None] >> np.arange(8) & 1
    changes = (codes != np.roll(codes, 1, axis=1)).sum(axis=1)
    return np.where(changes <= 2, codes.sum(axis=1), N_BINS - 1).astype(np.uint8)


@helper
def _inner_once(labels: np.ndarray, along: np.ndarray, out: np.ndarray) -> None:
    """Mark the pixels of one field whose 3 x 3 square has one label; `out` has a frame of zeros already."""
    height = len(labels)
    for y in range(height):
        left, row, right, kept = labels[y, :-2], labels[y, 1:-1], labels[y, 2:], along[y]
        for x in range(kept.size):
            kept[x] = np.uint8(row[x] > 0) & np.uint8(left[x] == row[x]) & np.uint8(right[x] == row[x])
    for y in range(1, height - 1):
        above, row, below, kept = labels[y - 1, 1:-1], labels[y, 1:-1], labels[y + 1, 1:-1], out[y, 1:-1]
        over, mine, under = along[y - 1], along[y], along[y + 1]
        for x in range(kept.size):
            kept[x] = np.uint8(above[x] == row[x]) & np.uint8(below[x] == row[x]) & over[x] & mine[x] & under[x]


@helper
def _erode(mask: np.ndarray, along: np.ndarray) -> None:
    """Keep the pixels whose 3 x 3 square lies in the mask, which has a frame of zeros."""
    height = len(mask)
    for y in range(height):
        left, row, right, kept = mask[y, :-2], mask[y, 1:-1], mask[y, 2:], along[y]
        for x in range(kept.size):
            kept[x] = left[x] & row[x] & right[x]
    for y in range(1, height - 1):
        over, mine, under, kept = along[y - 1], along[y], along[y + 1], mask[y, 1:-1]
        for x in range(kept.size):
            kept[x] = over[x] & mine[x] & under[x]


@helper
def _find_runs(
    flat: np.ndarray, words: np.ndarray, labels: np.ndarray, field: int, runs: np.ndarray, n: Int
) -> Int:  # fmt: skip
    """Append the runs of a field's mask to `runs` from the n-th on; return their new number.

    Most words of eight pixels are all 0 or all 1. The mask is 0 at the end of each row.
    """
    width, place = labels.shape[1], 0
    while place < flat.size:
        if place % 8 == 0 and words[np.uint64(place // 8)] == 0:
            place += 8
            continue
        if flat[np.uint64(place)] == 0:
            place += 1
            continue
        first = place
        while flat[np.uint64(place)]:
            place += 8 if place % 8 == 0 and words[np.uint64(place // 8)] == _ALL_OF_8 else 1
        y = first // width
        left, right = first - y * width, place - y * width
        runs[n, 0], runs[n, 1], runs[n, 2], runs[n, 3], runs[n, 4] = field, y, left, right, labels[y, left] - 1
        n += 1
    return n


def _inner_runs(labels: np.ndarray, radii: np.ndarray) -> list[np.ndarray]:
    """Find the pixels whose square of (2 * radius + 1) px has one label and lies in the image, as runs along rows.

    Parameters
    ----------
    labels : ndarray of int32, shape (n_fields, H, W)
        0 is background.
    radii : ndarray of int64
        Ascending, from 1.

    Returns
    -------
    list of ndarray of int32, shape (n_runs, 5)
        For each radius: field, row, first column, column after the last, and region (label - 1), in row-major order.
        Inner pixels of two regions never touch, so a run has one label.
    """
    n_fields, height, width = labels.shape
    runs, ends = np.empty((len(radii), n_fields * height * (width // 2 + 1), 5), np.int32), np.zeros(len(radii), int)
    flat, along = np.zeros(height * width // 8 * 8 + 8, np.uint8), np.empty((height, max(0, width - 2)), np.uint8)
    mask = flat[: height * width].reshape(height, width)
    _find_all_runs(labels, radii, mask, flat, flat.view(np.uint64), along, runs, ends)
    return [of_radius[:end].copy() for of_radius, end in zip(runs, ends)]


@kernel
def _find_all_runs(
    labels: np.ndarray, radii: np.ndarray, mask: np.ndarray, flat: np.ndarray, words: np.ndarray, along: np.ndarray,
    runs: np.ndarray, ends: np.ndarray,
) -> None:  # fmt: skip
    for f in range(len(labels)):
        _inner_once(labels[f], along, mask)
        eroded = 1
        for r in range(len(radii)):
            while eroded < radii[r]:
                _erode(mask, along)
                eroded += 1
            ends[r] = _find_runs(flat, words, labels[f], f, runs[r], ends[r])


@helper
def _code_stretch(
    levels: np.ndarray,
    start: int,
    size: int,
    width: int,
    radius: int,
    step: int,
    weights: np.ndarray,
    codes: np.ndarray,
) -> None:
    """Codes of a stretch of pixels of one row: bit k is set if the k-th point of the circle is at least the middle.

    Levels and weights are whole numbers in floating point: their products and sums are exact, and quicker than those of
    integers. Offsets in a flat image, unsigned, stand for 21 slices a stretch: these cost more than the pixels.
    """
    near, edge, far, whole = weights[0], weights[1], weights[2], weights[3]
    middle, up, down = _UNSIGNED(start), _UNSIGNED(start - radius * width), _UNSIGNED(start + radius * width)
    left, right = _UNSIGNED(start - radius), _UNSIGNED(start + radius)
    one, row, one_row = _UNSIGNED(1), _UNSIGNED(width), _UNSIGNED(width + 1)
    # the corner nearest the middle of the four pixels around a diagonal point; the others lie away from the middle
    ne, nw = _UNSIGNED(start - step * width + step), _UNSIGNED(start - step * width - step)
    sw, se = _UNSIGNED(start + step * width - step), _UNSIGNED(start + step * width + step)
    around = _UNSIGNED(width - 1)
    for k in range(size):
        x = _UNSIGNED(k)
        level = levels[middle + x]
        least = level * whole
        code = np.int32(levels[right + x] >= level) | np.int32(levels[up + x] >= level) << 2
        code |= np.int32(levels[left + x] >= level) << 4 | np.int32(levels[down + x] >= level) << 6
        edges = levels[ne + x + one] + levels[ne + x - row]
        code |= np.int32(near * levels[ne + x] + edge * edges + far * levels[ne + x - around] >= least) << 1
        edges = levels[nw + x - one] + levels[nw + x - row]
        code |= np.int32(near * levels[nw + x] + edge * edges + far * levels[nw + x - one_row] >= least) << 3
        edges = levels[sw + x - one] + levels[sw + x + row]
        code |= np.int32(near * levels[sw + x] + edge * edges + far * levels[sw + x + around] >= least) << 5
        edges = levels[se + x + one] + levels[se + x + row]
        code |= np.int32(near * levels[se + x] + edge * edges + far * levels[se + x + one_row] >= least) << 7
        codes[middle + x] = code


@kernel
def _codes(
    levels: np.ndarray, shape: tuple[int, int], runs: np.ndarray, radius: int, step: int, weights: np.ndarray,
    codes: np.ndarray,
) -> None:  # fmt: skip
    """Fill in the pattern of each pixel of the runs, 8 bits; what lies between runs is overwritten too.

    Parameters
    ----------
    levels : ndarray of float32 (up to 255) or float64 (up to 65535), flat
    shape : tuple of int
        Height and width of a field.
    runs : ndarray of int32, shape (n_runs, 5)
        `_inner_runs` of this radius.
    radius : int
        Radius of the circle in px.
    step : int
        The diagonal points lie between `step` and `step + 1` px away.
    weights : ndarray like `levels`, shape (4,)
        near, edge and far of the pixels around a diagonal point, and what they add up to.
    codes : ndarray of uint8, flat
    """
    height, width = shape
    k = 0
    while k < len(runs):
        f, y, first, last = runs[k, 0], runs[k, 1], runs[k, 2], runs[k, 3]
        k += 1
        # a new start costs about as much as coding a gap of this many pixels
        while k < len(runs) and runs[k, 0] == f and runs[k, 1] == y and runs[k, 2] - last < _GAP:
            last = runs[k, 3]
            k += 1
        start = (f * height + y) * width + first
        _code_stretch(levels, start, last - first, width, radius, step, weights, codes)


def _histograms(codes: np.ndarray, runs: np.ndarray, n: int, bins: np.ndarray) -> np.ndarray:
    """Histograms of the rotation-invariant uniform patterns of each region.

    Parameters
    ----------
    codes : ndarray of uint8, shape (n_fields, H, W)
        From `_codes`.
    runs : ndarray of int32, shape (n_runs, 5)
        What is counted: `_inner_runs` of a compartment whose pixels have all been coded.
    n : int
        Number of regions.
    bins : ndarray of uint8, shape (256,)
        `_uniform_bins()`.

    Returns
    -------
    ndarray of int64, shape (n, 10)
    """
    counts = np.zeros((n, int(_TURNS * _PADDED)), np.int32)
    _count_codes(codes, runs, bins, counts)
    return counts.reshape(n, int(_TURNS), int(_PADDED))[:, :, :N_BINS].sum(axis=1, dtype=np.int64)


@kernel
def _count_codes(codes: np.ndarray, runs: np.ndarray, bins: np.ndarray, counts: np.ndarray) -> None:
    for k in range(len(runs)):
        row, mine = codes[runs[k, 0], runs[k, 1], runs[k, 2] : runs[k, 3]], counts[runs[k, 4]]
        for x in range(row.size):
            # neighbours are often alike: counters taken in turns need not wait for one another
            mine[(_UNSIGNED(x) % _TURNS) * _PADDED + bins[row[x]]] += np.int32(1)


def pattern_counts(
    pixels: np.ndarray, measured: np.ndarray, circles: np.ndarray, cell_labels: np.ndarray,
    nucleus_labels: np.ndarray, n: int,
) -> np.ndarray:  # fmt: skip
    """Count the pixels of each cell (or its nucleus) by their rotation-invariant uniform pattern.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (n_fields, n_channels, H, W)
    measured : ndarray of int64, shape (n_measured, 3)
        Channel, circle (index), and 1 to count in the nucleus or 0 in the whole cell; equal channels and circles in a
        row share the codes.
    circles : ndarray of int64, shape (n_circles, 5)
        Radius in px, 1 or more; `step`: the diagonal points lie between `step` and `step + 1` px away in each
        direction; weights of the pixels (step, step), (step, step + 1) and (step + 1, step + 1) around such a point.
    cell_labels, nucleus_labels : ndarray of int32, shape (n_fields, H, W)
    n : int
        Number of cells.

    Returns
    -------
    ndarray of int64, shape (n, n_measured, 10)
        By number of ones if they are in one piece; the last are all others.
    """
    exact = np.float32 if pixels.dtype == np.uint8 else np.float64  # holds a level times the sum of the weights
    planes, codes = np.empty(cell_labels.shape, exact), np.empty(cell_labels.shape, np.uint8)
    regions, bins, last = (cell_labels, nucleus_labels), _uniform_bins(), (-1, -1)
    radii = np.unique(circles[:, 0])
    runs = {
        (k, radius): of_radius
        for k in {0, *measured[:, 2]}
        for radius, of_radius in zip(radii, _inner_runs(regions[k], radii))
    }
    out = np.empty((n, len(measured), N_BINS), np.int64)
    for m, (channel, c, k) in enumerate(measured):
        radius, step, near, edge, far = circles[c]
        if channel != last[0]:
            planes[:] = pixels[:, channel]
        if (channel, c) != last:
            # a nucleus lies in its cell, so that what counts in it has been coded with the cell
            weights = np.array([near, edge, far, near + 2 * edge + far], exact)
            _codes(planes.ravel(), planes.shape[1:], runs[0, radius], radius, step, weights, codes.ravel())
        out[:, m] = _histograms(codes, runs[k, radius], n, bins)
        last = (channel, c)
    return out
