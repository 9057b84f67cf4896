"""Twins of the CPU's moments, outlines, hulls and radii of labelled regions."""

import numpy as np

from features.kernels.gpu._cuda import launch, namespace

_THREADS = 128


def region_moments(labels: np.ndarray, field: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """See the CPU twin."""
    sums = namespace(labels).zeros((len(field), 10), np.int64)
    launch("shape", "region_moments", len(field), _THREADS, labels, *labels.shape[1:], field, boxes, sums)
    return sums


def outlines(labels: np.ndarray, field: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """See the CPU twin."""
    counts = namespace(labels).zeros((len(field), 4), np.int64)
    launch("shape", "outlines", len(field), _THREADS, labels, *labels.shape[1:], field, boxes, counts)
    return counts


def hulls(labels: np.ndarray, field: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """See the CPU twin."""
    height, width = labels.shape[1:]
    out = namespace(labels).full((len(field), 3), np.nan)
    room = 4 * (2 * height + 1)  # the half rows of two chains of y and x
    launch("shape", "hulls", len(field), _THREADS, labels, height, width, field, boxes, out, shared=2 * room)
    return out


def inscribed_radii(distance: np.ndarray, offsets: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """See the CPU twin."""
    n = len(offsets) - 1
    out = namespace(distance).full((n, 2), np.nan)
    launch("shape", "inscribed_radii", n, _THREADS, distance, offsets, positions, out)
    return out
