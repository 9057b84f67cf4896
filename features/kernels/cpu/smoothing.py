"""Smooth versions of stacks of planes, each plane with a reach of its own: Gaussians and local means.

Everything is whole numbers, so that a GPU gives the same. Parameters of planes are arrays on the host, (n_fields,).
"""

import numpy as np

from features.kernels.cpu._jit import Int, helper, kernel

BLOCK = 4  # side of the blocks of local means


def gaussian(planes: np.ndarray, weights: np.ndarray, reaches: np.ndarray) -> np.ndarray:
    """Planes smoothed along rows and columns, mirrored at the border, rounded.

    Parameters
    ----------
    planes : ndarray of uint8 or uint16, shape (n_fields, H, W)
    weights : ndarray of uint32, shape (n_fields, largest reach + 1)
        From the centre outwards, in 1 / 65,536, as from `gaussian_weights`.
    reaches : ndarray of int64, shape (n_fields,)
        Neighbours on either side that weigh anything.

    Returns
    -------
    ndarray like planes
    """
    _, height, width = planes.shape
    out, along = np.empty(planes.shape, planes.dtype), np.empty((height, width), np.uint16)
    padded = np.empty(width + 2 * int(reaches.max(initial=0)), np.uint32)
    _gaussian(planes, weights, reaches, along, np.empty(width, np.uint32), padded, out)
    return out


