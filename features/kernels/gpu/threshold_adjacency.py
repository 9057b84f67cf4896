"""Twins of the CPU's grey-level bands and counts of neighbours in them."""

import numpy as np

from features.kernels.gpu._cuda import launch, namespace

_BINS = 256  # of a histogram, a thread each
_THREADS = 256
_COUNTS = (12, 9)


def bands(values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """See the CPU twin."""
    out = namespace(values).empty((len(offsets) - 1, 6, 2), np.int32)
    launch("threshold_adjacency", "bands", len(out), _BINS, values, offsets, out, pixel=values.dtype)
    return out


def adjacency(
    pixels: np.ndarray, channel: int, labels: np.ndarray, field: np.ndarray, boxes: np.ndarray, band: np.ndarray
) -> np.ndarray:
    """See the CPU twin."""
    out = namespace(pixels).empty((len(field), *_COUNTS), np.int64)
    launch(
        "threshold_adjacency", "adjacency", len(field), _THREADS, pixels, pixels.shape[1], channel, labels,
        *labels.shape[1:], field, boxes, band, out, pixel=pixels.dtype,
    )  # fmt: skip
    return out
