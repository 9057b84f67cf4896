"""Crops of cells smoothed inside their own mask, and the bright spots in them.

Crops are packed: cell i owns starts[i]:starts[i + 1] of a flat array, the rows of its box one after the other.
"""

import numpy as np

from features.kernels.cpu._jit import kernel


@kernel
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
    for i in range(len(field)):
        top, left, bottom, right = boxes[i]
        crop = parts[starts[i] : starts[i + 1]].reshape(bottom - top, right - left)
        for y in range(bottom - top):
            cell, nucleus = cell_labels[field[i], top + y, left:right], nucleus_labels[field[i], top + y, left:right]
            for x in range(right - left):
                crop[y, x] = np.uint8(cell[x] == i + 1) + np.uint8(nucleus[x] == i + 1)
    return parts


@kernel
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
    brightest = 256 ** float(planes.itemsize)
    for i in range(len(boxes)):
        shape = (boxes[i, 2] - boxes[i, 0], boxes[i, 3] - boxes[i, 1])
        inside = parts[starts[i] : starts[i + 1]].reshape(shape)
        crop = planes[field[i], :, boxes[i, 0] : boxes[i, 2], boxes[i, 1] : boxes[i, 3]]
        # no sum is above the brightest value times all weights: 32 bits are twice as fast as 64 where that fits
        if brightest * (2.0 * reach[field[i]].max() + 1) ** 4 < 2.0**31:
            _means_of_cell(crop, inside, reach[field[i]], finest, np.empty(shape, np.int32), out, starts[i])
        else:
            _means_of_cell(crop, inside, reach[field[i]], finest, np.empty(shape, np.int64), out, starts[i])
    return out


@kernel
def _means_of_cell(
    planes: np.ndarray,
    inside: np.ndarray,
    reach: np.ndarray,
    finest: np.ndarray,
    image: np.ndarray,
    out: np.ndarray,
    start: int,
) -> None:
    """The means of one cell, into `out` from `start` on; `image` is scratch of the type that the sums fit in."""
    height, width = inside.shape
    inverse = np.empty((len(reach), height, width), np.float32)
    for y in range(height):
        for x in range(width):
            image[y, x] = inside[y, x] > 0
    for scale in range(len(reach)):
        weights = inverse[scale]
        weights[:] = 1
        _weighted_tent(image, 2 * reach[scale] + 1, weights, weights)
        for y in range(height):
            for x in range(width):
                weights[y, x] = np.float32(inside[y, x] > 0) / max(weights[y, x], np.float32(1))
    for plane in range(len(planes)):
        for y in range(height):
            source, part, target = planes[plane, y], inside[y], image[y]
            for x in range(width):
                target[x] = source[x] if part[x] > 0 else 0
        for scale in range(finest[plane], len(reach)):
            mean = out[plane, scale, start : start + height * width].reshape(height, width)
            _weighted_tent(image, 2 * reach[scale] + 1, inverse[scale], mean)


@kernel
def _weighted_tent(image: np.ndarray, size: int, factor: np.ndarray, out: np.ndarray) -> None:
    """A factor times the sums of image weighted with a tent of `size` in both directions; outside it is nothing.

    The second difference of these sums is a[x + size] - 2 a[x] + a[x - size], so two running sums give them. Each
    row of the sums down the columns goes straight into the sums along the row, while it is in the nearest cache.
    """
    height, width = image.shape
    padded = np.zeros(width + 3 * size, image.dtype)
    slopes, sums = np.zeros(width, image.dtype), np.zeros(width, image.dtype)
    column = padded[2 * size : 2 * size + width]
    behind, here, ahead = padded[size - 1 :], padded[2 * size - 1 :], padded[3 * size - 1 :]
    nothing = np.zeros(width, image.dtype)
    for y in range(-size, height - 1):
        lower = image[y + size] if y + size < height else nothing
        middle = image[y] if y >= 0 else nothing
        upper = image[y - size] if y >= size else nothing
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
            slope += ahead[x] - 2 * here[x] + behind[x]
            total += slope
            sums[x] = total
        scale, target = factor[y + 1], out[y + 1]
        for x in range(width):
            target[x] = np.float32(sums[x]) * scale[x]


