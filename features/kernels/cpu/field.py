"""One pass over a whole plane: its Laplacian and its pyramid of block sums, as sums of whole numbers."""

import numpy as np

from features.kernels.cpu._jit import kernel


@kernel
def laplacian_sums(plane: np.ndarray) -> tuple[float, float]:
    """Sum and sum of squares of the Laplacian with four neighbours; beyond the border the plane is mirrored.

    Parameters
    ----------
    plane : ndarray of uint8 or uint16, shape (H, W)
    """
    height, width = plane.shape
    total, squares = 0.0, 0.0
    for y in range(height):
        above = plane[y - 1 if y > 0 else min(1, height - 1)]
        row, below = plane[y], plane[y + 1 if y < height - 1 else max(height - 2, 0)]
        row_total, row_squares = 0, 0
        for x in range(width - 2):
            middle = np.int32(above[x + 1]) + np.int32(below[x + 1]) - np.int32(4) * np.int32(row[x + 1])
            value = np.int32(np.int32(row[x]) + np.int32(row[x + 2]) + middle)
            row_total += value
            row_squares += value * value
        for x in range(0, width, max(width - 1, 1)):  # the first and the last
            beside = 2 * np.int64(row[min(1, width - 1) if x == 0 else x - 1])
            value = beside + np.int64(above[x]) + np.int64(below[x]) - 4 * np.int64(row[x])
            row_total += value
            row_squares += value * value
        total += row_total
        squares += row_squares
    return total, squares


def octave_sums(plane: np.ndarray, n_octaves: int) -> tuple[float, np.ndarray]:
    """Sum of a plane, and the sums of squares of its blocks' sums; blocks of 1 x 1, 2 x 2, 4 x 4 ... pixels.

    Parameters
    ----------
    plane : ndarray of uint8 or uint16, shape (H, W)
        Sides are multiples of the largest block's.
    n_octaves : int
        The largest block has 2^n_octaves pixels a side, at most 2^7: sums of blocks are held in 32 bits.

    Returns
    -------
    total : float
    squares : ndarray of float64, shape (n_octaves + 1,)
    """
    squares = np.zeros(n_octaves + 1)
    sums = np.empty((plane.shape[0] // 2, plane.shape[1] // 2), np.int32)
    return _octave_sums(plane, n_octaves, sums, squares), squares


@kernel
def _octave_sums(plane: np.ndarray, n_octaves: int, sums: np.ndarray, squares: np.ndarray) -> float:
    total = 0.0
    for y in range(sums.shape[0]):
        upper, lower, out = plane[2 * y], plane[2 * y + 1], sums[y]
        row_total, row_squares = 0, 0
        for x in range(upper.size):
            a, b = np.int32(upper[x]), np.int32(lower[x])
            row_total += a + b
            row_squares += np.int64(a) * a + np.int64(b) * b
        for x in range(out.size):
            first = np.int32(upper[2 * x]) + np.int32(upper[2 * x + 1])
            out[x] = first + np.int32(lower[2 * x]) + np.int32(lower[2 * x + 1])
        total += row_total
        squares[0] += row_squares
    height, width = sums.shape
    for octave in range(1, n_octaves + 1):
        for y in range(height):
            row_squares, row = 0, sums[y, :width]
            for x in range(width):
                row_squares += np.int64(row[x]) * row[x]
            squares[octave] += row_squares
        height, width = height // 2, width // 2
        for y in range(height if octave < n_octaves else 0):
            upper, lower, out = sums[2 * y], sums[2 * y + 1], sums[y]
            for x in range(width):
                out[x] = upper[2 * x] + upper[2 * x + 1] + lower[2 * x] + lower[2 * x + 1]
    return total
