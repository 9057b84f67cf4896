"""Integer sums over the pixels, the outline and the convex hull of labelled regions, box by box."""

import numpy as np

from features.kernels.cpu._jit import Int, helper, kernel


def region_moments(labels: np.ndarray, field: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Geometric moments of each region up to degree 3, in pixels from the corner of its box; exact.

    Parameters
    ----------
    labels : ndarray of int32, shape (n_fields, H, W)
    field : ndarray of int32, shape (n,)
        Field of each region; -1 where it has no pixel.
    boxes : ndarray of int32, shape (n, 4)
        top, left, bottom, right.

    Returns
    -------
    ndarray of int64, shape (n, 10)
        Sums of 1, y, x, yy, yx, xx, yyy, yyx, yxx, xxx.
    """
    sums = np.zeros((len(field), 10), np.int64)
    _region_moments(labels, field, boxes, sums)
    return sums


@kernel
def _region_moments(labels: np.ndarray, field: np.ndarray, boxes: np.ndarray, sums: np.ndarray) -> None:
    for i in range(len(field)):
        if field[i] < 0:
            continue
        (top, left, bottom, right), label = boxes[i], np.int32(i + 1)
        for y in range(bottom - top):
            row = labels[field[i], top + y, left:right]
            n, x1, x2, x3 = 0, 0, 0, 0
            for x in range(right - left):
                mine = np.int64(row[x] == label)
                n += mine
                x1 += mine * x
                x2 += mine * x * x
                x3 += mine * x * x * x
            sums[i, 0] += n
            sums[i, 1] += y * n
            sums[i, 2] += x1
            sums[i, 3] += y * y * n
            sums[i, 4] += y * x1
            sums[i, 5] += x2
            sums[i, 6] += y * y * y * n
            sums[i, 7] += y * y * x1
            sums[i, 8] += y * x2
            sums[i, 9] += x3


def outlines(labels: np.ndarray, field: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Count the steps of each region's outline, and find its Euler number.

    An outline pixel has a 4-neighbour outside the region; it is straight, diagonal or mixed by how many outline
    pixels it has beside and diagonally (Benkrid & Crookes 2000, as in skimage.measure.perimeter).

    Parameters
    ----------
    labels, field, boxes
        As in `region_moments`.

    Returns
    -------
    ndarray of int64, shape (n, 4)
        Straight, diagonal and mixed outline pixels, and the Euler number (8-connected parts minus 4-connected holes).
    """
    counts = np.zeros((len(field), 4), np.int64)
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=0, initial=0)
    mask, edge = np.zeros((2, *(sides + 4)), np.uint8)
    _outlines(labels, field, boxes, mask, edge, counts)
    return counts


@kernel
def _outlines(
    labels: np.ndarray, field: np.ndarray, boxes: np.ndarray, mask: np.ndarray, edge: np.ndarray, counts: np.ndarray
) -> None:
    for i in range(len(field)):
        if field[i] < 0:
            continue
        top, left, bottom, right = boxes[i]
        height, width = bottom - top + 4, right - left + 4
        for y in range(height):
            for of_row in (mask[y, :width], edge[y, :width]):
                of_row[:] = 0
        for y in range(2, height - 2):
            row, mine = labels[field[i], top + y - 2, left:right], mask[y, 2:]
            for x in range(row.size):
                mine[x] = row[x] == np.int32(i + 1)
        for y in range(2, height - 2):
            above, row, below, out = mask[y - 1, 2:], mask[y], mask[y + 1, 2:], edge[y, 2:]
            before, here, after = row[1:], row[2:], row[3:]
            for x in range(width - 4):
                out[x] = here[x] & ~(above[x] & below[x] & before[x] & after[x])
        _count_steps(edge, height, width, counts[i])
        counts[i, 3] = _euler_number(mask, height, width)


