"""Crops of cells smoothed inside their own mask, and the bright spots in them.

Crops are packed: cell i owns starts[i]:starts[i + 1] of a flat array, the rows of its box one after the other.
"""

import numpy as np

from features._kernels_cpu._jit import kernel


@kernel
def pack_parts(
    cell_labels: np.ndarray, nucleus_labels: np.ndarray, field: np.ndarray, boxes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where the crop of each cell lies, and what its pixels are.

    Parameters
    ----------
    cell_labels, nucleus_labels : ndarray of int32, shape (n_fields, H, W)
    field : ndarray of int32, shape (n,)
    boxes : ndarray of int32, shape (n, 4)
        top, left, bottom, right.

    Returns
    -------
    starts : ndarray of int64, shape (n + 1,)
    parts : ndarray of uint8, shape (starts[-1],)
        0 outside the cell, 1 in the cytoplasm, 2 in the nucleus.
    """
    starts = np.zeros(len(field) + 1, np.int64)
    for i in range(len(field)):
        starts[i + 1] = starts[i] + (boxes[i, 2] - boxes[i, 0]) * (boxes[i, 3] - boxes[i, 1])
    parts = np.empty(starts[-1], np.uint8)
    for i in range(len(field)):
        top, left, bottom, right = boxes[i]
        crop = parts[starts[i] : starts[i + 1]].reshape(bottom - top, right - left)
        for y in range(bottom - top):
            cell, nucleus = cell_labels[field[i], top + y, left:right], nucleus_labels[field[i], top + y, left:right]
            for x in range(right - left):
                crop[y, x] = np.uint8(cell[x] == i + 1) + np.uint8(nucleus[x] == i + 1)
    return starts, parts


@kernel
def local_means(
    planes: np.ndarray, parts: np.ndarray, starts: np.ndarray, field: np.ndarray, boxes: np.ndarray, reach: np.ndarray
) -> np.ndarray:
    """Weighted means around each pixel over its cell's own pixels only (normalised convolution, Knutsson 1993).

    The weights are a tent in rows times a tent in columns: two square means of 2 * reach + 1 pixels one after the
    other, a Gaussian in good approximation, summed in integers at a cost that does not depend on the reach.

    Parameters
    ----------
    planes : ndarray of uint8 or uint16, shape (n_fields, n_planes, H, W)
    parts, starts
        From `pack_parts`.
    field, boxes
        As there.
    reach : ndarray of int64, shape (n_fields, n_scales)
        In px.

    Returns
    -------
    ndarray of float32, shape (n_planes, n_scales, starts[-1])
        0 outside the cell.
    """
    n_planes, n_scales = planes.shape[1], reach.shape[1]
    out = np.zeros((n_planes, n_scales, len(parts)), np.float32)
    for i in range(len(boxes)):
        top, left, bottom, right = boxes[i]
        height, width = bottom - top, right - left
        part = parts[starts[i] : starts[i + 1]].reshape(height, width)
        mask = (part > 0).astype(np.int64)
        inverse = np.empty((n_scales, height, width))
        for scale in range(n_scales):
            weights = _tent_sums(mask, 2 * reach[field[i], scale] + 1)
            inverse[scale] = mask / np.maximum(weights, 1)
        for plane in range(n_planes):
            masked = mask * planes[field[i], plane, top:bottom, left:right]
            for scale in range(n_scales):
                sums = _tent_sums(masked, 2 * reach[field[i], scale] + 1)
                mean = out[plane, scale, starts[i] : starts[i + 1]].reshape(height, width)
                for y in range(height):
                    for x in range(width):
                        mean[y, x] = sums[y, x] * inverse[scale, y, x]
    return out


@kernel
def _tent_sums(image: np.ndarray, size: int) -> np.ndarray:
    """Sums of image weighted with a tent of `size` in both directions; outside it there is nothing.

    The second difference of these sums is a[x + size] - 2 a[x] + a[x - size], so two running sums give them.
    """
    height, width = image.shape
    rows, sums = np.empty_like(image), np.empty_like(image)
    padded = np.zeros(width + 3 * size, np.int64)
    source, behind, here, ahead = padded[2 * size :], padded[size - 1 :], padded[2 * size - 1 :], padded[3 * size - 1 :]
    for y in range(height):
        row = image[y]
        for x in range(width):
            source[x] = row[x]
        total, slope = 0, 0
        for x in range(size - 1):
            slope += source[x]
            total += slope
        row = rows[y]
        for x in range(width):
            slope += ahead[x] - 2 * here[x] + behind[x]
            total += slope
            row[x] = total
    nothing, total, slope = np.zeros(width, np.int64), np.zeros(width, np.int64), np.zeros(width, np.int64)
    for y in range(-size, height - 1):
        ahead = rows[y + size] if y + size < height else nothing
        here = rows[y] if y >= 0 else nothing
        behind = rows[y - size] if y >= size else nothing
        target = sums[max(y + 1, 0)]
        for x in range(width):
            change = slope[x] + ahead[x] - 2 * here[x] + behind[x]
            slope[x] = change
            total[x] += change
            target[x] = total[x]
    return sums


@kernel
def peaks(band: np.ndarray, parts: np.ndarray, starts: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Local maxima of a band inside each cell, and how far the band swings below zero.

    Parameters
    ----------
    band : ndarray of float32, shape (starts[-1],)
        0 outside the cells.
    parts, starts, boxes
        As in `local_means`.

    Returns
    -------
    positions : ndarray of int64
        Packed positions, ascending, of pixels above zero and above their eight neighbours in the cell (of equal ones
        the first in row-major order).
    noise : ndarray of float64, shape (n, 2)
        Root mean square of the negative values in cytoplasm and nucleus; spots do not add to it. 0 without any.
    """
    positions = np.empty(len(band), np.int64)
    found = 0
    noise = np.zeros((len(boxes), 2))
    for i in range(len(boxes)):
        height, width = boxes[i, 2] - boxes[i, 0], boxes[i, 3] - boxes[i, 1]
        part = parts[starts[i] : starts[i + 1]].reshape(height, width)
        values = band[starts[i] : starts[i + 1]].reshape(height, width)
        below = np.zeros(2, np.int64)
        for y in range(height):
            for x in range(width):
                if part[y, x] == 0:
                    continue
                if values[y, x] < 0:
                    noise[i, part[y, x] - 1] += values[y, x] * values[y, x]
                    below[part[y, x] - 1] += 1
                elif values[y, x] > 0 and _is_peak(values, y, x):
                    positions[found] = starts[i] + y * width + x
                    found += 1
        for k in range(2):
            if below[k] > 0:
                noise[i, k] = np.sqrt(noise[i, k] / below[k])
    return positions[:found].copy(), noise


@kernel
def _is_peak(values: np.ndarray, y: int, x: int) -> bool:
    """Whether a positive value is above its neighbours; outside the cell they are 0."""
    height, width = values.shape
    mine = values[y, x]
    if (x > 0 and values[y, x - 1] >= mine) or (x + 1 < width and values[y, x + 1] > mine):
        return False
    for u in range(max(0, x - 1), min(width, x + 2)):
        if (y > 0 and values[y - 1, u] >= mine) or (y + 1 < height and values[y + 1, u] > mine):
            return False
    return True


@kernel
def prominences(
    means: np.ndarray,
    starts: np.ndarray,
    boxes: np.ndarray,
    owner: np.ndarray,
    y: np.ndarray,
    x: np.ndarray,
    reach: np.ndarray,
) -> np.ndarray:
    """How far a pixel rises above the highest of eight around it, `reach` rows and columns away.

    A spot rises above all of them; the upper side of a step does not, nor does a fibre.

    Parameters
    ----------
    means : ndarray of float32, shape (starts[-1],)
        0 outside the cells.
    starts, boxes
        As in `local_means`.
    owner, y, x : ndarray of int64, shape (n_points,)
        The cell, and the place from the corner of its box.
    reach : ndarray of int64, shape (n,)
        In px, for each cell.

    Returns
    -------
    ndarray of float32, shape (n_points,)
    """
    out = np.empty(len(owner), np.float32)
    for k in range(len(owner)):
        i = owner[k]
        height, width = boxes[i, 2] - boxes[i, 0], boxes[i, 3] - boxes[i, 1]
        crop = means[starts[i] : starts[i + 1]].reshape(height, width)
        highest = np.float32(0)
        for v in (y[k] - reach[i], y[k], y[k] + reach[i]):
            for u in (x[k] - reach[i], x[k], x[k] + reach[i]):
                if 0 <= v < height and 0 <= u < width and (v != y[k] or u != x[k]):
                    highest = max(highest, crop[v, u])
        out[k] = crop[y[k], x[k]] - highest
    return out


@kernel
def nearest_distances(y: np.ndarray, x: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Distance of each point to the nearest other one of the same owner.

    Parameters
    ----------
    y, x : ndarray of int64, shape (n_points,)
    owner : ndarray of int64, shape (n_points,)
        Ascending.

    Returns
    -------
    ndarray of float64, shape (n_points,)
        NaN where a point is alone.
    """
    out = np.full(len(y), np.nan)
    first = 0
    for last in range(1, len(y) + 1):
        if last < len(y) and owner[last] == owner[first]:
            continue
        for a in range(first, last):
            closest = np.inf
            for b in range(first, last):
                distance = (y[a] - y[b]) ** 2 + (x[a] - x[b]) ** 2
                if a != b and distance < closest:
                    closest = distance
            if closest < np.inf:
                out[a] = np.sqrt(closest)
        first = last
    return out
