"""Smoothing inside each cell, and sums of what its derivatives say: bands, curvature, orientation.

Every cell is smoothed in a crop of its own with weights that leave out what lies outside it (normalised convolution),
by the B3 spline of the a-trous wavelet: taps 1 4 6 4 1 (/ 16), which lie 1, 2, 4, 8 px apart from level to level.
"""

import numpy as np

from features.kernels.cpu._jit import Int, helper, kernel, sum_helper

N_LEVELS = 4
N_BAND_SUMS = N_LEVELS + 3
CURVATURE_LEVELS = 3
N_CURVATURE_SUMS = 7
ORIENTATION_LEVELS = 2
N_SECTORS = 8
N_ORIENTATION_SUMS = 5 + N_SECTORS
_PAD = 2 << (N_LEVELS - 1)  # px that the widest smoothing reaches
_JOINED, _LONGEST = 48, 1024  # px: between rows that are summed in one stretch, and of a stretch
_BLOCK = 8  # px at the first level, twice as many at the next
_OUTER, _INNER, _MIDDLE = np.float32(1 / 16), np.float32(4 / 16), np.float32(6 / 16)
_ZERO, _HALF, _TWO, _TINY = np.float32(0), np.float32(0.5), np.float32(2), np.float32(1e-30)


@helper
def _smooth(
    flat: np.ndarray, start: int, stride: int, spacing: int, weights: np.ndarray, down: np.ndarray, out: np.ndarray
) -> None:
    """Smooth the plane that starts there with the B3 spline, taps `spacing` px apart, and multiply by the weights.

    There are zeros between rows, above and below, so that one long loop a direction needs no case for borders, and
    short rows cost no more than long ones. `down` is scratch that starts and ends with zeros.
    """
    near, far = spacing * stride, 2 * spacing * stride
    here, above, high = flat[start:], flat[start - near :], flat[start - far :]
    below, low, sums = flat[start + near :], flat[start + far :], down[_PAD:]
    for x in range(weights.size):
        sums[x] = _OUTER * (high[x] + low[x]) + _INNER * (above[x] + below[x]) + _MIDDLE * here[x]
    left, far_left = down[_PAD - spacing :], down[_PAD - 2 * spacing :]
    right, far_right = down[_PAD + spacing :], down[_PAD + 2 * spacing :]
    for x in range(weights.size):
        sum_ = _OUTER * (far_left[x] + far_right[x]) + _INNER * (left[x] + right[x]) + _MIDDLE * sums[x]
        out[x] = sum_ * weights[x]


@helper
def _mask_weights(
    flat: np.ndarray, start: int, stride: int, inside: np.ndarray, down: np.ndarray, out: np.ndarray
) -> None:
    """Fill out[j] with 1 / (smoothed mask) of each level inside the mask, the plane that starts there; 0 outside."""
    for j in range(N_LEVELS):
        weight = out[j, : inside.size]
        _smooth(flat, start, stride, 1 << j, inside, down, weight)
        for x in range(weight.size):
            weight[x] = inside[x] / max(weight[x], _TINY)


@helper
def _inner(mask: np.ndarray, stride: int, down: np.ndarray, out: np.ndarray) -> None:
    """1 at the pixels whose 3 x 3 neighbourhood lies in the mask, otherwise 0; flat, the last column must be 0."""
    across = down[_PAD : _PAD + mask.size]
    before, here, after, target = mask[:-2], mask[1:-1], mask[2:], across[1:-1]
    for x in range(target.size):
        target[x] = before[x] * here[x] * after[x]
    across[0] = across[mask.size - 1] = 0
    for x in range(stride):
        out[x] = out[out.size - 1 - x] = 0
    above, middle, below, target = (
        across[: -2 * stride],
        across[stride:-stride],
        across[2 * stride :],
        out[stride:-stride],
    )
    for x in range(target.size):
        target[x] = above[x] * middle[x] * below[x]


@helper
def _stretches(spans: np.ndarray, stride: int, out: np.ndarray) -> int:
    """Stretches of a flat crop that hold all rows' spans: begin and end, into `out`; returns their number.

    Rows whose spans are near each other are joined: beginning a loop costs as much as some dozen pixels of weight 0. A
    stretch is summed in float32, so where it ends changes values by up to 1e-5 of their size.
    """
    n = 0
    for y in range(len(spans)):
        first, last = y * stride + spans[y, 0], y * stride + spans[y, 1]
        if first == last:
            continue
        if n and first - out[n - 1, 1] <= _JOINED and last - out[n - 1, 0] <= _LONGEST:
            out[n - 1, 1] = last
            continue
        out[n, 0], out[n, 1] = first, last
        n += 1
    return n