@helper
def _count_steps(edge: np.ndarray, height: int, width: int, counts: np.ndarray) -> None:
    for y in range(1, height - 1):
        north, row, south = edge[y - 1, 1:], edge[y, 1:], edge[y + 1, 1:]
        north_west, west, south_west = edge[y - 1], edge[y], edge[y + 1]
        north_east, east, south_east = edge[y - 1, 2:], edge[y, 2:], edge[y + 1, 2:]
        straight, slant, mixed = np.int32(0), np.int32(0), np.int32(0)
        for x in range(width - 2):
            beside = np.uint8(north[x] + south[x] + west[x] + east[x])
            diagonal = np.uint8(north_west[x] + north_east[x] + south_west[x] + south_east[x])
            one = beside == 1
            straight += row[x] & np.uint8(((beside == 2) | (beside == 3)) & (diagonal <= 2))
            slant += row[x] & np.uint8((beside == 0) & (diagonal == 2) | one & (diagonal == 3))
            mixed += row[x] & np.uint8(one & ((diagonal == 1) | (diagonal == 2)))
        counts[0] += straight
        counts[1] += slant
        counts[2] += mixed


@helper
def _euler_number(mask: np.ndarray, height: int, width: int) -> Int:
    """Euler number from the 2 x 2 quads (Gray 1971), 8-connected."""
    quads = 0
    for y in range(1, height - 1):
        upper, lower, in_row = mask[y, 1:], mask[y + 1, 1:], np.int32(0)
        upper_east, lower_east = mask[y, 2:], mask[y + 1, 2:]
        for x in range(width - 2):
            a, b, c, d = upper[x], upper_east[x], lower[x], lower_east[x]
            odd, crossed = a ^ b ^ c ^ d, (a ^ b) & (c ^ d) & (b ^ d)
            three = odd & ((a & d) | (b & c))
            in_row += np.int32(odd) - np.int32(2) * np.int32(three) - np.int32(2) * np.int32(crossed)
        quads += in_row
    return quads // 4


