"""Twins of the CPU's exact Euclidean distance maps."""

import numpy as np

from features.kernels.gpu._cuda import launch, namespace

_THREADS = 256


def to_border(labels: np.ndarray) -> np.ndarray:
    """See the CPU twin."""
    xp, (n_fields, _, width) = namespace(labels), labels.shape
    columns, out = xp.empty(labels.shape, np.uint16), xp.empty(labels.shape, np.float32)
    blocks = -(-n_fields * width // _THREADS)
    launch("distance", "columns_to_border", blocks, _THREADS, labels, *labels.shape, columns)
    blocks = -(-labels.size // _THREADS)
    launch("distance", "rows_to_border", blocks, _THREADS, labels, columns, labels.size, width, out)
    return out


def to_sources(
    sources: np.ndarray, labels: np.ndarray, field: np.ndarray, boxes: np.ndarray, reach: np.ndarray
) -> np.ndarray:
    """See the CPU twin. Waits once, to learn how many pixels the boxes have."""
    xp, n, (height, width) = namespace(labels), len(field), labels.shape[1:]
    starts = xp.zeros(n + 1, np.int64)
    xp.cumsum((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]), dtype=np.int64, out=starts[1:])
    columns = xp.empty(int(starts[-1]), np.uint16)
    out = xp.zeros(labels.shape, np.float32)
    shape = (height, width, field, boxes)
    launch("distance", "columns_to_sources", n, _THREADS, sources, *shape, starts, columns)
    launch("distance", "rows_to_sources", n, _THREADS, labels, *shape, reach, starts, columns, out)
    return out
