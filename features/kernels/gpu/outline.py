"""Twins of the CPU's outlines of stacks of binary masks and label images."""

import numpy as np

from features.kernels.gpu._cuda import launch, launch_each, namespace

_THREADS = 256


def even_out(masks: np.ndarray, reaches: np.ndarray) -> np.ndarray:
    """See the CPU twin."""
    xp, given = namespace(masks), (*masks.shape[1:], namespace(masks).asarray(reaches))
    along = launch_each("outline", "count_along", xp.empty(masks.shape, np.uint16), masks, *given)
    return launch_each("outline", "join_majority", xp.empty(masks.shape, bool), along, *given)


def opened(masks: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """See the CPU twin."""
    xp, given = namespace(masks), (*masks.shape[1:], namespace(masks).asarray(radii))
    inner = launch_each("outline", "erode", xp.empty(masks.shape, bool), masks, *given)
    return launch_each("outline", "dilate", xp.empty(masks.shape, bool), inner, *given)


def fill_holes(masks: np.ndarray, largest: np.ndarray) -> np.ndarray:
    """See the CPU twin."""
    xp, (n_fields, height, width) = namespace(masks), masks.shape
    first, parent = xp.empty(masks.shape, np.int32), xp.empty(masks.shape, np.int32)
    areas, out = xp.zeros(masks.shape, np.uint64), xp.empty(masks.shape, bool)
    rows = n_fields * height
    launch("outline", "begin_runs", -(-rows // _THREADS), _THREADS, masks, rows, width, first, parent)
    blocks, shape = -(-masks.size // _THREADS), (masks.size, height, width)
    launch("outline", "join_runs", blocks, _THREADS, first, *shape, parent)
    launch("outline", "measure_parts", blocks, _THREADS, first, *shape, parent, areas)
    largest = xp.asarray(largest)
    launch("outline", "fill_parts", blocks, _THREADS, first, masks.size, height * width, parent, areas, largest, out)
    return out


def enlarge(labels: np.ndarray, times: int, height: int, width: int) -> np.ndarray:
    """See the CPU twin."""
    out = namespace(labels).empty((len(labels), height, width), np.int32)
    return launch_each("outline", "enlarge", out, labels, *labels.shape[1:], times, height, width)
