"""Twin of the CPU's sums by the distance to a channel's brightest pixels."""

import numpy as np

from features.kernels.gpu._cuda import launch, namespace

_THREADS = 256


def bright_sums(
    planes: np.ndarray, landmark: int, share: float, field: np.ndarray, boxes: np.ndarray, labels: np.ndarray,
    edges: np.ndarray, reach: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """See the CPU twin. Weighted sums are of floating point, in an order of their own."""
    xp, (n, n_edges), (height, width) = namespace(planes), edges.shape, labels.shape[1:]
    away = xp.empty(labels.shape, np.float32)
    sums, weighted = xp.empty((n, n_edges + 1, 4)), xp.empty((n, 4))
    places = (field, boxes, labels, height, width)
    launch(
        "landmarks", "distances_to_bright", n, _THREADS, planes, landmark, float(share), *places, reach, away, weighted,
        pixel=planes.dtype, shared=4 * width,
    )  # fmt: skip
    given = (planes, *places, away, edges, n_edges, sums)
    launch("landmarks", "band_sums", n * (n_edges + 1), _THREADS, *given, pixel=planes.dtype)
    return sums, weighted