@kernel
def _gaussian(
    planes: np.ndarray, weights: np.ndarray, reaches: np.ndarray, along: np.ndarray, total: np.ndarray,
    padded: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    n_fields, height, _ = planes.shape
    bits = 8 * planes.itemsize
    for f in range(n_fields):
        reach = reaches[f]
        for y in range(height):
            _pad(planes[f, y], reach, padded)
            _weigh_row(padded, weights[f], reach, total)
            _round(total, bits, along[y])
        for y in range(height):
            _weigh_rows(along, y, weights[f], reach, total)
            _round(total, 32 - bits, out[f, y])


@helper
def _round(total: np.ndarray, bits: Int, out: np.ndarray) -> None:
    """Divide by 2^bits, rounding halves up."""
    half, bits = np.uint32(1 << (bits - 1)), np.uint32(bits)
    for x in range(total.size):
        out[x] = (total[x] + half) >> bits


@helper
def _pad(row: np.ndarray, reach: int, padded: np.ndarray) -> None:
    """A row with `reach` mirrored pixels on either side."""
    n = row.size
    inner = padded[reach : reach + n]
    for x in range(n):
        inner[x] = row[x]
    for k in range(reach):
        padded[k] = row[_mirrored(k - reach, n)]
        padded[reach + n + k] = row[_mirrored(n + k, n)]


@helper
def _mirrored(x: int, n: int) -> int:
    """A place within 0..n-1: mirrored at the ends, which are not repeated."""
    if n == 1:
        return 0
    x = abs(x) % (2 * n - 2)
    return min(x, 2 * n - 2 - x)


@helper
def _weigh_row(padded: np.ndarray, weights: np.ndarray, reach: int, total: np.ndarray) -> None:
    centre, here = weights[0], padded[reach:]
    for x in range(total.size):
        total[x] = centre * here[x]
    for k in range(1, reach + 1):
        weight = weights[k]
        left, right = padded[reach - k :], padded[reach + k :]
        for x in range(total.size):
            total[x] += weight * (left[x] + right[x])


@helper
def _weigh_rows(along: np.ndarray, y: int, weights: np.ndarray, reach: int, total: np.ndarray) -> None:
    height = len(along)
    centre, here = weights[0], along[y]
    for x in range(total.size):
        total[x] = centre * np.uint32(here[x])
    for k in range(1, reach + 1):
        weight = weights[k]
        above, below = along[_mirrored(y - k, height)], along[_mirrored(y + k, height)]
        for x in range(total.size):
            total[x] += weight * (np.uint32(above[x]) + np.uint32(below[x]))


def local_mean(planes: np.ndarray, masks: np.ndarray, reaches: np.ndarray) -> np.ndarray:
    """Mean of the masked pixels in a square around each pixel, found on blocks of 4 x 4 px and interpolated.

    Parameters
    ----------
    planes : ndarray of uint8, shape (n_fields, H, W)
    masks : ndarray of bool, shape (n_fields, H, W)
    reaches : ndarray of int64, shape (n_fields,)
        Blocks on either side of the one in the middle; a square ends at the image border.

    Returns
    -------
    ndarray of uint8, shape (n_fields, H, W)
        0 where no pixel near is masked.
    """
    _, height, width = planes.shape
    shape = (-(-height // BLOCK), -(-width // BLOCK))
    blocks, upto = np.empty((2, *shape), np.int32), np.zeros((shape[0] + 1, shape[1] + 1), np.int32)
    means, wide = np.empty(shape, np.uint16), np.empty((shape[0], width), np.uint16)
    first, shares = np.divmod(2 * np.arange(width) + 1 - BLOCK, 2 * BLOCK)
    places = np.clip([first, first + 1], 0, shape[1] - 1).astype(np.uint64)
    out = np.empty(planes.shape, np.uint8)
    scratch = (blocks, upto, np.empty((2, width), np.int32), means, wide)
    _local_mean(planes, masks, reaches, *scratch, places, shares.astype(np.uint32), out)
    return out


@kernel
def _local_mean(
    planes: np.ndarray, masks: np.ndarray, reaches: np.ndarray, blocks: np.ndarray, upto: np.ndarray, rows: np.ndarray,
    means: np.ndarray, wide: np.ndarray, places: np.ndarray, shares: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    total, count = blocks[0], blocks[1]
    for f in range(len(planes)):
        _sums_of_blocks(planes[f], masks[f], total, count, rows[0], rows[1])
        _sums_of_squares(total, reaches[f], upto)
        _sums_of_squares(count, reaches[f], upto)
        for v in range(total.shape[0]):
            for u in range(total.shape[1]):  # exact, and a division of integers is slow
                means[v, u] = np.int32(np.float64(total[v, u]) / np.float64(max(count[v, u], np.int32(1))))
        _interpolate(means, places, shares, wide, out[f])


@helper
def _sums_of_blocks(
    plane: np.ndarray, mask: np.ndarray, total: np.ndarray, count: np.ndarray, sums: np.ndarray, numbers: np.ndarray
) -> None:
    """Sum and number of the masked pixels of each block."""
    height, width = plane.shape
    for v in range(total.shape[0]):
        for x in range(width):
            sums[x] = numbers[x] = 0
        for y in range(v * BLOCK, min(v * BLOCK + BLOCK, height)):
            row, kept = plane[y], mask[y]
            for x in range(width):
                sums[x] += row[x] * kept[x]
                numbers[x] += kept[x]
        for u in range(total.shape[1]):
            in_block, n = np.int32(0), np.int32(0)
            for x in range(u * BLOCK, min(u * BLOCK + BLOCK, width)):
                in_block += sums[x]
                n += numbers[x]
            total[v, u], count[v, u] = in_block, n


@helper
def _sums_of_squares(blocks: np.ndarray, reach: int, upto: np.ndarray) -> None:
    """Replace blocks by the sums over those up to `reach` away along both axes; `upto` begins with zeros."""
    height, width = blocks.shape
    for v in range(height):
        along = 0
        for u in range(width):
            along += blocks[v, u]
            upto[v + 1, u + 1] = upto[v, u + 1] + along
    for v in range(height):
        above, below = upto[max(v - reach, 0)], upto[min(v + reach + 1, height)]
        for u in range(width):
            left, right = max(u - reach, 0), min(u + reach + 1, width)
            blocks[v, u] = below[right] - below[left] - above[right] + above[left]


@helper
def _interpolate(means: np.ndarray, places: np.ndarray, shares: np.ndarray, wide: np.ndarray, out: np.ndarray) -> None:
    """Pixels between the middles of blocks, by eighths of a block in either direction.

    Each column lies between those of two blocks, the second of which has this share: first all rows of blocks are
    made as wide as the image.
    """
    whole, half = 2 * BLOCK, np.uint16(2 * BLOCK * BLOCK)
    left, right = places[0], places[1]
    for v in range(len(means)):
        row, target = means[v], wide[v]
        for x in range(shares.size):
            near, other = np.uint32(row[left[x]]), np.uint32(row[right[x]])
            target[x] = np.uint32(whole) * near + shares[x] * (other - near)
    for y in range(out.shape[0]):
        first = (2 * y + 1 - BLOCK) // whole
        share = np.uint16((2 * y + 1 - BLOCK) % whole)
        rest = np.uint16(whole - share)
        above, below, row = wide[max(first, 0)], wide[min(first + 1, len(means) - 1)], out[y]
        for x in range(row.size):
            row[x] = np.uint16(rest * above[x] + share * below[x] + half) // np.uint16(whole * whole)
