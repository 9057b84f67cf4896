"""Twins of the CPU's sums by distance, brightest points and orientations."""

import numpy as np

from features.kernels.gpu._cuda import launch, namespace

_THREADS = 256


def band_sums(
    values: tuple[np.ndarray, ...],
    offsets: np.ndarray,
    positions: np.ndarray,
    distances: np.ndarray,
    edges: np.ndarray,
    adder: np.ndarray,
) -> np.ndarray:
    """See the CPU twin. Adds up in whole numbers; `adder` is not needed."""
    n, n_edges = edges.shape
    out = namespace(edges).empty((n, n_edges + 1, 4))
    given = (*values, offsets, positions, distances, edges, n_edges, out)
    launch("proximity", "band_sums", n * (n_edges + 1), _THREADS, *given, pixel=values[0].dtype)
    return out


def brightest(plane: np.ndarray, offsets: np.ndarray, positions: np.ndarray, to_border: np.ndarray) -> np.ndarray:
    """See the CPU twin."""
    n, width = len(offsets) - 1, plane.shape[1]
    out = namespace(plane).empty(n, np.int64)
    given = (plane, width, offsets, positions, to_border, out)
    launch("proximity", "brightest", n, _THREADS, *given, pixel=plane.dtype)
    return out


def alignments(
    planes: np.ndarray, field: np.ndarray, boxes: np.ndarray, labels: np.ndarray, to_border: np.ndarray,
    centres: np.ndarray, sides: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """See the CPU twin. Gradients are added up in whole numbers."""
    n, (height, width) = len(field), labels.shape[1:]
    out = namespace(planes).empty((n, 6))
    given = (planes, field, boxes, labels, height, width, to_border, centres, sides, out)
    launch("proximity", "alignments", n, _THREADS, *given, pixel=planes.dtype)
    return out
