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
    maps : ndarray of float32, shape (n_fields, n_channels, h, w)
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
    n_fields, n_channels, height, width = maps.shape
    out = np.empty((len(field), 2, n_channels), np.float32)
    scratch = (np.zeros(n_packed, np.int64), np.empty(height * width, np.int64), np.empty(height * width))
    flat = maps.reshape(n_fields, n_channels, height * width)
    _pool_maps(flat, width, weights, labels, ids, field, boxes, starts, rows, columns, *scratch, out)
    return out


@kernel
def _pool_maps(
    maps: np.ndarray, width: int, weights: np.ndarray, labels: np.ndarray, ids: np.ndarray, field: np.ndarray,
    boxes: np.ndarray, starts: np.ndarray, rows: np.ndarray, columns: np.ndarray, packed: np.ndarray,
    places: np.ndarray, of_place: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    n_channels = maps.shape[1]
    for i in range(len(field)):
        top, left, bottom, right = boxes[i]
        first_row, first_column = rows[top], columns[left]
        across = columns[right - 1] - first_column + 1
        sums = packed[starts[i] : starts[i + 1]]
        for y in range(top, bottom):
            line = sums[(rows[y] - first_row) * across :]
            for x in range(left, right):
                if labels[field[i], y, x] == ids[i]:
                    line[columns[x] - first_column] += weights[field[i], y, x]
        n, total = 0, 0.0
        for k in range(sums.size):
            if sums[k]:
                places[n] = (first_row + k // across) * width + first_column + k % across
                of_place[n] = sums[k]
                total += sums[k]
                n += 1
        for c in range(n_channels):
            plane = maps[field[i], c]
            mean, square = 0.0, 0.0
            for k in range(n):
                value = np.float64(plane[places[k]])
                mean += of_place[k] * value
                square += of_place[k] * value * value
            mean /= total
            out[i, 0, c] = mean
            out[i, 1, c] = np.sqrt(max(square / total - mean * mean, 0.0))
