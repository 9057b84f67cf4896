"""Twin of the CPU's sums over pairs of channels."""

import numpy as np

from features.kernels.gpu._cuda import launch, namespace

_THREADS = 256
_BLOCKS = 160  # for 16-bit values: each needs tables of its own in memory
_TABLES = 4 * 65536 * 12  # bytes


def pair_sums(
    values: tuple[np.ndarray, ...], offsets: np.ndarray, share: float, adder: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """See the CPU twin. All but the sums of ranks is added up in whole numbers; `adder` is not needed."""
    xp, n = namespace(offsets), len(offsets) - 1
    channels, pairs, information = xp.zeros((n, 4, 6)), xp.zeros((n, 6, 9)), xp.full((n, 3), np.nan)
    wide = values[0].dtype == np.uint16
    blocks = min(n, _BLOCKS) if wide else n
    scratch = xp.empty(blocks * _TABLES if wide else 0, np.uint8)
    launch(
        "colocalization", "pair_sums", blocks, 2 * _THREADS if wide else _THREADS, *values, offsets, n, float(share),
        scratch, channels, pairs, information, pixel=values[0].dtype,
    )  # fmt: skip
    return channels, pairs, information
