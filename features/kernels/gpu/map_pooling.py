"""Twin of the CPU's pooling of a network's maps."""

import numpy as np

from features.kernels.gpu._cuda import launch, namespace

_THREADS = 128


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
    """See the CPU twin."""
    xp, n, (height, width) = namespace(maps), len(field), labels.shape[1:]
    sums = xp.zeros(n_packed, np.int64)
    where = (field, boxes, starts, rows, columns, height, width)
    launch("map_pooling", "sum_weights", n, _THREADS, labels, ids, weights, *where, sums)
    out = xp.empty((n, 2, maps.shape[3]), np.float32)
    launch("map_pooling", "pool_maps", n, _THREADS, maps, *maps.shape[1:], *where, sums, out)
    return out
