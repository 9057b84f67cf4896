"""Crops of cells smoothed inside their own mask, and the bright spots in them.

Crops are packed: cell i owns starts[i]:starts[i + 1] of a flat array, the rows of its box one after the other.
"""

import numpy as np

from features.kernels.cpu._jit import helper, inlined, kernel, sum_helper


def pack_parts(
    cell_labels: np.ndarray, nucleus_labels: np.ndarray, field: np.ndarray, boxes: np.ndarray, starts: np.ndarray,
    n_pixels: int,
) -> np.ndarray:  # fmt: skip
    """What the pixels of each cell's crop are.

    Parameters
    ----------
    cell_labels, nucleus_labels : ndarray of int32, shape (n_fields, H, W)
    field : ndarray of int32, shape (n,)
    boxes : ndarray of int32, shape (n, 4)
        top, left, bottom, right.
    starts : ndarray of int64, shape (n + 1,)
        Where each crop begins.
    n_pixels : int
        Pixels of all crops, starts[-1].

    Returns
    -------
    ndarray of uint8, shape (n_pixels,)
        0 outside the cell, 1 in the cytoplasm, 2 in the nucleus.
    """
    parts = np.empty(n_pixels, np.uint8)
    _pack_parts(cell_labels, nucleus_labels, field, boxes, starts, parts)
    return parts


@kernel
def _pack_parts(
    cell_labels: np.ndarray, nucleus_labels: np.ndarray, field: np.ndarray, boxes: np.ndarray, starts: np.ndarray,
    parts: np.ndarray,
) -> None:  # fmt: skip
    for i in range(len(field)):
        (top, left, bottom, right), label = boxes[i], np.int32(i + 1)
        for y in range(bottom - top):
            target = parts[starts[i] + y * (right - left) :]
            cell, nucleus = cell_labels[field[i], top + y, left:right], nucleus_labels[field[i], top + y, left:right]
            for x in range(right - left):
                target[x] = np.uint8(cell[x] == label) + np.uint8(nucleus[x] == label)


def local_means(
    planes: np.ndarray,
    parts: np.ndarray,
    starts: np.ndarray,
    field: np.ndarray,
    boxes: np.ndarray,
    reach: np.ndarray,
    finest: np.ndarray,
) -> np.ndarray:
    """Weighted means around each pixel over its cell's own pixels only (normalised convolution, Knutsson 1993).

    The weights are a tent in rows times a tent in columns: two square means of 2 * reach + 1 pixels one after the
    other, a Gaussian in good approximation, summed in integers at a cost that does not depend on the reach.

    Parameters
    ----------
    planes : ndarray of uint8 or uint16, shape (n_fields, n_planes, H, W)
    parts
        From `pack_parts`.
    starts, field, boxes
        As there.
    reach : ndarray of int64, shape (n_fields, n_scales)
        In px.
    finest : ndarray of int64, shape (n_planes,)
        The first scale that is wanted of each plane.

    Returns
    -------
    ndarray of float32, shape (n_planes, n_scales, starts[-1])
        0 outside the cell; undefined at scales that are not wanted.
    """
    out = np.empty((planes.shape[1], reach.shape[1], len(parts)), np.float32)
    largest, longest = int(np.diff(starts).max(initial=0)), 2 * int(reach.max(initial=0)) + 1
    height, width = (boxes[:, 2:] - boxes[:, :2]).max(axis=0, initial=0).tolist()
    # no sum is above the brightest value times all weights: 32 bits are twice as fast as 64 where that fits
    adder = np.int32 if 256.0**planes.itemsize * float(longest) ** 4 < 2.0**31 else np.int64
    n_tables, margins = len(finest) + 1, 2 * longest
    tables = np.zeros((n_tables, height + margins, width + margins), adder)
    rows, inverse = np.empty((n_tables, 2, width + margins), adder), np.empty(width, np.float32)
    scratch = (np.empty(largest, planes.dtype), np.empty((height, 2), np.int64), tables, rows, inverse)
    _local_means(planes, parts, starts, field, boxes, reach, finest, longest, *scratch, out)
    return out


