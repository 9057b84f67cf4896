"""Crops of cells smoothed inside their own mask, and the bright spots in them.

Crops are packed: cell i owns starts[i]:starts[i + 1] of a flat array, the rows of its box one after the other.
"""

import numpy as np

from features.kernels.cpu._jit import helper, kernel, sum_helper


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
        top, left, bottom, right = boxes[i]
        for y in range(bottom - top):
            target = parts[starts[i] + y * (right - left) :]
            cell, nucleus = cell_labels[field[i], top + y, left:right], nucleus_labels[field[i], top + y, left:right]
            for x in range(right - left):
                target[x] = np.uint8(cell[x] == i + 1) + np.uint8(nucleus[x] == i + 1)


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
    largest, widest = int(np.diff(starts).max(initial=0)), int((boxes[:, 3] - boxes[:, 1]).max(initial=0))
    longest = 2 * int(reach.max(initial=0)) + 1
    # no sum is above the brightest value times all weights: 32 bits are twice as fast as 64 where that fits
    adder = np.int32 if 256.0**planes.itemsize * float(longest) ** 4 < 2.0**31 else np.int64
    image, inverse = np.empty(largest, adder), np.empty((reach.shape[1], largest), np.float32)
    rows = np.zeros((4, widest + 3 * longest), adder)
    _local_means(planes, parts, starts, field, boxes, reach, finest, image, inverse, rows, out)
    return out


@kernel
def _local_means(
    planes: np.ndarray, parts: np.ndarray, starts: np.ndarray, field: np.ndarray, boxes: np.ndarray,
    reach: np.ndarray, finest: np.ndarray, image: np.ndarray, inverse: np.ndarray, rows: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    n_scales = reach.shape[1]
    for i in range(len(boxes)):
        top, left, width = boxes[i, 0], boxes[i, 1], boxes[i, 3] - boxes[i, 1]
        height, start = boxes[i, 2] - top, starts[i]
        n = height * width
        inside = parts[start : starts[i + 1]]
        for x in range(n):
            image[x] = inside[x] > 0
        for scale in range(n_scales):
            weights = inverse[scale]
            for x in range(n):
                weights[x] = 1
            _weighted_tent(image, width, n, 2 * reach[field[i], scale] + 1, weights, rows, weights)
            for x in range(n):
                weights[x] = np.float32(inside[x] > 0) / max(weights[x], np.float32(1))
        for plane in range(planes.shape[1]):
            for y in range(height):
                source, part = planes[field[i], plane, top + y, left : left + width], inside[y * width :]
                target = image[y * width :]
                for x in range(width):
                    target[x] = source[x] if part[x] > 0 else 0
            for scale in range(finest[plane], n_scales):
                mean = out[plane, scale, start : starts[i + 1]]
                _weighted_tent(image, width, n, 2 * reach[field[i], scale] + 1, inverse[scale], rows, mean)


@helper
def _weighted_tent(
    image: np.ndarray, width: int, n: int, size: int, factor: np.ndarray, rows: np.ndarray, out: np.ndarray
) -> None:
    """A factor times the sums of image weighted with a tent of `size` in both directions; outside it is nothing.

    The image, the factor and what comes out are `n` pixels, row by row. The second difference of these sums is
    a[x + size] - 2 a[x] + a[x - size], so two running sums give them. Each row of the sums down the columns goes
    straight into the sums along the row, while it is in the nearest cache. Four rows of zeros are scratch, and zeros
    again afterwards.
    """
    padded, slopes, sums, nothing = rows[0], rows[1], rows[2], rows[3]
    column = padded[2 * size : 2 * size + width]
    behind, here, ahead = padded[size - 1 :], padded[2 * size - 1 :], padded[3 * size - 1 :]
    for y in range(-size, n // width - 1):
        lower = image[(y + size) * width :] if (y + size) * width < n else nothing
        middle = image[y * width :] if y >= 0 else nothing
        upper = image[(y - size) * width :] if y >= size else nothing
        for x in range(width):
            slopes[x] += lower[x] - 2 * middle[x] + upper[x]
            column[x] += slopes[x]
        if y < -1:
            continue
        total, slope = 0, 0
        for x in range(2 * size, 3 * size - 1):
            slope += padded[x]
            total += slope
        for x in range(width):
            sums[x] = ahead[x] - 2 * here[x] + behind[x]
        for x in range(width):
            slope += sums[x]
            total += slope
            sums[x] = total
        scale, target = factor[(y + 1) * width :], out[(y + 1) * width :]
        for x in range(width):
            target[x] = np.float32(sums[x]) * scale[x]
    for x in range(width):
        column[x] = slopes[x] = 0


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
    height, width = (boxes[:, 2:] - boxes[:, :2]).max(axis=0, initial=0).tolist()
    band, highest = np.zeros((height + 2, width + 2), np.float32), np.zeros(width // 8 * 8 + 8, np.uint8)
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
        mean, rough = fine[start : starts[i + 1]], coarse[start : starts[i + 1]]
        _measure_noise(mean, rough, parts[start : starts[i + 1]], noise[i])
        _fill_band(mean, rough, height, width, band)
        for x in range(width, width // 8 * 8 + 8):
            highest[x] = 0
        for y in range(height):
            _mark_maxima(band[y], band[y + 1], band[y + 2], highest[:width])
            for word in range(width // 8 + 1):
                if words[word] == 0:  # eight pixels at a time: most are none
                    continue
                for x in range(8 * word, 8 * word + 8):
                    if highest[x] and _rise(mean, height, width, y, x, reach[i]) > prominence * band[y + 1, x + 1]:
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
    """The band of a cell framed with zeros, so that no neighbour needs a check."""
    for x in range(width + 2):
        band[0, x] = band[height + 1, x] = 0
    for y in range(height):
        above, below, target = fine[y * width :], coarse[y * width :], band[y + 1, 1:]
        band[y + 1, 0] = band[y + 1, width + 1] = 0
        for x in range(width):
            target[x] = above[x] - below[x]


@helper
def _mark_maxima(north: np.ndarray, row: np.ndarray, south: np.ndarray, highest: np.ndarray) -> None:
    """Which pixels of a framed row are above zero and above their neighbours; outside the cell these are 0."""
    north_east, south_east, east = north[2:], south[2:], row[2:]
    north_here, south_here, here = north[1:], south[1:], row[1:]
    for x in range(len(highest)):
        before = max(max(north[x], north_here[x]), max(north_east[x], row[x]))
        after = max(max(south[x], south_here[x]), max(south_east[x], east[x]))
        highest[x] = (here[x] > max(before, np.float32(0))) & (here[x] >= after)


@helper
def _rise(mean: np.ndarray, height: int, width: int, y: int, x: int, reach: int) -> float:
    """How far a pixel rises above the highest of eight around it; outside the cell these are 0."""
    highest = np.float32(0)
    for v in (y - reach, y, y + reach):
        for u in (x - reach, x, x + reach):
            if 0 <= v < height and 0 <= u < width and (v != y or u != x):
                highest = max(highest, mean[v * width + u])
    return mean[y * width + x] - highest