def hulls(labels: np.ndarray, field: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Convex area and Feret diameters of each region.

    The hull is that of the midpoints of the pixels' four sides (as in skimage.morphology.convex_hull_image), in
    integers of half a pixel; the convex area is the number of pixel centres in it.

    Parameters
    ----------
    labels, field, boxes
        As in `region_moments`.

    Returns
    -------
    ndarray of float64, shape (n, 3)
        Convex area, largest and smallest Feret diameter in px; NaN where a region has no pixel.
    """
    out = np.full((len(field), 3), np.nan)
    rows = 2 * int((boxes[:, 2] - boxes[:, 0]).max(initial=0)) + 1
    _hulls(labels, field, boxes, np.empty((rows, 2), np.int64), np.empty((3, 2 * rows, 2), np.int64), out)
    return out


@kernel
def _hulls(
    labels: np.ndarray, field: np.ndarray, boxes: np.ndarray, spans: np.ndarray, chains: np.ndarray, out: np.ndarray
) -> None:
    right_side, downwards, left_side, upwards = np.int64(1), np.int64(1), np.int64(0), np.int64(-1)
    a, b, corners = chains[0], chains[1], chains[2]
    for i in range(len(field)):
        if field[i] < 0:
            continue
        top, left, bottom, right = boxes[i]
        rows = spans[: 2 * (bottom - top) + 1]
        _row_spans(labels[field[i], top:bottom, left:right], i + 1, rows)
        n, m = _chain(rows, left_side, downwards, a), _chain(rows, right_side, upwards, b)
        out[i, 0] = _lattice_points(a, b, bottom - top)
        for k in range(n):
            corners[k, 0], corners[k, 1] = a[k, 0], a[k, 1]
        for k in range(m):
            corners[n + k, 0], corners[n + k, 1] = b[m - 1 - k, 0], b[m - 1 - k, 1]
        out[i, 1], out[i, 2] = _feret(corners[: n + m])


@helper
def _row_spans(window: np.ndarray, label: int, spans: np.ndarray) -> None:
    """First and last midpoint of each half row, in half pixels; -1 where there is none; shape (2 h + 1, 2)."""
    height, width = window.shape
    for half in range(len(spans)):
        spans[half, 0] = spans[half, 1] = -1
    for y in range(height):
        row, first, last = window[y], 0, width - 1
        while first < width and row[first] != label:
            first += 1
        while last > first and row[last] != label:
            last -= 1
        if first == width:
            continue
        spans[2 * y + 1, 0], spans[2 * y + 1, 1] = 2 * first, 2 * last + 2
        for half in range(2 * y, 2 * y + 3, 2):
            if spans[half, 0] < 0 or 2 * first + 1 < spans[half, 0]:
                spans[half, 0] = 2 * first + 1
            spans[half, 1] = max(spans[half, 1], 2 * last + 1)


@helper
def _chain(spans: np.ndarray, side: Int, sign: Int, chain: np.ndarray) -> int:
    """Fill in the left (side 0, sign 1) or right (side 1, sign -1) convex chain from top to bottom (Andrew 1979)."""
    m = 0
    for y in range(len(spans)):
        x = spans[y, side]
        if x < 0:
            continue
        while m >= 2:
            turn = (chain[m - 1, 1] - chain[m - 2, 1]) * (y - chain[m - 2, 0])
            turn -= (x - chain[m - 2, 1]) * (chain[m - 1, 0] - chain[m - 2, 0])
            if sign * turn < 0:
                break
            m -= 1
        chain[m, 0], chain[m, 1] = y, x
        m += 1
    return m


@helper
def _lattice_points(a: np.ndarray, b: np.ndarray, height: int) -> int:
    """Pixel centres between the left and the right chain, borders included; exact."""
    count, p, q = 0, 0, 0
    for row in range(height):
        y = 2 * row + 1
        while a[p + 1, 0] < y:
            p += 1
        while b[q + 1, 0] < y:
            q += 1
        depth = a[p + 1, 0] - a[p, 0]
        first = a[p, 1] * depth + (a[p + 1, 1] - a[p, 1]) * (y - a[p, 0])
        count += (depth - first) // (2 * depth) + 1
        depth = b[q + 1, 0] - b[q, 0]
        last = b[q, 1] * depth + (b[q + 1, 1] - b[q, 1]) * (y - b[q, 0])
        count += (last - depth) // (2 * depth)
    return count


@helper
def _feret(corners: np.ndarray) -> tuple[float, float]:
    """Largest distance of two corners, and smallest width over the directions of the sides, in px."""
    longest, narrowest = 0, np.inf
    for j in range(len(corners)):
        y, x, after = corners[j, 0], corners[j, 1], (j + 1) % len(corners)
        dy, dx = corners[after, 0] - y, corners[after, 1] - x
        widest = 0
        for k in range(len(corners)):
            v, u = corners[k, 0] - y, corners[k, 1] - x
            longest = max(longest, v * v + u * u)
            widest = max(widest, abs(dy * u - dx * v))
        if dy != 0 or dx != 0:
            narrowest = min(narrowest, widest / np.sqrt(dy * dy + dx * dx))
    return np.sqrt(longest) / 2, narrowest / 2


def inscribed_radii(distance: np.ndarray, offsets: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Largest and mean distance to the border over the pixels of each region.

    Parameters
    ----------
    distance : ndarray of float32, flat
        Distance of each pixel to the border of its region, px.
    offsets, positions : ndarray of int64
        Pixels grouped by region.

    Returns
    -------
    ndarray of float64, shape (n, 2)
        NaN where a region has no pixel.
    """
    out = np.full((len(offsets) - 1, 2), np.nan)
    _inscribed_radii(distance, offsets, positions, out)
    return out


@kernel
def _inscribed_radii(distance: np.ndarray, offsets: np.ndarray, positions: np.ndarray, out: np.ndarray) -> None:
    for i in range(len(offsets) - 1):
        mine = positions[offsets[i] : offsets[i + 1]]
        if len(mine) == 0:
            continue
        largest, total = 0.0, 0.0
        for position in mine:
            value = distance[np.uint64(position)]
            largest = max(largest, value)
            total += value
        out[i, 0], out[i, 1] = largest, total / len(mine)