@kernel
def _local_means(
    planes: np.ndarray, parts: np.ndarray, starts: np.ndarray, field: np.ndarray, boxes: np.ndarray,
    reach: np.ndarray, finest: np.ndarray, margin: int, image: np.ndarray, spans: np.ndarray, tables: np.ndarray,
    rows: np.ndarray, inverse: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    for i in range(len(boxes)):
        top, left, width = boxes[i, 0], boxes[i, 1], boxes[i, 3] - boxes[i, 1]
        height, inside = boxes[i, 2] - top, parts[starts[i] : starts[i + 1]]
        n, of_rows = height * width, spans[:height]
        _find_spans(inside, width, of_rows)
        for x in range(n):
            image[x] = inside[x] > 0
        _integrate(image, width, n, margin, rows[0, 0], tables[0])
        for plane in range(planes.shape[1]):
            for y in range(height):
                source, part = planes[field[i], plane, top + y, left : left + width], inside[y * width :]
                target = image[y * width :]
                for x in range(width):
                    target[x] = source[x] if part[x] > 0 else 0
            _integrate(image, width, n, margin, rows[0, 0], tables[plane + 1])
        for scale in range(reach.shape[1]):
            size = 2 * reach[field[i], scale] + 1
            _weighted_means(tables, inside, of_rows, width, margin, size, finest, scale, rows, inverse, starts[i], out)


@helper
def _find_spans(part: np.ndarray, width: int, spans: np.ndarray) -> None:
    """Column of the first pixel of a cell in each row of its crop, and the column after the last."""
    for y in range(len(spans)):
        row, first, last = part[y * width : (y + 1) * width], 0, width
        while first < width and row[first] == 0:
            first += 1
        while last > first and row[last - 1] == 0:
            last -= 1
        spans[y, 0], spans[y, 1] = first, last


@helper
def _integrate(image: np.ndarray, width: int, n: int, margin: int, slopes: np.ndarray, table: np.ndarray) -> None:
    """Sum an image twice along rows and columns: to each place, all sums of the pixels above and left of it.

    The image is `n` pixels, row by row. It starts behind margin + 1 rows and columns of the table, which stay 0; sums
    go on for margin - 1 beyond its end. They wrap around: only differences count. `slopes` is scratch.
    """
    whole = width + margin - 1
    for x in range(whole):
        slopes[x] = 0
    for y in range(n // width + margin - 1):
        above, here = table[y + margin, margin + 1 :], table[y + margin + 1, margin + 1 :]
        if y < n // width:
            total, slope, pixels = 0, 0, image[y * width :]
            for x in range(width):
                slope += pixels[x]
                total += slope
                here[x] = total
            for x in range(width, whole):
                total += slope
                here[x] = total
            for x in range(whole):
                slopes[x] += here[x]
        for x in range(whole):
            here[x] = above[x] + slopes[x]


@inlined
def _weighted_means(
    tables: np.ndarray, inside: np.ndarray, spans: np.ndarray, width: int, margin: int, size: int,
    finest: np.ndarray, scale: int, rows: np.ndarray, inverse: np.ndarray, start: int, out: np.ndarray,
) -> None:  # fmt: skip
    """Means of planes at one scale, weighted with a tent of `size` in both directions; 0 outside the cell.

    The sums of weights (first table) and of planes (the next) are second differences, down the columns and then along
    the row, of what `_integrate` filled the tables with. The latter are taken a row later: what has just been written
    is slow to read at other places.
    """
    height, filled = len(spans), np.uint64(0)
    for y in range(height + 1):
        if y < height:
            for k in range(len(tables)):
                if k == 0 or finest[k - 1] <= scale:
                    _difference_columns(tables[k], y, spans[y], margin, size, rows[k, y % 2])
        if y == 0:
            continue
        first, last = (y - 1) * width + spans[y - 1, 0], (y - 1) * width + spans[y - 1, 1]
        _invert(rows[0, (y - 1) % 2], inside[first:last], size, inverse)
        for k in range(len(finest)):
            if finest[k] <= scale:
                mean = out[k, scale, start : start + inside.size]
                for x in range(filled, np.uint64(first)):
                    mean[x] = 0
                _scale(rows[k + 1, (y - 1) % 2], inverse, size, mean[first:last])
        filled = np.uint64(last)
    for k in range(len(finest)):
        if finest[k] <= scale:
            mean = out[k, scale, start : start + inside.size]
            for x in range(filled, np.uint64(inside.size)):
                mean[x] = 0


@helper
def _difference_columns(table: np.ndarray, y: int, span: np.ndarray, margin: int, size: int, row: np.ndarray) -> None:
    upper, middle, lower = np.uint64(y + margin - size), np.uint64(y + margin), np.uint64(y + margin + size)
    left = np.uint64(span[0] + margin - size)
    for x in range(np.uint64(span[1] - span[0] + 2 * size)):
        row[x] = table[upper, left + x] - 2 * table[middle, left + x] + table[lower, left + x]


@helper
def _invert(row: np.ndarray, inside: np.ndarray, size: int, inverse: np.ndarray) -> None:
    """One over the sums of weights; 0 outside the cell."""
    one, two, number = np.uint64(size), np.uint64(2 * size), row.dtype.type
    for x in range(np.uint64(inside.size)):
        weights = np.float32(1) / np.float32(number(row[x] - 2 * row[x + one] + row[x + two]))
        inverse[x] = weights if inside[x] > 0 else np.float32(0)


@helper
def _scale(row: np.ndarray, inverse: np.ndarray, size: int, out: np.ndarray) -> None:
    one, two, number = np.uint64(size), np.uint64(2 * size), row.dtype.type
    for x in range(np.uint64(out.size)):
        out[x] = np.float32(number(row[x] - 2 * row[x + one] + row[x + two])) * inverse[x]


def peaks(
    fine: np.ndarray,
    coarse: np.ndarray,
    parts: np.ndarray,
    starts: np.ndarray,
    boxes: np.ndarray,
    reach: np.ndarray,
    prominence: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Round local maxima of a band (fine minus coarse means) inside each cell, and how far it swings below zero.

    A spot rises above all of eight pixels around it, `reach` rows and columns away; the upper side of a step does
    not, nor does a fibre.

    Parameters
    ----------
    fine, coarse : ndarray of float32, shape (starts[-1],)
        0 outside the cells.
    parts, starts, boxes
        As in `local_means`.
    reach : ndarray of int64, shape (n,)
        In px, for each cell; with 0 every maximum counts.
    prominence : float
        The rise of the fine mean above the highest of the eight, as a share of the band, that is exceeded.

    Returns
    -------
    points : ndarray of int64, shape (n_points, 4)
        Cell, packed position (ascending), row and column from the corner of the box: of pixels above zero and above
        their eight neighbours in the cell (of equal ones the first in row-major order).
    offsets : ndarray of int64, shape (n + 1,)
        Cell i owns points[offsets[i]:offsets[i + 1]].
    noise : ndarray of float64, shape (n, 2)
        Root mean square of the negative values in cytoplasm and nucleus; spots do not add to it. 0 without any.
    """
    offsets, noise = np.zeros(len(boxes) + 1, np.int64), np.zeros((len(boxes), 2))
    points = np.empty((len(fine), 4), np.int64)
    sides = (boxes[:, 2:] - boxes[:, :2]).astype(np.int64)
    framed = int(((sides[:, 0] + 2) * (sides[:, 1] + 1)).max(initial=0))
    band, highest = np.zeros(framed + 1, np.float32), np.zeros(framed // 8 * 8 + 8, np.uint8)
    scratch, found = (band, highest, highest.view(np.uint64)), (points, offsets, noise)
    _peaks(fine, coarse, parts, starts, boxes, reach, prominence, *scratch, *found)
    return points[: offsets[-1]].copy(), offsets, noise


@kernel
def _peaks(
    fine: np.ndarray, coarse: np.ndarray, parts: np.ndarray, starts: np.ndarray, boxes: np.ndarray, reach: np.ndarray,
    prominence: float, band: np.ndarray, highest: np.ndarray, words: np.ndarray, points: np.ndarray,
    offsets: np.ndarray, noise: np.ndarray,
) -> None:  # fmt: skip
    found = 0
    for i in range(len(boxes)):
        height, width, start = boxes[i, 2] - boxes[i, 0], boxes[i, 3] - boxes[i, 1], starts[i]
        mean, rough, pitch = fine[start : starts[i + 1]], coarse[start : starts[i + 1]], width + 1
        _measure_noise(mean, rough, parts[start : starts[i + 1]], noise[i])
        _fill_band(mean, rough, height, width, band)
        n = height * pitch
        _mark_maxima(band, pitch, highest[:n])
        for at in range(n, n // 8 * 8 + 8):
            highest[at] = 0
        for word in range(n // 8 + 1):
            if words[np.uint64(word)] == 0:  # eight pixels at a time: most are none
                continue
            for at in range(8 * word, 8 * word + 8):
                if highest[at] == 0:
                    continue
                y, x = at // pitch, at % pitch
                if _rise(mean, height, width, y, x, reach[i]) > prominence * band[at + pitch + 1]:
                    points[found, 0], points[found, 1] = i, start + y * width + x
                    points[found, 2], points[found, 3] = y, x
                    found += 1
        offsets[i + 1] = found


@sum_helper
def _measure_noise(fine: np.ndarray, coarse: np.ndarray, part: np.ndarray, noise: np.ndarray) -> None:
    """Root mean square of what is negative in a cell's band, in cytoplasm and nucleus."""
    in_cytoplasm, in_nucleus, n_cytoplasm, n_nucleus = 0.0, 0.0, np.int32(0), np.int32(0)
    for k in range(fine.size):
        value = fine[k] - coarse[k]
        dip = np.float64(value if value < 0 else np.float32(0))
        in_cytoplasm += dip * dip if part[k] == 1 else 0.0
        in_nucleus += dip * dip if part[k] == 2 else 0.0
        n_cytoplasm += np.int32((value < 0) & (part[k] == 1))
        n_nucleus += np.int32((value < 0) & (part[k] == 2))
    if n_cytoplasm > 0:
        noise[0] = np.sqrt(in_cytoplasm / n_cytoplasm)
    if n_nucleus > 0:
        noise[1] = np.sqrt(in_nucleus / n_nucleus)


@helper
def _fill_band(fine: np.ndarray, coarse: np.ndarray, height: int, width: int, band: np.ndarray) -> None:
    """The band of a cell in a frame of zeros, so that no neighbour needs a check; row by row, without gaps.

    The zero behind a row is the one before the next, so that the band is read in one piece.
    """
    pitch = width + 1
    for x in range(pitch):
        band[x] = band[(height + 1) * pitch + x] = 0
    band[(height + 2) * pitch] = 0
    for y in range(height):
        above, below, target = fine[y * width :], coarse[y * width :], band[(y + 1) * pitch :]
        target[0] = 0
        for x in range(width):
            target[x + 1] = above[x] - below[x]


@helper
def _mark_maxima(band: np.ndarray, pitch: int, highest: np.ndarray) -> None:
    """Which places of a framed band are above zero and above their neighbours; the first pixel's is the first."""
    north, north_here, north_east = band, band[1:], band[2:]
    west, here, east = band[pitch:], band[pitch + 1 :], band[pitch + 2 :]
    south, south_here, south_east = band[2 * pitch :], band[2 * pitch + 1 :], band[2 * pitch + 2 :]
    for at in range(len(highest)):
        before = max(max(north[at], north_here[at]), max(north_east[at], west[at]))
        after = max(max(south[at], south_here[at]), max(south_east[at], east[at]))
        highest[at] = (here[at] > max(before, np.float32(0))) & (here[at] >= after)


@helper
def _rise(mean: np.ndarray, height: int, width: int, y: int, x: int, reach: int) -> float:
    """How far a pixel rises above the highest of eight around it; outside the cell these are 0."""
    at, highest = y * width + x, np.float32(0)
    if 0 < reach <= y < height - reach and reach <= x < width - reach:
        above, here, below = np.uint64(at - reach * width), np.uint64(at), np.uint64(at + reach * width)
        by = np.uint64(reach)
        north = max(max(mean[above - by], mean[above]), mean[above + by])
        south = max(max(mean[below - by], mean[below]), mean[below + by])
        return mean[here] - max(max(north, south), max(mean[here - by], mean[here + by]))
    for v in (y - reach, y, y + reach):
        for u in (x - reach, x, x + reach):
            if 0 <= v < height and 0 <= u < width and (v != y or u != x):
                highest = max(highest, mean[v * width + u])
    return mean[at] - highest
