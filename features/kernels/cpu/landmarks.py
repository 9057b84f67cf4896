"""Sums by the distance to a channel's brightest pixels: the loops of `proximity` near microtubules and ER."""

import numpy as np

from features.kernels.cpu._jit import Int, helper, kernel

_STEP = 32


def bright_sums(
    planes: np.ndarray, landmark: int, share: float, field: np.ndarray, boxes: np.ndarray, labels: np.ndarray,
    edges: np.ndarray, reach: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Add up channels by the distance to one channel's brightest pixels in the same cell.

    Squared distances are whole numbers, and few up to the reach: channels are added up by them, exactly.

    Parameters
    ----------
    planes : ndarray of uint8 or uint16, shape (n_fields, 3, H, W)
    landmark : int
        The plane whose brightest pixels are the landmark: at most `share` of the region, all above one level. A flat
        region has none.
    share : float
    field : ndarray of int32, shape (n,)
    boxes : ndarray of int32, shape (n, 4)
    labels : ndarray of int32, shape (n_fields, H, W)
        The region.
    edges : ndarray of float32, shape (n, n_edges)
        In px, ascending, of each cell; band k holds edges[k - 1] <= distance < edges[k].
    reach : ndarray of float32, shape (n,)
        In px: pixels further away are given this distance, as are all where there is no landmark.

    Returns
    -------
    sums : ndarray of float64, shape (n, n_edges + 1, 4)
        Sums of the three channels and of pixels, by band; whole numbers.
    weighted : ndarray of float64, shape (n, 4)
        Sums of the same times the distance in px.
    """
    n, n_edges = edges.shape
    farthest = int(reach.max(initial=0)) + 1
    height, width = (boxes[:, 2:] - boxes[:, :2]).max(axis=0, initial=0).tolist()
    narrow = np.int16 if farthest <= 121 else np.int32  # a sum of two squared distances fits in 16 bits
    columns, squares = np.empty((height, width + 2 * farthest + _STEP), narrow), np.empty(width + _STEP, narrow)
    histogram, sums = np.zeros(int(planes.max(initial=0)) + 1, np.int64), np.zeros((farthest**2 + 1, 4), np.int64)
    out, weighted = np.zeros((n, n_edges + 1, 4)), np.zeros((n, 4))
    scratch = (histogram, columns, squares, sums)
    _bright_sums(planes, landmark, share, field, boxes, labels, edges, reach, *scratch, out, weighted)
    return out, weighted


@kernel
def _bright_sums(
    planes: np.ndarray, landmark: int, share: float, field: np.ndarray, boxes: np.ndarray, labels: np.ndarray,
    edges: np.ndarray, reach: np.ndarray, histogram: np.ndarray, columns: np.ndarray, squares: np.ndarray,
    sums: np.ndarray, out: np.ndarray, weighted: np.ndarray,
) -> None:  # fmt: skip
    n_edges = edges.shape[1]
    for i in range(len(field)):
        stack, image, label = planes[field[i]], labels[field[i]], np.int32(i + 1)
        level = _bright_level(stack[landmark], image, boxes[i], label, share, histogram)
        far = np.int64(reach[i]) + 1
        _columns_to_bright(stack[landmark], image, boxes[i], label, level, far, columns)
        _add_by_square(stack, image, boxes[i], label, columns, far, squares, sums)
        band = 0
        for square in range(far * far + 1):
            distance = min(np.float32(np.sqrt(square)), reach[i])
            while band < n_edges and distance >= edges[i, band]:
                band += 1
            for c in range(4):
                out[i, band, c] += sums[square, c]
                weighted[i, c] += np.float64(distance) * sums[square, c]
                sums[square, c] = 0  # for the next cell


@helper
def _bright_level(
    plane: np.ndarray, labels: np.ndarray, box: np.ndarray, label: Int, share: float, histogram: np.ndarray
) -> int:
    """The lowest level that at most `share` of the region's pixels exceed."""
    histogram[:] = 0
    size = 0
    for y in range(box[0], box[2]):
        row, mine = plane[y, box[1] : box[3]], labels[y, box[1] : box[3]]
        for x in range(row.size):
            if mine[x] == label:
                histogram[np.uint64(row[x])] += 1
                size += 1
    level, above = histogram.size - 1, 0
    while level > 0 and above + histogram[level] <= share * size:
        above += histogram[level]
        level -= 1
    return level


@helper
def _columns_to_bright(
    plane: np.ndarray, labels: np.ndarray, box: np.ndarray, label: Int, level: Int, far: Int, columns: np.ndarray
) -> None:
    """Fill in squared distances to the nearest bright pixel within each column, at most far^2, and that at each side.

    The first rows of `columns` are filled, the crop with `far` columns on either side. Every step is written in their
    type: 16 bits are added up twice as fast as 32.
    """
    top, left, bottom, right = box
    height, width = bottom - top, right - left
    nothing, one, above = columns.dtype.type(0), columns.dtype.type(1), plane.dtype.type(level)
    limit = columns.dtype.type(far)
    for y in range(height):
        columns[y, : width + 2 * far] = limit
    for y in range(height):
        here, row, mine = columns[y, far : far + width], plane[top + y, left:right], labels[top + y, left:right]
        before = columns[max(y - 1, 0), far : far + width]
        for x in range(width):
            away = min(columns.dtype.type(before[x] + one), limit)
            here[x] = nothing if (mine[x] == label) & (row[x] > above) else away
    for y in range(height - 2, -1, -1):
        here, before = columns[y, far : far + width], columns[y + 1, far : far + width]
        for x in range(width):
            here[x] = min(here[x], columns.dtype.type(before[x] + one))
    for y in range(height):
        row = columns[y, : width + 2 * far]
        for x in range(row.size):
            row[x] = row[x] * row[x]


@helper
def _add_by_square(
    planes: np.ndarray, labels: np.ndarray, box: np.ndarray, label: Int, columns: np.ndarray, far: Int,
    squares: np.ndarray, sums: np.ndarray,
) -> None:  # fmt: skip
    """Add up the channels, and 1, of each pixel of the region in the row of its squared distance, at most far^2."""
    top, left, bottom, right = box
    width = right - left
    whole = (width + _STEP - 1) // _STEP * _STEP  # so that the compiler's vectors leave no rest to do one by one
    for y in range(top, bottom):
        own, mine = columns[y - top], labels[y, left:right]
        middle = own[far : far + whole]
        for x in range(whole):
            squares[x] = middle[x]
        for k in range(1, far):
            before, after = own[far - k : far - k + whole], own[far + k : far + k + whole]
            square = columns.dtype.type(k * k)
            for x in range(whole):
                squares[x] = min(squares[x], columns.dtype.type(min(before[x], after[x]) + square))
        first, second, third = planes[0, y, left:right], planes[1, y, left:right], planes[2, y, left:right]
        for x in range(width):
            if mine[x] == label:
                to = np.uint64(squares[x])
                sums[to, 0] += first[x]
                sums[to, 1] += second[x]
                sums[to, 2] += third[x]
                sums[to, 3] += 1
