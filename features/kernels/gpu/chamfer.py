"""Twins of the CPU's distances by steps between pixels."""

import numpy as np

from features.kernels.gpu._cuda import launch, launch_each, namespace

_THREADS = 512
_FURTHEST = 8191


def distances(masks: np.ndarray) -> np.ndarray:
    """See the CPU twin."""
    out = namespace(masks).empty(masks.shape, np.uint16)
    launch("chamfer", "distances", len(masks), _THREADS, masks, *masks.shape[1:], out)
    return out


def typical_radius(masks: np.ndarray) -> np.ndarray:
    """See the CPU twin."""
    xp, (n_fields, height, width) = namespace(masks), masks.shape
    halved = xp.empty((n_fields, (height + 1) // 2, (width + 1) // 2), bool)
    distance = distances(launch_each("chamfer", "halve", halved, masks, height, width, *halved.shape[1:]))
    peaks, out = xp.zeros((n_fields, _FURTHEST + 1), np.uint32), xp.empty(n_fields)
    launch("chamfer", "typical_radius", n_fields, _THREADS, distance, *halved.shape[1:], peaks, out)
    return out
