"""Twins of the CPU's thresholds of cells and of the objects above them."""

import numpy as np

from features.kernels.gpu._cuda import launch, namespace

_THREADS = 256


def thresholds(values: np.ndarray, parts: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """See the CPU twin."""
    n = len(starts) - 1
    out = namespace(values).full((4, n, 4), np.nan)
    launch("objects", "thresholds", n, _THREADS, values, parts, starts, n, out)
    return out


def find_objects(
    values: np.ndarray,
    parts: np.ndarray,
    starts: np.ndarray,
    field: np.ndarray,
    boxes: np.ndarray,
    wanted: np.ndarray,
    level: np.ndarray,
    smallest: np.ndarray,
    outside: np.ndarray,
    inside: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """See the CPU twin. Waits once, to learn how many objects there are."""
    xp, n, (height, width) = namespace(values), len(field), outside.shape[1:]
    n_crops = len(wanted) * n
    roots, areas = xp.empty((len(wanted), len(values)), np.int32), xp.empty((len(wanted), len(values)), np.int32)
    counts, offsets = xp.empty(n_crops, np.int64), xp.zeros(n_crops + 1, np.int64)
    given = (values, parts, starts, boxes, n, wanted, xp.ascontiguousarray(level), smallest)
    launch("objects", "label_parts", n_crops, _THREADS, *given, roots, areas, counts)
    xp.cumsum(counts, out=offsets[1:])
    n_objects = int(offsets[-1])
    owner, firsts, euler = (xp.empty(n_objects, kind) for kind in (np.int64, np.int32, np.int64))
    sums = xp.empty((n_objects, 9))
    launch("objects", "list_objects", n_crops, _THREADS, starts, n, smallest, roots, areas, offsets, owner, firsts)
    maps = (outside, inside, height, width)
    given = (values, starts, field, boxes, n, *maps, roots, areas, owner, firsts, euler, sums)
    launch("objects", "add_up", n_objects, _THREADS // 2, *given)
    return owner, offsets, euler, sums
