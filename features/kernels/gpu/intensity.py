"""Twins of the CPU's grey-value statistics, and of its sums over chosen pixels."""

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


def chosen_sums(
    pixels: np.ndarray, field: np.ndarray, region: tuple[np.ndarray, np.ndarray], chosen: np.ndarray
) -> np.ndarray:
    """See the CPU twin."""
    xp, (_, n_channels, height, width) = namespace(pixels), pixels.shape
    n = len(field)
    out = xp.empty((n, n_channels, 3), np.int64)
    launch(
        "intensity", "chosen_sums", n * n_channels, _THREADS, pixels, n_channels, height * width, field, *region,
        chosen, out, pixel=pixels.dtype,
    )  # fmt: skip
    return out
