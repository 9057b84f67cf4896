"""Twin of the CPU's crossings between the nuclei of neighbouring cells."""

import numpy as np

from features.kernels.gpu._cuda import launch, namespace

_THREADS = 32  # about as many as there are crossings


def crossings(
    planes: np.ndarray,
    labels: np.ndarray,
    field: np.ndarray,
    boxes: np.ndarray,
    centres: np.ndarray,
    partner: np.ndarray,
    width: np.ndarray,
    step: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """See the CPU twin."""
    xp, n = namespace(planes), len(field)
    n_planes, *shape = planes.shape[1:]
    planes, partner = xp.ascontiguousarray(planes), xp.ascontiguousarray(partner)
    thickness, levels = xp.full(n, np.nan), xp.full((n, n_planes, 4), np.nan)
    launch(
        "bridge", "crossings", n * n_planes, _THREADS, planes, n_planes, labels, *shape, field, boxes, centres,
        partner, width, step, thickness, levels, pixel=planes.dtype,
    )  # fmt: skip
    return thickness, levels