@sum_helper
def _add_bands(
    flat: np.ndarray, start: int, step: int, mask: np.ndarray, stretches: np.ndarray, out: np.ndarray
) -> None:
    """Add the energy of each band, and the sum and the square sum of the smoothest level, over the mask.

    The levels start there in the flat planes, `step` apart.
    """
    for k in range(len(stretches)):
        first, last = stretches[k, 0], stretches[k, 1]
        inside, l0, l1 = mask[first:last], flat[start + first :], flat[start + step + first :]
        l2, l3 = flat[start + 2 * step + first :], flat[start + 3 * step + first :]
        smoothest = flat[start + N_LEVELS * step + first :]
        e0, e1, e2, e3, total, squares = _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO
        for x in range(inside.size):
            # one pass over all levels: what is in memory's way here is reading, not counting
            w, a, b, c, d, rest = inside[x], l0[x], l1[x], l2[x], l3[x], smoothest[x]
            e0 += w * (a - b) * (a - b)
            e1 += w * (b - c) * (b - c)
            e2 += w * (c - d) * (c - d)
            e3 += w * (d - rest) * (d - rest)
            total += w * rest
            squares += w * rest * rest
        out[0] += e0
        out[1] += e1
        out[2] += e2
        out[3] += e3
        out[4] += total
        out[5] += squares


@sum_helper
def _add_curvature(
    flat: np.ndarray, start: int, stride: int, inner: np.ndarray, stretches: np.ndarray, out: np.ndarray
) -> None:  # fmt: skip
    """Add what the Hessian's eigenvalues say: pixels, ridge, valley, blob, hole, |eigenvalues|, Laplacian squared.

    With trace t and root r = sqrt((xx - yy)^2 + 4 xy^2), |first| + |second| eigenvalue = max(|t|, r), which is split
    into the part across a line (ridge or valley), along both axes (blob or hole), and the rest (saddle). The level
    starts there in the flat planes, with zeros around it.
    """
    for k in range(len(stretches)):
        first, last = stretches[k, 0], stretches[k, 1]
        at = start + first
        weight, here, left, right = inner[first:last], flat[at:], flat[at - 1 :], flat[at + 1 :]
        up, up_left, up_right = flat[at - stride :], flat[at - stride - 1 :], flat[at - stride + 1 :]
        down, down_left, down_right = flat[at + stride :], flat[at + stride - 1 :], flat[at + stride + 1 :]
        n, ridge, valley, blob, hole, size, squares = _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO
        for x in range(weight.size):
            w, twice = weight[x], _TWO * here[x]
            xx, yy = left[x] + right[x] - twice, up[x] + down[x] - twice
            xy = (up_left[x] + down_right[x] - up_right[x] - down_left[x]) * _HALF
            trace, root = xx + yy, np.sqrt((xx - yy) * (xx - yy) + xy * xy)
            n += w
            ridge += w * max(_ZERO, min(root, -trace))
            valley += w * max(_ZERO, min(root, trace))
            blob += w * max(_ZERO, -trace - root)
            hole += w * max(_ZERO, trace - root)
            size += w * max(root, abs(trace))
            squares += w * trace * trace
        out[0] += n
        out[1] += ridge
        out[2] += valley
        out[3] += blob
        out[4] += hole
        out[5] += size
        out[6] += squares


@helper
def _add_blocks(tensor: np.ndarray, width: int, block: int, out: np.ndarray) -> None:
    """Add the structure tensors of a row of blocks: trace, coherent part, double-angle sums, sectors of direction."""
    for first in range(0, width, block):
        last = min(first + block, width)
        xx, yy, xy = 0.0, 0.0, 0.0
        for x in range(first, last):
            xx += tensor[0, x]
            yy += tensor[1, x]
            xy += tensor[2, x]
        if xx + yy == 0:
            continue
        cosine, sine = xx - yy, 2 * xy
        coherent = np.sqrt(cosine * cosine + sine * sine)
        out[1] += xx + yy
        out[2] += coherent
        out[3] += cosine
        out[4] += sine
        # the eighth of the circle, counted from -180 degrees: an arc tangent is slow
        upper = sine > 0 or (sine == 0 and cosine >= 0)
        a, b = (cosine, sine) if upper else (-cosine, -sine)
        sector = 4 * int(upper) + (int(b >= a) if a > 0 else 2 + int(b <= -a))
        out[5 + sector] += coherent
    for x in range(width):
        tensor[0, x] = tensor[1, x] = tensor[2, x] = 0


