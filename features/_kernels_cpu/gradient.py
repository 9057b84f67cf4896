"""Smoothing inside each cell, and sums of what its derivatives say: bands, curvature, orientation.

Every cell is smoothed in a crop of its own with weights that leave out what lies outside it (normalised convolution),
by the B3 spline of the a-trous wavelet: taps 1 4 6 4 1 (/ 16), which lie 1, 2, 4, 8 px apart from level to level.
"""

import numba
import numpy as np

from features._kernels_cpu._jit import kernel

N_LEVELS = 4
N_BAND_SUMS = N_LEVELS + 3
CURVATURE_LEVELS = 3
N_CURVATURE_SUMS = 7
ORIENTATION_LEVELS = 2
N_SECTORS = 8
N_ORIENTATION_SUMS = 5 + N_SECTORS
_BLOCK = 8  # px at the first level, twice as many at the next
_OUTER, _INNER, _MIDDLE = np.float32(1 / 16), np.float32(4 / 16), np.float32(6 / 16)
_ZERO, _HALF, _TWO, _TINY = np.float32(0), np.float32(0.5), np.float32(2), np.float32(1e-30)

# Sums of a row may be taken in any order here (vector lanes); NaN and infinities keep their meaning.
_sum_kernel = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})


@kernel
def _find_spans(mask: np.ndarray, spans: np.ndarray) -> None:
    """Fill spans[y] with the first column inside the mask and the one after the last; equal where there is none."""
    for y in range(mask.shape[0]):
        first, last = 0, mask.shape[1]
        while first < last and mask[y, first] == 0:
            first += 1
        while last > first and mask[y, last - 1] == 0:
            last -= 1
        spans[y, 0], spans[y, 1] = first, last


@kernel
def _smooth(plane: np.ndarray, spacing: int, weights: np.ndarray, spans: np.ndarray, out: np.ndarray) -> None:
    """Smooth a crop with the B3 spline, taps `spacing` px apart, 0 outside it; times the weights, 0 off the spans."""
    height, width = plane.shape
    nothing = np.zeros(width, np.float32)
    padded = np.zeros(width + 4 * spacing, np.float32)
    across = padded[2 * spacing : 2 * spacing + width]
    for y in range(height):
        here = plane[y]
        above = plane[y - spacing] if y >= spacing else nothing
        high = plane[y - 2 * spacing] if y >= 2 * spacing else nothing
        below = plane[y + spacing] if y + spacing < height else nothing
        low = plane[y + 2 * spacing] if y + 2 * spacing < height else nothing
        for x in range(width):
            across[x] = _OUTER * (high[x] + low[x]) + _INNER * (above[x] + below[x]) + _MIDDLE * here[x]
        out[y] = 0
        first, last = spans[y]
        weight, target = weights[y, first:last], out[y, first:last]
        left, far_left = padded[first + spacing : last + spacing], padded[first:last]
        right, far_right = padded[first + 3 * spacing : last + 3 * spacing], padded[first + 4 * spacing :]
        middle = across[first:last]
        for x in range(target.size):
            sum_ = _OUTER * (far_left[x] + far_right[x]) + _INNER * (left[x] + right[x]) + _MIDDLE * middle[x]
            target[x] = sum_ * weight[x]


@kernel
def _mask_weights(mask: np.ndarray, spans: np.ndarray, out: np.ndarray) -> None:
    """Fill out[j] with 1 / (smoothed mask) of each level inside the mask, 0 outside."""
    for j in range(N_LEVELS):
        _smooth(mask, 1 << j, mask, spans, out[j])
        for y in range(mask.shape[0]):
            weight, inside = out[j, y], mask[y]
            for x in range(weight.size):
                weight[x] = inside[x] / max(weight[x], _TINY)


@kernel
def _inner(mask: np.ndarray, out: np.ndarray) -> None:
    """1 at the pixels whose 3 x 3 neighbourhood lies in the mask, otherwise 0."""
    width = mask.shape[1] - 2
    out[:] = 0
    for y in range(1, mask.shape[0] - 1):
        target = out[y, 1:-1]
        target[:] = 1
        for dy in range(-1, 2):
            left, middle, right = mask[y + dy, :-2], mask[y + dy, 1:-1], mask[y + dy, 2:]
            for x in range(width):
                target[x] *= left[x] * middle[x] * right[x]


