"""Twin of the CPU's co-occurrence counts and Haralick features."""

import numpy as np

from features.kernels.gpu._cuda import launch, namespace

_THREADS = 128  # at least the number of sums of two levels


def haralick(
    plane: np.ndarray,
    cell_labels: np.ndarray,
    nucleus_labels: np.ndarray,
    field: np.ndarray,
    boxes: np.ndarray,
    cuts: np.ndarray,
    distances: np.ndarray,
    n_compartments: int,
) -> np.ndarray:
    """See the CPU twin."""
    xp, (height, width) = namespace(plane), plane.shape[1:]
    n, n_levels, n_parts = len(field), cuts.shape[1] + 1, min(n_compartments, 2)
    codes = xp.empty(plane.shape, np.uint8)
    blocks = -(-plane.size // _THREADS)
    image = (plane, cell_labels, nucleus_labels, plane.size)
    launch("texture", "encode", blocks, _THREADS, *image, cuts, n_levels, n_parts, codes, pixel=plane.dtype)
    out = xp.empty((n, n_compartments, len(distances), 4, 13))
    launch(
        "texture", "haralick", n * len(distances) * 4, _THREADS, codes, cell_labels, height, width, field, boxes,
        n_levels, n_parts, distances, len(distances), out, shared=4 * (n_parts * n_levels) ** 2,
    )  # fmt: skip
    return out
