"""Pixel lists of labelled regions and histograms over them: what every family starts from."""

import numpy as np

from features._kernels_cpu._jit import kernel


@kernel
def group_pixels(labels: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Group the pixels of a label image by label (counting sort; row-major order inside a label).

    Parameters
    ----------
    labels : ndarray of int32, flat
        0 is background, 1..n are regions.
    n : int
        Number of regions.

    Returns
    -------
    offsets : ndarray of int64, shape (n + 1,)
        Region i (label i + 1) owns positions offsets[i]:offsets[i + 1].
    positions : ndarray of int64
        Flat pixel positions.
    """
    counts = np.zeros(n + 1, np.int64)
    for label in labels:
        counts[label] += 1
    offsets = np.zeros(n + 1, np.int64)
    for i in range(n):
        offsets[i + 1] = offsets[i] + counts[i + 1]
    cursor = offsets[:-1].copy()
    positions = np.empty(offsets[n], np.int64)
    for position in range(labels.size):
        label = labels[position]
        if label:
            positions[cursor[label - 1]] = position
            cursor[label - 1] += 1
    return offsets, positions


@kernel
def bounding_boxes(labels: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Field and bounding box of each label.

    Parameters
    ----------
    labels : ndarray of int32, shape (n_fields, H, W)
    n : int

    Returns
    -------
    field : ndarray of int32, shape (n,)
        -1 where a label has no pixel.
    boxes : ndarray of int32, shape (n, 4)
        top, left, bottom, right; bottom and right are exclusive.
    """
    n_fields, height, width = labels.shape
    field = np.full(n, -1, np.int32)
    boxes = np.zeros((n, 4), np.int32)
    for f in range(n_fields):
        for y in range(height):
            for x in range(width):
                label = labels[f, y, x]
                if label == 0:
                    continue
                i = label - 1
                if field[i] < 0:
                    field[i] = f
                    boxes[i, 0] = y
                    boxes[i, 1] = x
                    boxes[i, 3] = x + 1
                boxes[i, 1] = min(boxes[i, 1], x)
                boxes[i, 3] = max(boxes[i, 3], x + 1)
                boxes[i, 2] = y + 1
    return field, boxes


@kernel
def value_ranges(plane: np.ndarray, offsets: np.ndarray, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Darkest and brightest value of each region, int64, shape (n,) each.

    Parameters
    ----------
    plane : ndarray of uint8 or uint16
    offsets, positions : ndarray of int64
        As in `Region`.
    """
    flat = plane.ravel()
    n = len(offsets) - 1
    darkest, brightest = np.empty(n, np.int64), np.empty(n, np.int64)
    for i in range(n):
        low, high = 65535, 0
        for position in positions[offsets[i] : offsets[i + 1]]:
            value = np.int64(flat[np.uint64(position)])
            low, high = min(low, value), max(high, value)
        darkest[i], brightest[i] = low, high
    return darkest, brightest
