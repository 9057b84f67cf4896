"""Maps of a network pooled under each cell: weighted mean and standard deviation of every channel."""

import numpy as np

from features.kernels.cpu._jit import kernel


def pool_maps(
    maps: np.ndarray,
    weights: np.ndarray,
    labels: np.ndarray,
    ids: np.ndarray,
    field: np.ndarray,
    boxes: np.ndarray,
    starts: np.ndarray,
    n_packed: int,
    rows: np.ndarray,
    columns: np.ndarray,
) -> np.ndarray:
    """Mean and sd over the map pixels under each cell; a map pixel counts by the weights of the cell's pixels in it.

    Parameters
    ----------
    maps : ndarray of float32, shape (n_fields, h, w, n_channels)
    weights : ndarray of uint16, shape (n_fields, H, W)
        Of image pixels; positive.
    labels : ndarray of int32, shape (n_fields, H, W)
    ids : ndarray of int32, shape (n,)
        The cells' ids in the labels.
    field : ndarray of int32, shape (n,)
    boxes : ndarray of int32, shape (n, 4)
    starts : ndarray of int64, shape (n + 1,)
        Where each cell begins if the map pixels of all boxes lie one after the other.
    n_packed : int
        starts[-1].
    rows, columns : ndarray of int32, shapes (H,), (W,)
        The map row of each image row, the map column of each image column; rising.

    Returns
    -------
    ndarray of float32, shape (n, 2, n_channels)
        Means, then standard deviations.
    """
    n_channels = maps.shape[3]
    sums, out = np.zeros(n_packed, np.int64), np.empty((len(field), 2, n_channels), np.float32)
    line = np.zeros(labels.shape[2], np.uint32)  # a map row is at most 512 image rows: it fits
    _sum_weights(labels, ids, weights, field, boxes, starts, rows, columns, line, sums)
    _pool_maps(maps, field, boxes, starts, rows, columns, sums, np.empty(n_channels), np.empty(n_channels), out)
    return out


@kernel
def _sum_weights(
    labels: np.ndarray, ids: np.ndarray, weights: np.ndarray, field: np.ndarray, boxes: np.ndarray,
    starts: np.ndarray, rows: np.ndarray, columns: np.ndarray, line: np.ndarray, sums: np.ndarray,
) -> None:  # fmt: skip
    """Add the weights of each cell's pixels to the map pixels that they lie in: down the rows of a map row first."""
    for i in range(len(field)):
        top, left, bottom, right = boxes[i]
        first_row, first_column = rows[top], columns[left]
        across = columns[right - 1] - first_column + 1
        own, packed, places = ids[i], sums[starts[i] : starts[i + 1]], columns[left:right]
        for y in range(top, bottom):
            mine, weight = labels[field[i], y, left:right], weights[field[i], y, left:right]
            for x in range(mine.size):
                line[x] += np.uint32(weight[x]) * np.uint32(mine[x] == own)  # quicker than to branch
            if y == bottom - 1 or rows[y + 1] != rows[y]:
                out = packed[(rows[y] - first_row) * across :]
                for x in range(mine.size):
                    out[np.uint64(places[x] - first_column)] += np.int64(line[x])
                    line[x] = 0


@kernel
def _pool_maps(
    maps: np.ndarray, field: np.ndarray, boxes: np.ndarray, starts: np.ndarray, rows: np.ndarray,
    columns: np.ndarray, sums: np.ndarray, means: np.ndarray, squares: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    n_channels = maps.shape[3]
    for i in range(len(field)):
        top, left, bottom, right = boxes[i]
        for c in range(n_channels):
            means[c] = squares[c] = 0.0
        k, total = starts[i], 0.0
        for row in range(rows[top], rows[bottom - 1] + 1):
            for column in range(columns[left], columns[right - 1] + 1):
                weight = np.float64(sums[k])
                k += 1
                if weight == 0:
                    continue
                total += weight
                values = maps[field[i], row, column]
                for c in range(n_channels):  # side by side in memory, so that several are added at once
                    value = np.float64(values[c])
                    means[c] += weight * value
                    squares[c] += weight * value * value
        for c in range(n_channels):
            mean = means[c] / total
            out[i, 0, c] = mean
            out[i, 1, c] = np.sqrt(max(squares[c] / total - mean * mean, 0.0))