@kernel
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
    points = np.empty((len(fine), 4), np.int64)
    found, offsets = 0, np.zeros(len(boxes) + 1, np.int64)
    noise = np.zeros((len(boxes), 2))
    for i in range(len(boxes)):
        height, width = boxes[i, 2] - boxes[i, 0], boxes[i, 3] - boxes[i, 1]
        part = parts[starts[i] : starts[i + 1]].reshape(height, width)
        mean = fine[starts[i] : starts[i + 1]].reshape(height, width)
        band = np.zeros((height + 2, width + 2), np.float32)  # framed, so that no neighbour needs a check
        _fill_band(mean, coarse[starts[i] : starts[i + 1]].reshape(height, width), part, band, noise[i])
        highest = np.empty(width, np.bool_)
        for y in range(height):
            _mark_maxima(band[y], band[y + 1], band[y + 2], highest)
            for x in range(width):
                if highest[x] and _rise(mean, y, x, reach[i]) > prominence * band[y + 1, x + 1]:
                    points[found, 0], points[found, 1] = i, starts[i] + y * width + x
                    points[found, 2], points[found, 3] = y, x
                    found += 1
        offsets[i + 1] = found
    return points[:found].copy(), offsets, noise


@kernel
def _fill_band(fine: np.ndarray, coarse: np.ndarray, part: np.ndarray, band: np.ndarray, noise: np.ndarray) -> None:
    """The band of a cell, and its noise. Squares add up by column, which the compiler turns into vectors."""
    height, width = fine.shape
    squares, n = np.zeros((2, width)), np.zeros((2, width), np.int32)
    in_cytoplasm, in_nucleus = squares[0], squares[1]
    n_cytoplasm, n_nucleus = n[0], n[1]
    for y in range(height):
        above, below, which, target = fine[y], coarse[y], part[y], band[y + 1, 1:]
        for x in range(width):
            value = above[x] - below[x]
            target[x] = value
            dip = min(value, np.float32(0))
            square = np.float64(dip) * np.float64(dip)
            in_cytoplasm[x] += square if which[x] == 1 else 0.0
            in_nucleus[x] += square if which[x] == 2 else 0.0
            n_cytoplasm[x] += np.int32((dip < 0) & (which[x] == 1))
            n_nucleus[x] += np.int32((dip < 0) & (which[x] == 2))
    for k in range(2):
        if n[k].sum() > 0:
            noise[k] = np.sqrt(squares[k].sum() / n[k].sum())


@kernel
def _mark_maxima(north: np.ndarray, row: np.ndarray, south: np.ndarray, highest: np.ndarray) -> None:
    """Which pixels of a framed row are above zero and above their neighbours; outside the cell these are 0."""
    north_east, south_east, east = north[2:], south[2:], row[2:]
    north_here, south_here, here = north[1:], south[1:], row[1:]
    for x in range(len(highest)):
        before = max(max(north[x], north_here[x]), max(north_east[x], row[x]))
        after = max(max(south[x], south_here[x]), max(south_east[x], east[x]))
        highest[x] = (here[x] > max(before, np.float32(0))) & (here[x] >= after)


@kernel
def _rise(mean: np.ndarray, y: int, x: int, reach: int) -> float:
    """How far a pixel rises above the highest of eight around it; outside the cell these are 0."""
    height, width = mean.shape
    highest = np.float32(0)
    for v in (y - reach, y, y + reach):
        for u in (x - reach, x, x + reach):
            if 0 <= v < height and 0 <= u < width and (v != y or u != x):
                highest = max(highest, mean[v, u])
    return mean[y, x] - highest
