"""Twin of the CPU's moments on the disc around each region."""

import numpy as np

from features.kernels.gpu._cuda import launch, namespace

_COLUMNS = 128  # of a region's box at a time; threads of a block
_DEGREE = 9  # the highest that the kernel has registers for


def disc_moments(
    planes: np.ndarray, labels: np.ndarray, field: np.ndarray, boxes: np.ndarray, degree: int
) -> np.ndarray:
    """See the CPU twin; up to degree 9."""
    if degree > _DEGREE:
        raise ValueError(f"disc_moments: degree {degree}; the GPU has up to {_DEGREE}")
    xp, n = namespace(planes), len(field)
    _, n_planes, height, width = planes.shape
    discs = xp.empty((n, 3))
    place = (labels, height, width, field, boxes)
    launch("zernike", "discs", n, _COLUMNS, *place, discs)
    out = xp.zeros((n, n_planes + 1, (degree + 1) * (degree + 2) // 2))
    launch(
        "zernike", "disc_moments", n * (n_planes + 1), _COLUMNS, xp.ascontiguousarray(planes), n_planes, *place, discs,
        degree, out, pixel=planes.dtype, shared=8 * 2 * (_COLUMNS + 1) * (degree + 1),
    )  # fmt: skip
    return out
