"""Twin of the CPU's sums over rings and wedges."""

import numpy as np

from features.kernels.gpu._cuda import launch, namespace

_THREADS = 256


def ring_sums(
    values: np.ndarray,
    boxes: np.ndarray,
    offsets: np.ndarray,
    positions: np.ndarray,
    width: int,
    to_border: np.ndarray,
    inside: np.ndarray,
    outside: np.ndarray,
    unit: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """See the CPU twin."""
    xp, n = namespace(values), len(boxes)
    sums, moments = xp.zeros((n, 20, 8, 5), np.int64), xp.zeros((n, 2, 4, 3), np.int64)
    nuclei = xp.zeros((n, 3), np.int64)
    launch(
        "radial", "ring_sums", n, _THREADS, values, boxes, offsets, positions, len(positions), width, to_border,
        inside, outside, unit, sums, moments, nuclei, pixel=values.dtype,
    )  # fmt: skip
    return sums, moments, nuclei
