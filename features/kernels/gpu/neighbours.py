"""Twins of the CPU's positions of cells to each other, and of what their borders touch."""

import numpy as np

from features.kernels.gpu._cuda import launch, namespace

_THREADS = 128


def centres(cell_labels: np.ndarray, nucleus_labels: np.ndarray, field: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """See the CPU twin."""
    n, (_, height, width) = len(field), cell_labels.shape
    out = namespace(field).empty((n, 2))
    launch("neighbours", "centres", n, _THREADS, cell_labels, nucleus_labels, height, width, field, boxes, out)
    return out


def nearest(
    field: np.ndarray, boxes: np.ndarray, centres: np.ndarray, reach: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """See the CPU twin."""
    xp, n = namespace(field), len(field)
    index, within = xp.full((n, 2), -1, np.int64), xp.zeros(reach.shape, np.int64)
    blocks = -(-n // _THREADS)
    launch("neighbours", "nearest", blocks, _THREADS, field, n, boxes, centres, reach, reach.shape[1], index, within)
    return index, within


def segment_sums(values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """See the CPU twin."""
    sums = namespace(values).empty(len(offsets) - 1, np.int64)
    launch("neighbours", "segment_sums", len(sums), _THREADS, values, offsets, sums, pixel=values.dtype)
    return sums


def borders(
    planes: np.ndarray, labels: np.ndarray, field: np.ndarray, boxes: np.ndarray, gap: np.ndarray, depth: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """See the CPU twin. Cells are numbered field after field."""
    xp, n = namespace(field), len(field)
    _, n_planes, height, width = planes.shape
    kinds = xp.zeros(labels.shape, np.uint8)  # of border pixels: 1 contact, 2 free
    counts, sizes = xp.zeros((n, 5), np.int64), xp.zeros((n, 2), np.int64)
    sums, peaks = xp.zeros((n, 2, n_planes), np.int64), xp.empty((n, 2, n_planes))
    place = (labels, height, width, field, boxes)
    launch("neighbours", "contacts", n, _THREADS, *place, n, gap, kinds, counts)
    launch(
        "neighbours", "stains", n * n_planes, _THREADS, xp.ascontiguousarray(planes), n_planes, *place, depth, kinds,
        sums, sizes, peaks, pixel=planes.dtype,
    )  # fmt: skip
    return counts, sums, sizes, peaks
