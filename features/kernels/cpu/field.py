"""One pass over a whole plane: its Laplacian, its blocks and its pyramid of block sums, as sums of whole numbers."""

import numpy as np

from features.kernels.cpu._jit import helper, kernel

_CHUNK = 1024  # squares of an 8-bit plane's Laplacian whose sum fits 32 bits


def laplacian_sums(plane: np.ndarray) -> tuple[float, float]:
    """Sum and sum of squares of the Laplacian with four neighbours; beyond the border the plane is mirrored.

    Parameters
    ----------
    plane : ndarray of uint8 or uint16, shape (H, W)
    """
    kind, adder = (np.int16, np.int32) if plane.dtype == np.uint8 else (np.int32, np.int64)
    return _laplacian_sums(plane, np.empty(plane.shape[1], kind), np.empty(0, adder))


@kernel
def _laplacian_sums(plane: np.ndarray, values: np.ndarray, adder: np.ndarray) -> tuple[float, float]:
    """`values` holds a row of the Laplacian; chunks are added up in the type of `adder`, which is exact."""
    (height, width), zero = plane.shape, adder.dtype.type(0)
    total, squares = 0.0, 0.0
    for y in range(height):
        _laplacian(plane[abs(y - 1) % height], plane[y], plane[y + 1 if y < height - 1 else max(height - 2, 0)], values)
        for start in range(0, width, _CHUNK):
            chunk, part, part_squares = values[start : start + _CHUNK], zero, zero
            for x in range(chunk.size):
                value = adder.dtype.type(chunk[x])
                part = adder.dtype.type(part + value)
                part_squares = adder.dtype.type(part_squares + value * value)
            total += part
            squares += part_squares
    return total, squares


@helper
def _laplacian(above: np.ndarray, row: np.ndarray, below: np.ndarray, out: np.ndarray) -> None:
    """The Laplacian of a row; beyond its ends lie its second pixels from there."""
    width = row.size
    for x in range(width - 2):
        middle = np.int32(above[x + 1]) + np.int32(below[x + 1]) - np.int32(4) * np.int32(row[x + 1])
        out[x + 1] = np.int32(row[x]) + np.int32(row[x + 2]) + middle
    for x in range(0, width, max(width - 1, 1)):  # the first and the last
        beside = 2 * np.int32(row[min(1, width - 1) if x == 0 else x - 1])
        out[x] = beside + np.int32(above[x]) + np.int32(below[x]) - 4 * np.int32(row[x])


def block_sums(plane: np.ndarray, n: int) -> np.ndarray:
    """Sums of n x n blocks of equal size.

    Parameters
    ----------
    plane : ndarray of uint8 or uint16, shape (H, W)
        Sides are multiples of n.
    n : int
        Blocks a side; the sum of one fits 32 bits.

    Returns
    -------
    ndarray of uint32, shape (n, n)
    """
    out = np.empty((n, n), np.uint32)
    _block_sums(plane, np.empty(plane.shape[1], np.uint32), out)
    return out


@kernel
def _block_sums(plane: np.ndarray, down: np.ndarray, out: np.ndarray) -> None:
    height, width = plane.shape[0] // out.shape[0], plane.shape[1] // out.shape[1]
    for v in range(out.shape[0]):
        for x in range(down.size):
            down[x] = 0
        for y in range(v * height, (v + 1) * height):
            row = plane[y]
            for x in range(down.size):
                down[x] += row[x]
        for u in range(out.shape[1]):
            total = np.uint32(0)
            for x in range(u * width, (u + 1) * width):
                total = np.uint32(total + down[x])
            out[v, u] = total


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
