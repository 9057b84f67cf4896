"""Twins of the CPU's brightness of stacks of planes."""

import numpy as np

from features.kernels.gpu._cuda import launch, launch_each, namespace

_THREADS = 256


def root_scale(planes: np.ndarray) -> np.ndarray:
    """See the CPU twin."""
    xp, (n_fields, height, width) = namespace(planes), planes.shape
    n_levels = np.iinfo(planes.dtype).max + 1
    levels, steps = (xp.zeros((n_fields, n_levels), np.uint32) for _ in range(2))
    ends = xp.empty((n_fields, 2))
    given = (planes, height, width, n_levels, levels, steps, ends)
    launch("planes", "find_ends", n_fields, _THREADS, *given, pixel=planes.dtype)
    out = xp.empty(planes.shape, np.uint8)
    return launch_each("planes", "root_scale", out, planes, ends, height * width, pixel=planes.dtype)


def nth_brightest(planes: np.ndarray, n: int) -> np.ndarray:
    """See the CPU twin."""
    xp, flat = namespace(planes), planes.reshape(len(planes), -1)
    rank = flat.shape[1] - n
    return xp.partition(flat, rank, axis=1)[:, rank]


def shrink(planes: np.ndarray, times: int) -> np.ndarray:
    """See the CPU twin."""
    n_fields, height, width = planes.shape
    out = namespace(planes).empty((n_fields, -(-height // times), -(-width // times)), planes.dtype)
    return launch_each("planes", "shrink", out, planes, height, width, times, *out.shape[1:], pixel=planes.dtype)


def mean_of_nine(planes: np.ndarray) -> np.ndarray:
    """See the CPU twin."""
    return launch_each(
        "planes", "mean_of_nine", namespace(planes).empty(planes.shape, np.uint8), planes, *planes.shape[1:]
    )


def otsu(planes: np.ndarray, above: int, fewest: int) -> np.ndarray:
    """See the CPU twin."""
    n_fields, height, width = planes.shape
    out = namespace(planes).empty(n_fields, np.int64)
    launch("planes", "otsu", n_fields, _THREADS, planes, height * width, above, fewest, out)
    return out


def look_up(planes: np.ndarray, tables: np.ndarray) -> np.ndarray:
    """See the CPU twin."""
    xp, (_, height, width) = namespace(planes), planes.shape
    return launch_each(
        "planes", "look_up", xp.empty(planes.shape, np.uint8), planes, xp.asarray(tables), height * width
    )
