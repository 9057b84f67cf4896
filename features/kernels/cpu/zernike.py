"""Moments of masked pixel planes on the disc around each region, as two matrix products a region."""

import numpy as np

from features.kernels.cpu._jit import matrix_helper, matrix_kernel


def disc_moments(
    planes: np.ndarray, labels: np.ndarray, field: np.ndarray, boxes: np.ndarray, degree: int
) -> np.ndarray:
    """Geometric moments of each plane inside each region, in coordinates of the region's disc.

    The disc is centred at the centroid of the region and reaches the outer side of its furthest pixel (half a pixel
    beyond the centre of it), so that no pixel of the region lies outside.

    Parameters
    ----------
    planes : ndarray of uint8 or uint16, shape (n_fields, n_planes, H, W)
    labels : ndarray of int32, shape (n_fields, H, W)
    field : ndarray of int32, shape (n,)
        Field of each region; -1 where it has no pixel.
    boxes : ndarray of int32, shape (n, 4)
        top, left, bottom, right.
    degree : int
        Highest k + l.

    Returns
    -------
    ndarray of float64, shape (n, n_planes + 1, (degree + 1) * (degree + 2) // 2)
        Sums of value * y**k * x**l, k = 0..degree, l = 0..degree - k; the last plane is the mask itself.
    """
    out = np.zeros((len(field), planes.shape[1] + 1, (degree + 1) * (degree + 2) // 2))
    _disc_moments(planes, labels, field, boxes, degree, out)
    return out


@matrix_kernel
def _disc_moments(
    planes: np.ndarray, labels: np.ndarray, field: np.ndarray, boxes: np.ndarray, degree: int, out: np.ndarray
) -> None:
    n_planes = planes.shape[1]
    for i in range(len(field)):
        if field[i] < 0:
            continue
        top, left, bottom, right = boxes[i]
        height, width = bottom - top, right - left
        window = labels[field[i], top:bottom, left:right]
        cy, cx, radius = _disc(window, i + 1)
        down, across = _powers(height, cy, radius, degree), _powers(width, cx, radius, degree)
        masked = _masked(planes[field[i], :, top:bottom, left:right], window, i + 1)
        for plane in range(n_planes + 1):  # one by one: in a product of all, a plane's last bits depend on the others
            moments = np.dot(down.T, np.dot(masked[plane], across))
            at = 0
            for k in range(degree + 1):
                for power in range(degree + 1 - k):
                    out[i, plane, at] = moments[k, power]
                    at += 1


@matrix_helper
def _disc(window: np.ndarray, label: int) -> tuple[float, float, float]:
    """Centroid and radius of a region, in pixels from the corner of its window."""
    height, width = window.shape
    n, sum_y, sum_x = 0, 0, 0
    for y in range(height):
        row, in_row = window[y], 0
        for x in range(width):
            mine = np.int64(row[x] == label)
            in_row += mine
            sum_x += mine * x
        n += in_row
        sum_y += in_row * y
    cy, cx = sum_y / n, sum_x / n
    furthest = 0.0
    for y in range(height):  # the furthest pixel of a row is its first or its last
        row, first, last = window[y], 0, width - 1
        while first < width and row[first] != label:
            first += 1
        while last > first and row[last] != label:
            last -= 1
        dy, dx = y - cy, max(cx - first, last - cx)
        if first < width:
            furthest = max(furthest, dy * dy + dx * dx)
    return cy, cx, np.sqrt(furthest) + 0.5


@matrix_helper
def _powers(n: int, centre: float, radius: float, degree: int) -> np.ndarray:
    """Powers 0..degree of the disc coordinates of n pixels in line, shape (n, degree + 1)."""
    powers = np.empty((n, degree + 1))
    for x in range(n):
        powers[x, 0] = 1
        for power in range(1, degree + 1):
            powers[x, power] = powers[x, power - 1] * ((x - centre) / radius)
    return powers


@matrix_helper
def _masked(planes: np.ndarray, window: np.ndarray, label: int) -> np.ndarray:
    """The planes, 0 outside the region, and the mask as the last; float64, shape (n_planes + 1, h, w)."""
    n_planes, height, width = planes.shape
    out = np.empty((n_planes + 1, height, width))
    for y in range(height):
        mask = out[n_planes, y]
        for x in range(width):
            mask[x] = window[y, x] == label
        for plane in range(n_planes):
            row, values = out[plane, y], planes[plane, y]
            for x in range(width):
                row[x] = mask[x] * values[x]
    return out
