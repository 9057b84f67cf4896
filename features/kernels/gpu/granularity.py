"""Twin of the CPU's sums after morphological openings."""

import numpy as np

from features.kernels.gpu._cuda import launch, namespace

_THREADS = 256


def opened_sums(
    pixels: np.ndarray, channels: np.ndarray, labels: np.ndarray, field: np.ndarray, boxes: np.ndarray,
    radii: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """See the CPU twin. `channels` and `radii` are on the host."""
    xp, n, n_pairs = namespace(pixels), len(field), -(-len(channels) // 2)
    scratch = xp.empty(3 * n_pairs * labels.size, np.uint32)
    out = xp.empty((n, len(channels), len(radii) + 1), np.int64)
    launch(
        "granularity", "opened_sums", n * n_pairs, _THREADS, pixels, pixels.shape[1], xp.asarray(channels),
        len(channels), labels, *labels.shape[1:], field, boxes, xp.asarray(radii), len(radii), scratch, labels.size,
        out, pixel=pixels.dtype,
    )  # fmt: skip
    return out