@_sum_kernel
def _add_bands(levels: np.ndarray, mask: np.ndarray, spans: np.ndarray, out: np.ndarray) -> None:
    """Add the energy of each band, and the sum and the square sum of the smoothest level, over the mask."""
    for y in range(mask.shape[0]):
        first, last = spans[y]
        inside = mask[y, first:last]
        for j in range(N_LEVELS):
            finer, coarser, energy = levels[j, y, first:last], levels[j + 1, y, first:last], _ZERO
            for x in range(inside.size):
                detail = (finer[x] - coarser[x]) * inside[x]
                energy += detail * detail
            out[j] += energy
        smoothest, total, squares = levels[N_LEVELS, y, first:last], _ZERO, _ZERO
        for x in range(inside.size):
            value = smoothest[x] * inside[x]
            total += value
            squares += value * value
        out[N_LEVELS] += total
        out[N_LEVELS + 1] += squares


@_sum_kernel
def _add_curvature(level: np.ndarray, inner: np.ndarray, spans: np.ndarray, out: np.ndarray) -> None:
    """Add what the Hessian's eigenvalues say: pixels, ridge, valley, blob, hole, |eigenvalues|, Laplacian squared.

    With trace t and root r = sqrt((xx - yy)^2 + 4 xy^2), |first| + |second| eigenvalue = max(|t|, r), which is split
    into the part across a line (ridge or valley), along both axes (blob or hole), and the rest (saddle).
    """
    for y in range(1, level.shape[0] - 1):
        first, last = max(spans[y, 0], 1), min(spans[y, 1], level.shape[1] - 1)
        width = max(0, last - first)
        above, row, below = level[y - 1], level[y], level[y + 1]
        weight, here, left, right = inner[y, first:last], row[first:last], row[first - 1 :], row[first + 1 :]
        up, up_left, up_right = above[first:last], above[first - 1 :], above[first + 1 :]
        down, down_left, down_right = below[first:last], below[first - 1 :], below[first + 1 :]
        n, ridge, valley, blob, hole, size, squares = _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO
        for x in range(width):
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
        for k, value in enumerate((n, ridge, valley, blob, hole, size, squares)):
            out[k] += value


@_sum_kernel
def _add_gradient_row(up: np.ndarray, here: np.ndarray, down: np.ndarray, weight: np.ndarray, tensor: tuple) -> float:
    """Add one row's gradient products to the columns of `tensor` (xx, yy, xy); return the row's sum of magnitudes."""
    width = weight.size
    left, right, column_xx, column_yy, column_xy = here[:width], here[2:], tensor[0], tensor[1], tensor[2]
    magnitude = _ZERO
    for x in range(width):
        gx, gy = (right[x] - left[x]) * weight[x] * _HALF, (down[x] - up[x]) * weight[x] * _HALF
        column_xx[x] += gx * gx
        column_yy[x] += gy * gy
        column_xy[x] += gx * gy
        magnitude += np.sqrt(gx * gx + gy * gy)
    return magnitude


@kernel
def _add_blocks(tensor: np.ndarray, block: int, out: np.ndarray) -> None:
    """Add the structure tensors of a row of blocks: trace, coherent part, double-angle sums, sectors of direction."""
    for first in range(0, tensor.shape[1], block):
        last = min(first + block, tensor.shape[1])
        xx, yy, xy = 0.0, 0.0, 0.0
        for x in range(first, last):
            xx += tensor[0, x]
            yy += tensor[1, x]
            xy += tensor[2, x]
        if xx + yy == 0:
            continue
        coherent = np.sqrt((xx - yy) * (xx - yy) + 4 * xy * xy)
        sector = int((np.arctan2(2 * xy, xx - yy) / (2 * np.pi) + 0.5) * N_SECTORS) % N_SECTORS
        out[1] += xx + yy
        out[2] += coherent
        out[3] += xx - yy
        out[4] += 2 * xy
        out[5 + sector] += coherent
    tensor[:] = 0


