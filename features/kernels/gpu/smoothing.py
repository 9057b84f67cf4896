"""Twins of the CPU's smooth versions of stacks of planes."""

import numpy as np

from features.kernels.gpu._cuda import launch_each, namespace

_BLOCK = 4  # side of the blocks of local means, as on the CPU


def gaussian(planes: np.ndarray, weights: np.ndarray, reaches: np.ndarray) -> np.ndarray:
    """See the CPU twin."""
    xp, pixel = namespace(planes), planes.dtype
    given = (*planes.shape[1:], xp.asarray(weights), weights.shape[1], xp.asarray(reaches))
    along = launch_each("smoothing", "smooth_rows", xp.empty(planes.shape, np.uint16), planes, *given, pixel=pixel)
    return launch_each("smoothing", "smooth_columns", xp.empty(planes.shape, pixel), along, *given, pixel=pixel)


def local_mean(planes: np.ndarray, masks: np.ndarray, reaches: np.ndarray) -> np.ndarray:
    """See the CPU twin."""
    xp, (n_fields, height, width) = namespace(planes), planes.shape
    blocks = (n_fields, -(-height // _BLOCK), -(-width // _BLOCK))
    reaches = xp.asarray(reaches)
    sums = launch_each(
        "smoothing", "sum_blocks", xp.empty((*blocks, 2), np.int32), planes, masks, height, width, *blocks[1:]
    )
    along = launch_each("smoothing", "sum_along", xp.empty((*blocks, 2), np.int32), sums, *blocks[1:], reaches)
    means = launch_each("smoothing", "mean_of_squares", xp.empty(blocks, np.uint8), along, *blocks[1:], reaches)
    return launch_each("smoothing", "interpolate", xp.empty(planes.shape, np.uint8), means, *blocks[1:], height, width)
