"""Twin of the CPU's smoothing inside cells and sums of derivatives."""

from typing import Any

import numpy as np

from features.kernels.gpu._cuda import launch, namespace

_THREADS = 256
_N_LEVELS = 4
_SUMS = {"add_bands": (1, 7), "add_curvature": (3, 7), "add_orientation": (2, 13)}  # levels, and sums of each


def derivative_sums(
    pixels: np.ndarray, measured: np.ndarray, cell_labels: np.ndarray, nucleus_labels: np.ndarray,
    field: np.ndarray, boxes: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """See the CPU twin. `measured` is on the host; the images of all levels stay on the GPU for a channel's while."""
    xp, n, size, shape = namespace(pixels), len(field), cell_labels.size, cell_labels.shape[1:]
    taps, levels = xp.empty((_N_LEVELS, size), np.uint32), xp.empty((_N_LEVELS + 1, size), np.float32)
    _launch("own_taps", -(-taps.size // _THREADS), cell_labels, size, *shape, taps)
    sums = {kernel: xp.empty((n, len(measured), *each)) for kernel, each in _SUMS.items()}
    smoothed = -1
    for m, (channel, nuclear) in enumerate(measured.tolist()):
        image = (pixels, pixels.shape[1], channel)
        if channel != smoothed:
            _launch("centre", n, *image, cell_labels, *shape, field, boxes, levels[0], pixel=pixels.dtype)
            for j in range(_N_LEVELS):
                given = (levels[j], taps[j], size, shape[1], 1 << j, levels[j + 1])
                _launch("smooth", -(-size // _THREADS), *given)
            smoothed = channel
        regions = (nucleus_labels if nuclear else cell_labels, *shape, field, boxes, levels, size, m, len(measured))
        for kernel, out in sums.items():
            first = image if kernel == "add_bands" else ()
            _launch(kernel, n * _SUMS[kernel][0], *first, *regions, out, pixel=pixels.dtype)
    return sums["add_bands"][:, :, 0], sums["add_curvature"], sums["add_orientation"]


def _launch(kernel: str, blocks: int, *arguments: Any, pixel: Any = np.uint8) -> None:
    launch("gradient", kernel, blocks, _THREADS, *arguments, pixel=pixel)
