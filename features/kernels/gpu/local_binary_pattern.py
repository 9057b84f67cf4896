"""Twin of the CPU's counts of local binary patterns."""

import numpy as np

from features.kernels.gpu._cuda import launch, namespace
from features.kernels.gpu.pixels import bounding_boxes

_THREADS = 256
_BINS = 10


def pattern_counts(
    pixels: np.ndarray, measured: np.ndarray, circles: np.ndarray, cell_labels: np.ndarray,
    nucleus_labels: np.ndarray, n: int,
) -> np.ndarray:  # fmt: skip
    """See the CPU twin. `measured` and `circles` are on the host."""
    xp = namespace(pixels)
    field, boxes = bounding_boxes(cell_labels, n)
    depths = [_inner_depth(labels, int(circles[:, 0].max())) for labels in (cell_labels, nucleus_labels)]
    out = xp.empty((n, len(measured), _BINS), np.int64)
    launch(
        "local_binary_pattern", "pattern_counts", n * len(measured), _THREADS, pixels, pixels.shape[1],
        xp.asarray(measured), len(measured), xp.asarray(circles), cell_labels, *cell_labels.shape[1:], field, boxes,
        *depths, out,
        pixel=pixels.dtype, shared=4 * _BINS * _THREADS,
    )  # fmt: skip
    return out


def _inner_depth(labels: np.ndarray, largest: int) -> np.ndarray:
    """How far, up to the largest, the square around each pixel has one label, uint8."""
    depth = namespace(labels).empty(labels.shape, np.uint8)
    blocks = -(-labels.size // _THREADS)
    launch(
        "local_binary_pattern", "inner_depth", blocks, _THREADS, labels, labels.size, *labels.shape[1:], largest, depth
    )
    return depth
