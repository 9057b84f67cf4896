"""Twins of the CPU's loops of cell finding; the same labels, bit by bit."""

import numpy as np

from features.kernels.gpu._cuda import launch, namespace

_THREADS = 256
_LEVELS = 1 << 16  # of a relief


def _framed(images: np.ndarray) -> np.ndarray:
    """Images with a pixel of zeros around each, so that no neighbour needs a check."""
    n, height, width = images.shape
    framed = namespace(images).zeros((n, height + 2, width + 2), images.dtype)
    framed[:, 1:-1, 1:-1] = images
    return framed


def _unframed(images: np.ndarray) -> np.ndarray:
    return namespace(images).ascontiguousarray(images[:, 1:-1, 1:-1])


def split_by_depth(height: np.ndarray, neck: float, smallest: np.ndarray) -> np.ndarray:
    """See the CPU twin."""
    xp, height = namespace(height), _framed(height)
    n, rows, width = height.shape
    pixels, blocks, size = height.size, -(-height.size // _THREADS), rows * width
    up, listed, ordered, out = (xp.empty(height.shape, np.int32) for _ in range(4))
    areas, (n_saddles, n_lobes) = xp.zeros(height.shape, np.int32), xp.zeros((2, n), np.int32)
    launch("segment", "climb", blocks, _THREADS, height, pixels, size, width, up)
    launch("segment", "find_peaks", blocks, _THREADS, pixels, size, up)
    given = (height, pixels, float(neck), size, width, up, listed, n_saddles)
    launch("segment", "list_saddles", blocks, _THREADS, *given)
    given = (height, float(neck), size, width, listed, n_saddles, ordered, up)
    launch("segment", "join_basins", n, _THREADS, *given)
    launch("segment", "measure_lobes", blocks, _THREADS, pixels, size, up, areas)
    kept = (areas, xp.asarray(smallest), listed, n_lobes)
    launch("segment", "list_lobes", blocks, _THREADS, pixels, size, up, *kept)
    launch("segment", "number_lobes", blocks, _THREADS, height, pixels, size, width, up, *kept, out)
    return _unframed(out)


def flood(seeds: np.ndarray, relief: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """See the CPU twin."""
    xp, seeds, relief = namespace(seeds), _framed(seeds), _framed(relief * inside)
    n, rows, width = seeds.shape
    size, blocks = rows * width, -(-seeds.size // _THREADS)
    labels, queues, present = (xp.empty(seeds.shape, np.int32) for _ in range(3))
    counts, lengths = xp.zeros(n * _LEVELS, np.int32), xp.zeros(n * _LEVELS, np.int32)
    launch("segment", "lay_ground", blocks, _THREADS, seeds, relief, seeds.size, size, labels, counts)
    starts = xp.cumsum(counts, dtype=np.int64) - counts
    tops = relief.max(axis=(1, 2)).astype(np.int64)
    given = (relief, tops, size, width, starts, queues, present, lengths, labels)
    launch("segment", "flood", n, _THREADS, *given)
    return _unframed(xp.maximum(labels, 0))
