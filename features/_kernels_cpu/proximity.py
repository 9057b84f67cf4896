"""Bright landmarks, sums by distance to a landmark, brightest points and orientations: the loops of `proximity`."""

import numba
import numpy as np

from features._kernels_cpu._jit import kernel

_BLOCK = 256  # 256 8-bit values stay below 2^24
_WAYS = np.array([(0, 1), (0, 2), (1, 2)])  # protein and microtubules, protein and ER, microtubules and ER

_sum_kernel = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})


@kernel
def mark_bright(
    values: np.ndarray, offsets: np.ndarray, positions: np.ndarray, share: float, n_pixels: int
) -> np.ndarray:
    """Mark the brightest pixels of each cell's region: at most `share` of them, all above one level.

    Parameters
    ----------
    values : ndarray of uint8 or uint16, shape (n_values,)
        One channel at the region's pixels, grouped by cell.
    offsets, positions : ndarray of int64
        The region.
    share : float
    n_pixels : int
        Pixels of all fields.

    Returns
    -------
    ndarray of int32, shape (n_pixels,)
        The cell's label where bright, else 0. Flat regions have no bright pixel.
    """
    out = np.zeros(n_pixels, np.int32)
    histogram = np.zeros(np.int64(values.max()) + 2 if values.size else 1, np.int64)
    for i in range(offsets.size - 1):
        mine = values[offsets[i] : offsets[i + 1]]
        histogram[:] = 0
        for value in mine:
            histogram[value] += 1
        level, above = histogram.size - 1, 0
        while level > 0 and above + histogram[level] <= share * mine.size:
            above += histogram[level]
            level -= 1
        for j in range(mine.size):
            if mine[j] > level:
                out[positions[offsets[i] + j]] = i + 1
    return out


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
    block, away = np.empty((4, _BLOCK), adder.dtype), np.empty(_BLOCK, np.float32)
    block[3] = 1
    for i in range(n):
        for start in range(offsets[i], offsets[i + 1], _BLOCK):
            stop = min(start + _BLOCK, offsets[i + 1])
            for c in range(3):
                block[c, : stop - start] = values[c][start:stop]
            for j in range(start, stop):
                away[j - start] = distances[positions[j]]
            for c in range(4):
                before = _sum_beyond(block[c], away[: stop - start], np.float32(-np.inf))
                for k in range(n_edges):
                    beyond = _sum_beyond(block[c], away[: stop - start], edges[i, k])
                    sums[i, k, c] += before - beyond
                    before = beyond
                sums[i, n_edges, c] += before
    return sums


@_sum_kernel
def _sum_beyond(values: np.ndarray, distances: np.ndarray, edge: float) -> float:
    total = values[0] * values.dtype.type(0)
    nothing = total
    for j in range(distances.size):
        total += values[j] if distances[j] >= edge else nothing
    return total


@_sum_kernel
def distance_sums(
    values: tuple[np.ndarray, ...], offsets: np.ndarray, positions: np.ndarray, distances: np.ndarray
) -> np.ndarray:
    """Sums over each cell's region of three channels, and of 1, times the distance in px; float64, shape (n, 4)."""
    sums = np.zeros((offsets.size - 1, 4))
    first, second, third = values
    for i in range(offsets.size - 1):
        a, b, c, d = 0.0, 0.0, 0.0, 0.0
        for j in range(offsets[i], offsets[i + 1]):
            distance = np.float64(distances[positions[j]])
            a += distance * first[j]
            b += distance * second[j]
            c += distance * third[j]
            d += distance
        sums[i, 0], sums[i, 1], sums[i, 2], sums[i, 3] = a, b, c, d
    return sums


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
        across, slant = np.zeros(right - left), np.zeros(right - left)
        first, last = max(left, 1), min(right, width - 1)
        for c in range(3):
            for b in range(n_y):
                across[:], slant[:] = 0, 0
                for y in range(max(top + b * side, 1), min(top + (b + 1) * side, bottom, height - 1)):
                    _add_tensors(
                        planes[f, c, y - 1, first:last], planes[f, c, y, first - 1 : last + 1],
                        planes[f, c, y + 1, first:last], labels[f, y, first:last], to_border[f, y, first:last], i + 1,
                        across[first - left : last - left], slant[first - left : last - left],
                    )  # fmt: skip
                for k in range(n_x):
                    blocks[b, k, c, 0] = across[k * side : (k + 1) * side].sum()
                    blocks[b, k, c, 1] = slant[k * side : (k + 1) * side].sum()
        _align(blocks, centres[i, 0] / side, centres[i, 1] / side, out[i])
    return out


@kernel
def _add_tensors(
    above: np.ndarray, row: np.ndarray, below: np.ndarray, labels: np.ndarray, to_border: np.ndarray, label: int,
    across: np.ndarray, slant: np.ndarray,
) -> None:  # fmt: skip
    """Add the double-angle vectors of a row's gradients; `row` reaches one pixel further at both ends."""
    for x in range(labels.size):
        inside = np.float32(1) if (labels[x] == label) & (to_border[x] > 1) else np.float32(0)
        dx = (np.float32(row[x + 2]) - np.float32(row[x])) * inside
        dy = (np.float32(below[x]) - np.float32(above[x])) * inside
        across[x] += dx * dx - dy * dy
        slant[x] += 2 * dx * dy


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
