"""Sums by distance to a membrane, brightest points and orientations: the loops of the family `proximity`."""

import numpy as np

from engine.running.compiled import njit
from features.kernels.cpu._jit import kernel

_BLOCK = 256  # 256 8-bit values stay below 2^24
_WAYS = np.array([(0, 1), (0, 2), (1, 2)])  # protein and microtubules, protein and ER, microtubules and ER

_sum_kernel = njit(nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})


@kernel
def band_sums(
    values: tuple[np.ndarray, ...],
    offsets: np.ndarray,
    positions: np.ndarray,
    distances: np.ndarray,
    edges: np.ndarray,
    adder: np.ndarray,
) -> np.ndarray:
    """Add up channels by their distance to a landmark.

    Parameters
    ----------
    values : three ndarrays of uint8 or uint16, shape (n_values,)
        Channels at the region's pixels, grouped by cell.
    offsets, positions : ndarray of int64
        The region.
    distances : ndarray of float32, flat over all fields
        In px.
    edges : ndarray of float32, shape (n, n_edges)
        In px, ascending, of each cell; band k holds edges[k - 1] <= distance < edges[k].
    adder : ndarray of float32 (8-bit values) or float64 (16-bit values), shape (0,)
        Its type is the one that blocks are added up in: exactly, whatever the order.

    Returns
    -------
    ndarray of float64, shape (n, n_edges + 1, 4)
        Sums of the three channels and of pixels, by band; whole numbers.
    """
    n, n_edges = edges.shape
    sums = np.zeros((n, n_edges + 1, 4))
    block, away = np.empty((3, _BLOCK), adder.dtype), np.empty(_BLOCK, np.float32)
    beyond = np.zeros((n_edges + 2, 4))
    for i in range(n):
        for start in range(offsets[i], offsets[i + 1], _BLOCK):
            size = min(_BLOCK, offsets[i + 1] - start)
            for c in range(3):
                mine = values[c][start : start + size]
                for j in range(size):
                    block[c, j] = mine[j]
            places = positions[start : start + size]
            for j in range(size):
                away[j] = distances[places[j]]
            _sum_beyond(block, away, size, edges[i], beyond)
            for k in range(n_edges + 1):
                for c in range(4):
                    sums[i, k, c] += beyond[k, c] - beyond[k + 1, c]
    return sums


@_sum_kernel
def _sum_beyond(block: np.ndarray, distances: np.ndarray, size: int, edges: np.ndarray, beyond: np.ndarray) -> None:
    """Sums of three channels and of pixels at and beyond each edge, the first row of all; the last stays 0."""
    nothing, one = block.dtype.type(0), block.dtype.type(1)
    for k in range(edges.size + 1):
        edge = edges[k - 1] if k else np.float32(-np.inf)
        first, second, third, pixels = nothing, nothing, nothing, nothing
        for j in range(size):
            counts = distances[j] >= edge
            first += block[0, j] if counts else nothing
            second += block[1, j] if counts else nothing
            third += block[2, j] if counts else nothing
            pixels += one if counts else nothing
        beyond[k, 0], beyond[k, 1], beyond[k, 2], beyond[k, 3] = first, second, third, pixels


@kernel
def brightest(plane: np.ndarray, offsets: np.ndarray, positions: np.ndarray, to_border: np.ndarray) -> np.ndarray:
    """The brightest pixel of each cell; among equals the one in the brightest 3 x 3 pixels, then the first.

    Parameters
    ----------
    plane : ndarray of uint8 or uint16, shape (rows, W)
        One channel, all fields below one another.
    offsets, positions : ndarray of int64
        The cells' pixels.
    to_border : ndarray of float32, flat
        Distance to the cell border in px: neighbours count only where all eight are of the cell.

    Returns
    -------
    ndarray of int64, shape (n,)
        Flat position.
    """
    width = plane.shape[1]
    flat = plane.ravel()
    out = np.empty(offsets.size - 1, np.int64)
    for i in range(out.size):
        top, top_around = -1, -1
        for p in positions[offsets[i] : offsets[i + 1]]:
            value = np.int64(flat[p])
            if value < top:
                continue
            y, x = p // width, p % width
            around = 0
            if to_border[p] > 1.5:
                for dy in range(-1, 2):
                    for dx in range(-1, 2):
                        around += np.int64(plane[y + dy, x + dx])
            if value > top or around > top_around:
                top, top_around, out[i] = value, around, p
    return out


