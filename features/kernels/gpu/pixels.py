"""Twins of the CPU's pixel lists of labelled regions."""

import numpy as np

from features.kernels.gpu._cuda import launch, namespace

_THREADS = 256


def group_compartments(
    cell_labels: np.ndarray, nucleus_labels: np.ndarray, field: np.ndarray, boxes: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """See the CPU twin. Waits three times, to learn how many pixels there are."""
    compartments = (cell_labels, nucleus_labels, cell_labels - nucleus_labels)
    return [_group_pixels(labels, field, boxes) for labels in compartments]


def _group_pixels(labels: np.ndarray, field: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    xp = namespace(labels)
    n, (_, height, width) = len(field), labels.shape
    counts = xp.zeros(n, np.int64)
    launch("pixels", "count_pixels", n, _THREADS, labels, height, width, field, boxes, counts)
    offsets = xp.zeros(n + 1, np.int64)
    xp.cumsum(counts, out=offsets[1:])
    positions = xp.empty(int(offsets[-1]), np.int64)
    launch("pixels", "list_pixels", n, _THREADS, labels, height, width, field, boxes, offsets, positions)
    return offsets, positions


def channel_values(pixels: np.ndarray, field: np.ndarray, offsets: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """See the CPU twin."""
    xp, (_, n_channels, height, width) = namespace(pixels), pixels.shape
    flat, size = xp.ascontiguousarray(pixels).ravel(), height * width
    first = positions + positions // size * ((n_channels - 1) * size)
    out = xp.empty((n_channels, len(positions)), pixels.dtype)
    for channel in range(n_channels):
        out[channel] = flat[first + channel * size]
    return out


def bounding_boxes(labels: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """See the CPU twin."""
    xp = namespace(labels)
    field = xp.full(n, -1, np.int32)
    boxes = xp.zeros((n, 4), np.int32)
    boxes[:, :2] = np.iinfo(np.int32).max
    launch("pixels", "grow_boxes", -(-labels.size // _THREADS), _THREADS, labels, *labels.shape, field, boxes)
    return field, xp.where(field[:, None] < 0, np.int32(0), boxes)


def centroids(offsets: np.ndarray, positions: np.ndarray, height: int, width: int) -> np.ndarray:
    """See the CPU twin."""
    n = len(offsets) - 1
    out = namespace(offsets).full((n, 2), np.nan)
    launch("pixels", "centroids", n, _THREADS, offsets, positions, height, width, out)
    return out


def value_ranges(values: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """See the CPU twin."""
    xp, n = namespace(values), len(offsets) - 1
    darkest, brightest = xp.empty(n, np.int64), xp.empty(n, np.int64)
    launch("pixels", "value_ranges", n, _THREADS, values, offsets, darkest, brightest, pixel=values.dtype)
    return darkest, brightest