@sum_helper
def _add_orientation(
    level: np.ndarray, inner: np.ndarray, width: int, spans: np.ndarray, block: int, tensor: np.ndarray, out: np.ndarray
) -> None:
    """Add gradient magnitudes and the structure tensors of square blocks, counted from the crop's corner.

    The level and the mask are flat, rows `width` px apart, with 16 px of weight 0 after each, so that rows are summed
    in whole vectors; `tensor` is scratch, zeros before and afterwards.
    """
    height = len(spans)
    for y in range(1, height - 1):
        first, last = max(spans[y, 0], 1), min(spans[y, 1], width - 1)
        at = y * width + first
        up, down, left, right = level[at - width :], level[at + width :], level[at - 1 :], level[at + 1 :]
        weight, xx, yy, xy = inner[at:], tensor[0, first:], tensor[1, first:], tensor[2, first:]
        magnitude = _ZERO
        for x in range((last - first + 15) // 16 * 16):  # beyond the last pixel weights are 0
            w = weight[x] * _HALF
            gx, gy = (right[x] - left[x]) * w, (down[x] - up[x]) * w
            xx[x] += gx * gx
            yy[x] += gy * gy
            xy[x] += gx * gy
            magnitude += np.sqrt(gx * gx + gy * gy)
        out[0] += magnitude
        if y % block == block - 1 or y == height - 2:
            _add_blocks(tensor, width, block, out)


@sum_helper
def _fill_mask(
    labels: np.ndarray, label: Int, box: np.ndarray, out: np.ndarray, stride: int, spans: np.ndarray
) -> Int:  # fmt: skip
    """1 in the region, 0 outside it; spans[y]: its first column and the one after the last. Return its pixels."""
    n, label = 0, np.int32(label)
    for y in range(len(spans)):
        row, target = labels[box[0] + y, box[1] : box[3]], out[y * stride : (y + 1) * stride]
        nothing, end = np.int32(0), np.int32(row.size)
        in_row, first, last = nothing, end, nothing
        for x in range(row.size):
            mine = row[x] == label
            target[x] = np.float32(mine)
            in_row += np.int32(mine)
            first = min(first, np.int32(x) if mine else end)
            last = max(last, np.int32(x + 1) if mine else nothing)
        for x in range(row.size, stride):
            target[x] = 0
        spans[y, 0], spans[y, 1] = min(first, last), last
        n += np.int64(in_row)
    return n


@helper
def _level_sum(pixels: np.ndarray, box: np.ndarray, mask: np.ndarray, stride: int, spans: np.ndarray) -> Int:
    """The sum of the levels in the mask, exact."""
    total = 0
    for y in range(len(spans)):
        first, last = spans[y, 0], spans[y, 1]
        row, inside = pixels[box[0] + y, box[1] + first : box[1] + last], mask[y * stride + first : y * stride + last]
        for x in range(row.size):
            total += np.int64(row[x]) * np.int64(inside[x])
    return total


@helper
def _center(
    pixels: np.ndarray, box: np.ndarray, mask: np.ndarray, stride: int, mean: float, out: np.ndarray
) -> None:  # fmt: skip
    """The levels less their mean, 0 outside the mask: exactly 0 everywhere if the region is flat."""
    for y in range(box[2] - box[0]):
        row, inside, target = pixels[box[0] + y, box[1] : box[3]], mask[y * stride :], out[y * stride :]
        for x in range(row.size):
            target[x] = np.float32(row[x] - mean) * inside[x]
        for x in range(row.size, stride):
            target[x] = 0


@helper
def _clear_between(flat: np.ndarray, down: np.ndarray, start: int, step: int, size: int) -> None:
    """Set to 0 what lies between the planes: above the first, which starts there, and between it and those below."""
    for x in range(start):
        flat[x] = 0
    for k in range(N_LEVELS + 2):
        for x in range(start + k * step + size, start + (k + 1) * step):
            flat[x] = 0
    for x in range(_PAD + size, size + 2 * _PAD):
        down[x] = 0


def derivative_sums(
    pixels: np.ndarray, measured: np.ndarray, cell_labels: np.ndarray, nucleus_labels: np.ndarray,
    field: np.ndarray, boxes: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Sum band energies, curvatures and gradients of each cell (or its nucleus, in the cell's own smoothed crop).

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (n_fields, n_channels, H, W)
    measured : ndarray of int64, shape (n_measured, 2)
        Channel, and 1 to sum over the nucleus or 0 for the whole cell; equal channels in a row share the smoothing.
    cell_labels, nucleus_labels : ndarray of int32, shape (n_fields, H, W)
    field : ndarray of int32, shape (n,)
    boxes : ndarray of int32, shape (n, 4)
        top, left, bottom, right of each cell.

    Returns
    -------
    bands : ndarray of float64, shape (n, n_measured, 7)
        Energies of the details at 1, 2, 4, 8 px; sum and square sum of what is left; sum of the levels.
    curvature : ndarray of float64, shape (n, n_measured, 3, 7)
        After smoothing at 1, 2, 4 px: pixels, ridge, valley, blob, hole, |eigenvalues|, Laplacian squared.
    orientation : ndarray of float64, shape (n, n_measured, 2, 13)
        After smoothing at 1, 2 px: gradient magnitude; of the structure tensors of blocks of 8, 16 px the
        trace, coherent part, cosine and sine of the double angle, and coherent part by 8 sectors of direction.
    """
    n, n_measured = len(field), len(measured)
    bands = np.zeros((n, n_measured, N_BAND_SUMS))
    curvature = np.zeros((n, n_measured, CURVATURE_LEVELS, N_CURVATURE_SUMS))
    orientation = np.zeros((n, n_measured, ORIENTATION_LEVELS, N_ORIENTATION_SUMS))
    sides = (boxes[:, 2:] - boxes[:, :2]).astype(np.int64)
    largest = int((sides + _PAD).prod(axis=1).max(initial=0))
    height, width = sides.max(axis=0, initial=0).tolist()
    flat = np.empty((N_LEVELS + 2) * largest + _PAD * (width + _PAD), np.float32)  # mask and levels, zeros between them
    planes = np.empty((N_LEVELS + 3, largest), np.float32)  # weights of the levels, mask of the nucleus, inner pixels
    down, tensor = np.zeros(largest + 2 * _PAD, np.float32), np.zeros((3, width + _PAD), np.float32)
    spans, stretches = np.empty((2, height, 2), np.int64), np.empty((2, height, 2), np.int64)
    scratch = (flat, planes, down, spans, stretches, np.empty((2, 2), np.int64), tensor)
    images = (pixels, measured, cell_labels, nucleus_labels)
    _derivative_sums(*images, field, boxes, *scratch, bands, curvature, orientation)
    return bands, curvature, orientation


@kernel
def _derivative_sums(
    pixels: np.ndarray, measured: np.ndarray, cell_labels: np.ndarray, nucleus_labels: np.ndarray,
    field: np.ndarray, boxes: np.ndarray, flat: np.ndarray, planes: np.ndarray, down: np.ndarray, spans: np.ndarray,
    stretches: np.ndarray, counts: np.ndarray, tensor: np.ndarray, bands: np.ndarray, curvature: np.ndarray,
    orientation: np.ndarray,
) -> None:  # fmt: skip
    n_pixels, n_stretches = counts[0], counts[1]
    for i in range(len(field)):
        height, stride = boxes[i, 2] - boxes[i, 0], boxes[i, 3] - boxes[i, 1] + _PAD
        start, size, step, smoothed = _PAD * stride, height * stride, (height + _PAD) * stride, -1
        _clear_between(flat, down, start, step, size)
        whole = flat[start : start + size]
        for k in range(2):
            labels, mask = (cell_labels, whole) if k == 0 else (nucleus_labels, planes[N_LEVELS, :size])
            n_pixels[k] = _fill_mask(labels[field[i]], i + 1, boxes[i], mask, stride, spans[k, :height])
            _inner(mask, stride, down, planes[N_LEVELS + 1 + k, :size])
            n_stretches[k] = _stretches(spans[k, :height], stride, stretches[k])
        _mask_weights(flat, start, stride, whole, down, planes)
        for m in range(len(measured)):
            channel, k = measured[m, 0], measured[m, 1]
            plane, mask = pixels[field[i], channel], whole if k == 0 else planes[N_LEVELS, :size]
            inner, mine, rows = planes[N_LEVELS + 1 + k, :size], stretches[k, : n_stretches[k]], spans[k, :height]
            bands[i, m, N_LEVELS + 2] = total = _level_sum(plane, boxes[i], mask, stride, rows)
            if channel != smoothed:
                if k == 1:
                    total = _level_sum(plane, boxes[i], whole, stride, spans[0, :height])
                _center(plane, boxes[i], whole, stride, total / n_pixels[0], flat[start + step :])
                for j in range(N_LEVELS):
                    here, there = start + (j + 1) * step, flat[start + (j + 2) * step :]
                    _smooth(flat, here, stride, 1 << j, planes[j, :size], down, there)
                smoothed = channel
            _add_bands(flat, start + step, step, mask, mine, bands[i, m])
            for j in range(CURVATURE_LEVELS):
                _add_curvature(flat, start + (j + 2) * step, stride, inner, mine, curvature[i, m, j])
            for j in range(ORIENTATION_LEVELS):
                level, block = flat[start + (j + 2) * step :], _BLOCK << j
                _add_orientation(level, inner, stride, rows, block, tensor, orientation[i, m, j])
