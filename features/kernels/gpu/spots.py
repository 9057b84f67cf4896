"""Twins of the CPU's smoothed crops of cells, and of the spots in them."""

import numpy as np

from features.kernels.gpu._cuda import launch, namespace

_THREADS = 256
_PIECES = 8  # a cell's rows are divided into: enough pieces to fill a GPU with few large cells


def pack_parts(
    cell_labels: np.ndarray, nucleus_labels: np.ndarray, field: np.ndarray, boxes: np.ndarray, starts: np.ndarray,
    n_pixels: int,
) -> np.ndarray:  # fmt: skip
    """See the CPU twin."""
    parts, (height, width) = namespace(field).empty(n_pixels, np.uint8), cell_labels.shape[1:]
    given = (cell_labels, nucleus_labels, height, width, field, boxes, starts, parts)
    launch("spots", "pack_parts", len(field), _THREADS, *given)
    return parts


def local_means(
    planes: np.ndarray,
    parts: np.ndarray,
    starts: np.ndarray,
    field: np.ndarray,
    boxes: np.ndarray,
    reach: np.ndarray,
    finest: np.ndarray,
) -> np.ndarray:
    """See the CPU twin. Sums each pixel's surroundings anew, so that rows do not wait for one another."""
    xp, (_, n_planes, height, width), n_scales = namespace(planes), planes.shape, reach.shape[1]
    out = xp.empty((n_planes, n_scales, len(parts)), np.float32)
    launch(
        "spots", "local_means", len(field) * n_scales * _PIECES, _THREADS, xp.ascontiguousarray(planes), n_planes,
        height, width, parts, len(parts), starts, field, boxes, reach, n_scales, finest, _PIECES, out,
        pixel=planes.dtype, shared=12 * width,
    )  # fmt: skip
    return out


def peaks(
    fine: np.ndarray,
    coarse: np.ndarray,
    parts: np.ndarray,
    starts: np.ndarray,
    boxes: np.ndarray,
    reach: np.ndarray,
    prominence: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """See the CPU twin. Waits once, to learn how many points there are."""
    xp, n = namespace(fine), len(boxes)
    marks, counts, noise = xp.empty(len(fine), np.uint8), xp.empty(n, np.int64), xp.empty((n, 2))
    given = (fine, coarse, parts, starts, boxes, reach, float(prominence))
    launch("spots", "mark_peaks", n, _THREADS, *given, marks, counts, noise)
    offsets = xp.zeros(n + 1, np.int64)
    xp.cumsum(counts, out=offsets[1:])
    points = xp.empty((int(offsets[-1]), 4), np.int64)
    launch("spots", "list_peaks", n, _THREADS, marks, starts, boxes, offsets, points)
    return points, offsets, noise
