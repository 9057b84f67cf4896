"""What lies between the nuclei of two neighbouring cells: crossings of the line that joins them."""

import numpy as np

from features.kernels.cpu._jit import helper, kernel


def crossings(
    planes: np.ndarray,
    labels: np.ndarray,
    field: np.ndarray,
    boxes: np.ndarray,
    centres: np.ndarray,
    partner: np.ndarray,
    width: np.ndarray,
    step: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Follow the middle half of the line from each cell's nucleus to its partner's, crossing it at every step.

    A crossing is a line of `width` pixels at right angles to it, sampled at every step. A sample is the mean of the
    pixels around it (3 x 3, more for steps over 3 px); what lies outside the image counts as dark.

    Parameters
    ----------
    planes : ndarray of uint8 or uint16, shape (n_fields, n_planes, H, W)
    labels : ndarray of int32, shape (n_fields, H, W)
    field : ndarray of int32, shape (n,)
    boxes : ndarray of int32, shape (n, 4)
        top, left, bottom, right.
    centres : ndarray of float64, shape (n, 2)
        Of the nuclei, in pixels from the corner of the box.
    partner : ndarray of int64, shape (n,)
        The other cell, or -1.
    width : ndarray of float64, shape (n,)
        In px; NaN if unknown.
    step : ndarray of int64, shape (n,)
        In px.

    Returns
    -------
    thickness : ndarray of float64, shape (n,)
        Smallest number of px of a crossing that belong to either cell; NaN without a partner.
    levels : ndarray of float64, shape (n, n_planes, 4)
        Of the brightest sample of each crossing: the smallest, the largest, and that of the thinnest crossing (of
        equally thin ones the one nearest to the middle); and the mean over the crossings of brightest over mean.
    """
    n, n_planes = len(field), planes.shape[1]
    thickness, levels = np.full(n, np.nan), np.full((n, n_planes, 4), np.nan)
    found = np.empty((n_planes, 2))
    _crossings(planes, labels, field, boxes, centres, partner, width, step, found, thickness, levels)
    return thickness, levels


@kernel
def _crossings(
    planes: np.ndarray, labels: np.ndarray, field: np.ndarray, boxes: np.ndarray, centres: np.ndarray,
    partner: np.ndarray, width: np.ndarray, step: np.ndarray, found: np.ndarray, thickness: np.ndarray,
    levels: np.ndarray,
) -> None:  # fmt: skip
    n_planes = planes.shape[1]
    for i in range(len(field)):
        j = partner[i]
        if j < 0 or not width[i] >= 1:
            continue
        dy = boxes[j, 0] - boxes[i, 0] + (centres[j, 0] - centres[i, 0])
        dx = boxes[j, 1] - boxes[i, 1] + (centres[j, 1] - centres[i, 1])
        length = np.sqrt(dy * dy + dx * dx)
        if length < 4:
            continue
        dy, dx = dy / length, dx / length
        stack, image = planes[field[i]], labels[field[i]]
        half = int(length / 4 / step[i])
        for plane in range(n_planes):
            levels[i, plane, 0] = np.inf
            levels[i, plane, 1] = levels[i, plane, 2] = levels[i, plane, 3] = 0
        thinnest = np.inf
        for k in range(2 * half + 1):
            along = length / 2 + step[i] * ((k + 1) // 2 if k % 2 else -(k // 2))
            y, x = centres[i, 0] + along * dy, centres[i, 1] + along * dx
            reach = int(width[i] / 2 / step[i])
            inside = _cross(stack, image, boxes[i], y, x, -dx, dy, reach, step[i], i + 1, j + 1, found)
            for plane in range(n_planes):
                brightest, mean = found[plane, 0], found[plane, 1]
                levels[i, plane, 0] = min(levels[i, plane, 0], brightest)
                levels[i, plane, 1] = max(levels[i, plane, 1], brightest)
                if inside < thinnest:
                    levels[i, plane, 2] = brightest
                levels[i, plane, 3] += (brightest / mean if mean > 0 else 1.0) / (2 * half + 1)
            thinnest = min(thinnest, inside)
        thickness[i] = thinnest * step[i]


@helper
def _cross(
    planes: np.ndarray,
    labels: np.ndarray,
    box: np.ndarray,
    y: float,
    x: float,
    across_y: float,
    across_x: float,
    half: int,
    step: int,
    label: int,
    other: int,
    found: np.ndarray,
) -> int:
    """Fill the brightest and the mean sample of each plane on a crossing, and count its samples in either cell.

    (y, x) is its middle from the corner of the box, so that a cell samples the same pixels wherever it lies.
    """
    n_planes, height, width = planes.shape
    around = max(1, step // 2)
    for plane in range(n_planes):
        found[plane, 0] = found[plane, 1] = 0
    inside = 0
    for k in range(-half, half + 1):
        row = box[0] + int(np.floor(y + k * step * across_y + 0.5))
        column = box[1] + int(np.floor(x + k * step * across_x + 0.5))
        if row < 0 or column < 0 or row >= height or column >= width:
            continue
        inside += labels[row, column] == label or labels[row, column] == other
        top, bottom = np.uint64(max(0, row - around)), np.uint64(min(height, row + around + 1))
        left, right = np.uint64(max(0, column - around)), np.uint64(min(width, column + around + 1))
        for plane in range(n_planes):
            total = 0
            for v in range(top, bottom):
                in_row = np.int32(0)
                for u in range(left, right):
                    in_row += np.int32(planes[plane, v, u])
                total += np.int64(in_row)
            level = total / ((2 * around + 1) * (2 * around + 1))
            found[plane, 0] = max(found[plane, 0], level)
            found[plane, 1] += level / (2 * half + 1)
    return inside