@kernel
def _add_orientation(level: np.ndarray, inner: np.ndarray, spans: np.ndarray, block: int, out: np.ndarray) -> None:
    """Add gradient magnitudes and the structure tensors of square blocks, counted from the crop's corner."""
    height, width = level.shape
    tensor = np.zeros((3, width), np.float32)
    for y in range(1, height - 1):
        first, last = max(spans[y, 0], 1), min(spans[y, 1], width - 1)
        if first < last:
            up, here, down = level[y - 1, first:last], level[y, first - 1 : last + 1], level[y + 1, first:last]
            columns = (tensor[0, first:last], tensor[1, first:last], tensor[2, first:last])
            out[0] += _add_gradient_row(up, here, down, inner[y, first:last], columns)
        if y % block == block - 1 or y == height - 2:
            _add_blocks(tensor, block, out)


@kernel
def _fill_mask(labels: np.ndarray, label: int, box: np.ndarray, out: np.ndarray) -> None:
    """1 in the region, 0 outside it."""
    for y in range(out.shape[0]):
        row, target = labels[box[0] + y, box[1] : box[3]], out[y]
        for x in range(row.size):
            target[x] = np.float32(row[x] == label)


@kernel
def _level_sum(pixels: np.ndarray, box: np.ndarray, mask: np.ndarray) -> int:
    """The sum of the levels in the mask, exact."""
    total = 0
    for y in range(mask.shape[0]):
        row, inside = pixels[box[0] + y, box[1] : box[3]], mask[y]
        for x in range(row.size):
            total += np.int64(row[x]) * np.int64(inside[x])
    return total


@kernel
def _center(pixels: np.ndarray, box: np.ndarray, mask: np.ndarray, mean: float, out: np.ndarray) -> None:
    """The levels less their mean, 0 outside the mask: exactly 0 everywhere if the region is flat."""
    for y in range(mask.shape[0]):
        row, inside, target = pixels[box[0] + y, box[1] : box[3]], mask[y], out[y]
        for x in range(row.size):
            target[x] = np.float32(row[x] - mean) * inside[x]


@kernel
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
    largest = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).max() if n else 0
    scratch = np.empty((2 * N_LEVELS + 5) * largest, np.float32)
    for i in range(n):
        shape = (boxes[i, 2] - boxes[i, 0], boxes[i, 3] - boxes[i, 1])
        planes = scratch[: (2 * N_LEVELS + 5) * shape[0] * shape[1]].reshape((2 * N_LEVELS + 5, shape[0], shape[1]))
        levels, weights = planes[: N_LEVELS + 1], planes[N_LEVELS + 1 : 2 * N_LEVELS + 1]
        masks, inner = planes[2 * N_LEVELS + 1 : 2 * N_LEVELS + 3], planes[2 * N_LEVELS + 3 :]
        spans = np.empty((2, shape[0], 2), np.int64)
        for k, labels in enumerate((cell_labels, nucleus_labels)):
            _fill_mask(labels[field[i]], i + 1, boxes[i], masks[k])
            _find_spans(masks[k], spans[k])
            _inner(masks[k], inner[k])
        _mask_weights(masks[0], spans[0], weights)
        smoothed = -1
        for m in range(n_measured):
            channel, k = measured[m]
            plane = pixels[field[i], channel]
            if channel != smoothed:
                mean = _level_sum(plane, boxes[i], masks[0]) / masks[0].sum()
                _center(plane, boxes[i], masks[0], mean, levels[0])
                for j in range(N_LEVELS):
                    _smooth(levels[j], 1 << j, weights[j], spans[0], levels[j + 1])
                smoothed = channel
            bands[i, m, N_LEVELS + 2] = _level_sum(plane, boxes[i], masks[k])
            _add_bands(levels, masks[k], spans[k], bands[i, m])
            for j in range(CURVATURE_LEVELS):
                _add_curvature(levels[j + 1], inner[k], spans[k], curvature[i, m, j])
            for j in range(ORIENTATION_LEVELS):
                _add_orientation(levels[j + 1], inner[k], spans[k], _BLOCK << j, orientation[i, m, j])
    return bands, curvature, orientation
