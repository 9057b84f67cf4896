"""Sums by distance to a membrane, brightest points and orientations: the loops of the family `proximity`."""

import numpy as np

from features.kernels.cpu._jit import helper, kernel, sum_helper

_BLOCK = 256  # 256 8-bit values stay below 2^24
_WAYS = np.array([(0, 1), (0, 2), (1, 2)])  # protein and microtubules, protein and ER, microtubules and ER


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
    block, away, beyond = np.empty((3, _BLOCK), adder.dtype), np.empty(_BLOCK, np.float32), np.zeros((n_edges + 2, 4))
    _band_sums(values, offsets, positions, distances, edges, block, away, beyond, sums)
    return sums


@kernel
def _band_sums(
    values: tuple[np.ndarray, ...], offsets: np.ndarray, positions: np.ndarray, distances: np.ndarray,
    edges: np.ndarray, block: np.ndarray, away: np.ndarray, beyond: np.ndarray, sums: np.ndarray,
) -> None:  # fmt: skip
    n, n_edges = edges.shape
    for i in range(n):
        for start in range(offsets[i], offsets[i + 1], _BLOCK):
            size = min(_BLOCK, offsets[i + 1] - start)
            for c in range(3):
                mine = values[c][start : start + size]
                for j in range(size):
                    block[c, j] = mine[j]
            places = positions[start : start + size]
            for j in range(size):
                away[j] = distances[np.uint64(places[j])]
            _sum_beyond(block, away, size, edges[i], beyond)
            for k in range(n_edges + 1):
                for c in range(4):
                    sums[i, k, c] += beyond[k, c] - beyond[k + 1, c]


@sum_helper
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
    out = np.empty(len(offsets) - 1, np.int64)
    _brightest(plane.ravel(), plane.shape[1], offsets, positions, to_border, out)
    return out


@kernel
def _brightest(
    flat: np.ndarray, width: int, offsets: np.ndarray, positions: np.ndarray, to_border: np.ndarray, out: np.ndarray
) -> None:
    for i in range(out.size):
        top, top_around = -1, -1
        for p in positions[offsets[i] : offsets[i + 1]]:
            value = np.int64(flat[np.uint64(p)])
            if value < top:
                continue
            around = 0
            if to_border[np.uint64(p)] > 1.5:
                for dy in range(-1, 2):
                    for dx in range(-1, 2):
                        around += np.int64(flat[p + dy * width + dx])
            if value > top or around > top_around:
                top, top_around, out[i] = value, around, p


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
    out = np.full((len(field), 6), np.nan)
    height, width = (boxes[:, 2:] - boxes[:, :2]).max(axis=0, initial=1).tolist()
    least = int(sides.min(initial=height + width))
    blocks = np.empty((-(-height // least), -(-width // least), 3, 2))
    inside, tensors = np.zeros(width, np.float32), np.empty((3, 2, width), np.float32)
    sums = np.empty((3, 6))
    _alignments(planes, field, boxes, labels, to_border, centres, sides, blocks, inside, tensors, sums, out)
    return out


@kernel
def _alignments(
    planes: np.ndarray, field: np.ndarray, boxes: np.ndarray, labels: np.ndarray, to_border: np.ndarray,
    centres: np.ndarray, sides: np.ndarray, blocks: np.ndarray, inside: np.ndarray, tensors: np.ndarray,
    sums: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    height, width = labels.shape[1], labels.shape[2]
    for i in range(field.size):
        side, f = sides[i], field[i]
        top, left, bottom, right = boxes[i]
        n_y, n_x = (bottom - top + side - 1) // side, (right - left + side - 1) // side
        first, last = max(left, 1), min(right, width - 1)
        for b in range(n_y):
            for c in range(3):
                for x in range(right - left):
                    tensors[c, 0, x] = tensors[c, 1, x] = 0
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
                    blocks[b, k, c, 0] = blocks[b, k, c, 1] = 0
                    for x in range(k * side, min((k + 1) * side, right - left)):
                        blocks[b, k, c, 0] += tensors[c, 0, x]
                        blocks[b, k, c, 1] += tensors[c, 1, x]
        _align(blocks, n_y, n_x, centres[i, 0] / side, centres[i, 1] / side, sums, out[i])


@helper
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


@helper
def _align(
    blocks: np.ndarray, n_y: int, n_x: int, centre_y: float, centre_x: float, sums: np.ndarray, out: np.ndarray
) -> None:
    inner, lengths, length = sums[0], sums[1], sums[2]
    for p in range(6):
        inner[p] = lengths[p] = 0
    for y in range(n_y):
        for x in range(n_x):
            for c in range(3):
                across, slant = blocks[y, x, c, 0], blocks[y, x, c, 1]
                length[c] = np.sqrt(across * across + slant * slant)
            for p in range(3):
                a, b = _WAYS[p, 0], _WAYS[p, 1]
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
