"""Twins of the CPU's grey-value statistics, and of its sums along edges."""

import numpy as np

from features.kernels.gpu._cuda import launch, namespace

N_STATISTICS = 10  # besides the quantiles
_THREADS = 256
_WINDOW = 8192  # grey values counted at a time: 33 KB of shared memory


def summaries(
    nuclei: tuple[np.ndarray, np.ndarray], cytoplasm: tuple[np.ndarray, np.ndarray], percents: np.ndarray
) -> np.ndarray:
    """See the CPU twin. Histograms wider than 8,192 grey values are counted window by window."""
    (offsets, values), (_, others) = nuclei, cytoplasm
    xp, n, (n_channels, n_nuclear) = namespace(values), len(offsets) - 1, values.shape
    n_percents, n_levels = len(percents), 256**values.dtype.itemsize
    out = xp.full((n, 3, n_channels, N_STATISTICS + n_percents), np.nan)
    window = min(n_levels, _WINDOW)
    launch(
        "intensity", "summaries", n * 3 * n_channels, _THREADS, *nuclei, n_nuclear, *cytoplasm, others.shape[1],
        n_channels, percents, n_percents, window, n_levels // 256, out, pixel=values.dtype,
        shared=16 * (2 + 2 * n_percents) + 4 * (window + window // 32 + 1),
    )  # fmt: skip
    return out


def edge_sums(pixels: np.ndarray, cell_labels: np.ndarray, nucleus_labels: np.ndarray, n: int) -> np.ndarray:
    """See the CPU twin."""
    n_channels, height, width = pixels.shape[1:]
    out = namespace(pixels).zeros((n, 3, n_channels, 3), np.int64)
    blocks, given = -(-cell_labels.size // _THREADS), (pixels, cell_labels, nucleus_labels, n_channels, height, width)
    launch("intensity", "edge_sums", blocks, _THREADS, *given, cell_labels.size, out, pixel=pixels.dtype)
    return out