@kernel
def alignments(
    planes: np.ndarray, field: np.ndarray, boxes: np.ndarray, labels: np.ndarray, to_border: np.ndarray,
    centres: np.ndarray, sides: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """How parallel three channels run to one another and to the direction of the nucleus.

    The gradients of a square block make one structure tensor a channel, as a vector at twice the angle of orientation;
    alignment is the sum of the vectors' inner products over the sum of the products of their lengths.

    Parameters
    ----------
    planes : ndarray of uint8 or uint16, shape (n_fields, 3, H, W)
    field : ndarray of int32, shape (n,)
    boxes : ndarray of int32, shape (n, 4)
    labels : ndarray of int32, shape (n_fields, H, W)
    to_border : ndarray of float32, shape (n_fields, H, W)
        A gradient counts where the four neighbours are of the cell (distance above 1).
    centres : ndarray of float64, shape (n, 2)
        The nucleus' centre, from the top left of the cell's box; NaN without.
    sides : ndarray of int64, shape (n,)
        Side of a block in px.

    Returns
    -------
    ndarray of float64, shape (n, 6)
        Of the pairs (0, 1), (0, 2), (1, 2), then of each channel with the direction of the nucleus: 1 parallel, -1 at
        right angles; NaN without any gradient.
    """
    out = np.full((field.size, 6), np.nan)
    height, width = labels.shape[1:]
    for i in range(field.size):
        side, f = sides[i], field[i]
        top, left, bottom, right = boxes[i]
        n_y, n_x = (bottom - top + side - 1) // side, (right - left + side - 1) // side
        blocks = np.zeros((n_y, n_x, 3, 2))
        inside = np.zeros(right - left, np.float32)
        tensors = np.zeros((3, 2, right - left), np.float32)
        first, last = max(left, 1), min(right, width - 1)
        for b in range(n_y):
            tensors[:] = 0
            for y in range(max(top + b * side, 1), min(top + (b + 1) * side, bottom, height - 1)):
                mine, away, counts = labels[f, y, first:last], to_border[f, y, first:last], inside[: last - first]
                for x in range(last - first):
                    counts[x] = (mine[x] == np.int32(i + 1)) & (away[x] > np.float32(1))
                for c in range(3):
                    _add_tensors(
                        planes[f, c, y - 1, first:last], planes[f, c, y, first - 1 : last + 1],
                        planes[f, c, y + 1, first:last], counts,
                        tensors[c, 0, first - left : last - left], tensors[c, 1, first - left : last - left],
                    )  # fmt: skip
            for k in range(n_x):
                for c in range(3):
                    for x in range(k * side, min((k + 1) * side, right - left)):
                        blocks[b, k, c, 0] += tensors[c, 0, x]
                        blocks[b, k, c, 1] += tensors[c, 1, x]
        _align(blocks, centres[i, 0] / side, centres[i, 1] / side, out[i])
    return out


@kernel
def _add_tensors(
    above: np.ndarray, row: np.ndarray, below: np.ndarray, inside: np.ndarray, across: np.ndarray, slant: np.ndarray
) -> None:
    """Add the double-angle vectors of a row's gradients; `row` reaches one pixel further at both ends.

    For 8-bit values single precision is exact up to 128 rows of a block, for 16-bit ones good to six digits.
    """
    for x in range(inside.size):
        dx = (np.float32(row[x + 2]) - np.float32(row[x])) * inside[x]
        dy = (np.float32(below[x]) - np.float32(above[x])) * inside[x]
        across[x] += dx * dx - dy * dy
        slant[x] += np.float32(2) * dx * dy


@kernel
def _align(blocks: np.ndarray, centre_y: float, centre_x: float, out: np.ndarray) -> None:
    inner, lengths = np.zeros(6), np.zeros(6)
    for y in range(blocks.shape[0]):
        for x in range(blocks.shape[1]):
            length = np.empty(3)
            for c in range(3):
                length[c] = np.sqrt(blocks[y, x, c, 0] ** 2 + blocks[y, x, c, 1] ** 2)
            for p in range(3):
                a, b = _WAYS[p]
                inner[p] += blocks[y, x, a, 0] * blocks[y, x, b, 0] + blocks[y, x, a, 1] * blocks[y, x, b, 1]
                lengths[p] += length[a] * length[b]
            dy, dx = y + 0.5 - centre_y, x + 0.5 - centre_x
            square = dy * dy + dx * dx
            for c in range(3):  # a gradient stands at right angles to the fibre, hence the minus
                along = blocks[y, x, c, 0] * (dx * dx - dy * dy) + blocks[y, x, c, 1] * 2 * dx * dy
                inner[3 + c] -= along / square if square > 0 else 0.0
                lengths[3 + c] += length[c]
    for p in range(6):
        out[p] = inner[p] / lengths[p] if lengths[p] > 0 else np.nan
