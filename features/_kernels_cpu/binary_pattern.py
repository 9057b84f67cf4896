"""Local binary patterns: 8 points on a circle against the pixel in the middle, in exact integers.

Codes are made row by row over the whole field, where long rows keep the vector units busy; only pixels whose whole
neighbourhood lies in one region are counted, so that it does not matter what lies beside it.
"""

import numpy as np

from features._kernels_cpu._jit import kernel

N_BINS = 10
SCALE = 16384  # weights of the interpolated neighbours are in 1 / SCALE; a 16-bit level times it fits 32 bits


def diagonal_weights(radius: int) -> tuple[int, int, int, int]:
    """Where the circle's diagonal points lie between pixels.

    Parameters
    ----------
    radius : int
        Radius of the circle in px, 1 or more.

    Returns
    -------
    step : int
        The point lies between `step` and `step + 1` px away in each direction.
    near, edge, far : int
        Bilinear weights in 1 / SCALE of the pixels (step, step), (step, step + 1) and (step + 1, step + 1).
    """
    step = int(radius / np.sqrt(2))
    fraction = radius / np.sqrt(2) - step
    far, edge = round(fraction**2 * SCALE), round(fraction * (1 - fraction) * SCALE)
    return step, SCALE - far - 2 * edge, edge, far


def uniform_bins() -> np.ndarray:
    """The bin of each 8-bit code: its number of ones if the ones are in one piece around the circle, otherwise 9.

    Returns
    -------
    ndarray of uint8, shape (256,)
        Ojala et al. 2002, IEEE TPAMI 24(7):971, riu2.
    """
    codes = np.arange(256)[:, None] >> np.arange(8) & 1
    changes = (codes != np.roll(codes, 1, axis=1)).sum(axis=1)
    return np.where(changes <= 2, codes.sum(axis=1), N_BINS - 1).astype(np.uint8)


@kernel
def inner_pixels(labels: np.ndarray, radius: int) -> np.ndarray:
    """Mark the pixels whose square of (2 * radius + 1) px has one label and lies in the image.

    Parameters
    ----------
    labels : ndarray of int32, shape (n_fields, H, W)
        0 is background.
    radius : int

    Returns
    -------
    ndarray of uint8, shape (n_fields, H, W)
        1 or 0.
    """
    n_fields, height, width = labels.shape
    out = np.zeros(labels.shape, np.uint8)
    along = np.zeros((height, width), np.uint8)
    for f in range(n_fields):
        for y in range(height):
            row, kept = labels[f, y, radius : width - radius], along[y, radius : width - radius]
            for x in range(kept.size):
                kept[x] = np.uint8(row[x] > 0)
            for dx in range(2 * radius + 1):
                shifted = labels[f, y, dx : dx + kept.size]
                for x in range(kept.size):
                    kept[x] &= np.uint8(shifted[x] == row[x])
        for y in range(radius, height - radius):
            row, kept = labels[f, y], out[f, y]
            kept[:] = along[y]
            for dy in range(-radius, radius + 1):
                shifted, shifted_along = labels[f, y + dy], along[y + dy]
                for x in range(width):
                    kept[x] &= shifted_along[x] & np.uint8(shifted[x] == row[x])
    return out


@kernel
def _reaches(least: int, a: int, b: int, c: int, d: int, near: int, edge: int, far: int) -> int:
    """1 if near * a + edge * (b + c) + far * d is at least SCALE * least; 32 bits at each step for speed."""
    edges = np.int32(edge * np.int32(b + c))
    ends = np.int32(np.int32(near * a) + np.int32(far * d))
    return np.int32(np.int32(edges + ends) >= np.int32(np.int32(SCALE) * least))


@kernel
def _code_row(rows: tuple, radius: int, weights: tuple, codes: np.ndarray) -> None:
    """Codes of one row of pixels: bit k is set if the k-th point of the circle is at least the middle.

    `rows` are the rows at -radius, -(step + 1), -step, 0, step, step + 1, radius from the middle one.
    """
    step, near, edge, far = weights[0], np.int32(weights[1]), np.int32(weights[2]), np.int32(weights[3])
    top, high, above, here, below, low, bottom = rows
    n = codes.size
    middle, right, left = here[radius : radius + n], here[2 * radius : 2 * radius + n], here[:n]
    up, down = top[radius : radius + n], bottom[radius : radius + n]
    w2, w1, e1, e2 = radius - step - 1, radius - step, radius + step, radius + step + 1
    above_w1, above_w2, high_w1, high_w2 = above[w1 : w1 + n], above[w2 : w2 + n], high[w1 : w1 + n], high[w2 : w2 + n]
    above_e1, above_e2, high_e1, high_e2 = above[e1 : e1 + n], above[e2 : e2 + n], high[e1 : e1 + n], high[e2 : e2 + n]
    below_w1, below_w2, low_w1, low_w2 = below[w1 : w1 + n], below[w2 : w2 + n], low[w1 : w1 + n], low[w2 : w2 + n]
    below_e1, below_e2, low_e1, low_e2 = below[e1 : e1 + n], below[e2 : e2 + n], low[e1 : e1 + n], low[e2 : e2 + n]
    for x in range(n):
        least = middle[x]
        code = np.int32(right[x] >= least) | np.int32(up[x] >= least) << 2
        code |= np.int32(left[x] >= least) << 4 | np.int32(down[x] >= least) << 6
        code |= _reaches(least, above_e1[x], above_e2[x], high_e1[x], high_e2[x], near, edge, far) << 1
        code |= _reaches(least, above_w1[x], above_w2[x], high_w1[x], high_w2[x], near, edge, far) << 3
        code |= _reaches(least, below_w1[x], below_w2[x], low_w1[x], low_w2[x], near, edge, far) << 5
        code |= _reaches(least, below_e1[x], below_e2[x], low_e1[x], low_e2[x], near, edge, far) << 7
        codes[x] = code


@kernel
def patterns(
    planes: np.ndarray, labels: tuple, inner: tuple, n: int, radius: int, weights: tuple, bins: np.ndarray
) -> np.ndarray:
    """Histograms of the rotation-invariant uniform patterns of each region in one channel.

    Parameters
    ----------
    planes : ndarray of int32, shape (n_fields, H, W)
        The channel's levels, at most 65535.
    labels : tuple of ndarray of int32, each of shape (n_fields, H, W)
        Labels of one or more compartments; region i has label i + 1.
    inner : tuple of ndarray of uint8, each of shape (n_fields, H, W)
        `inner_pixels(labels, radius)` of each compartment: what is counted.
    n : int
        Number of regions.
    radius : int
        Radius of the circle in px.
    weights : tuple of int
        `diagonal_weights(radius)`.
    bins : ndarray of uint8, shape (256,)
        `uniform_bins()`.

    Returns
    -------
    ndarray of int64, shape (n_compartments, n, 10)
    """
    out = np.zeros((len(labels), n, N_BINS), np.int64)
    n_fields, height, width = planes.shape
    codes = np.empty(max(0, width - 2 * radius), np.int32)
    step = weights[0]
    for f in range(n_fields):
        for y in range(radius, height - radius):
            rows = (
                planes[f, y - radius], planes[f, y - step - 1], planes[f, y - step], planes[f, y],
                planes[f, y + step], planes[f, y + step + 1], planes[f, y + radius],
            )  # fmt: skip
            _code_row(rows, radius, weights, codes)
            for k in range(len(labels)):
                label, counted = labels[k][f, y, radius : width - radius], inner[k][f, y, radius : width - radius]
                for x in range(codes.size):
                    if counted[x]:
                        out[k, label[x] - 1, bins[codes[x]]] += 1
    return out
