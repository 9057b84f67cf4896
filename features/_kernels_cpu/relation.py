"""Sums over pairs of channels at the pixels of a region: the loops of the family `relation`.

Values and ranks are whole numbers. They are added up in floating point in blocks so short that every sum is exact
(float32 for 8-bit values, float64 for 16-bit ones), which is as fast as the machine adds and does not depend on order.
"""

import numba
import numpy as np

from features._kernels_cpu._jit import kernel

_PAIRS = np.array([(1, 0), (1, 2), (1, 3), (0, 2), (0, 3), (2, 3)])  # the protein's three first
_PROTEIN_PAIRS = 3
_BLOCK = 256  # 256 products of two 8-bit values stay below 2^24
_LEVELS = 8

_exact_sum_kernel = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})


@kernel
def pair_sums(
    values: tuple[np.ndarray, ...], offsets: np.ndarray, share: float, adder: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Everything that the coefficients of colocalisation are made of.

    Parameters
    ----------
    values : four ndarrays of uint8 or uint16, shape (n_values,)
        The channels at the pixels of the region, grouped by cell.
    offsets : ndarray of int64, shape (n + 1,)
    share : float
        A pixel is lit in a channel if it has at least this share of the channel's maximum in the region.
    adder : ndarray of float32 (8-bit values) or float64 (16-bit values), shape (0,)
        Its type is the one that blocks are added up in.

    Returns
    -------
    channels : ndarray of float64, shape (n, 4, 6)
        Maximum, sum, sum of squares, sum over lit pixels, number of different values, sum of squared centred ranks.
    pairs : ndarray of float64, shape (n, 6, 9)
        For the pairs (protein, microtubules), (protein, nucleus), (protein, ER), (microtubules, nucleus),
        (microtubules, ER), (nucleus, ER), x and y: the sum of xy; over pixels lit in both, of x, y, xx, yy, xy, xd, yd,
        where d is the distance of the dense ranks; the sum of products of the doubled centred ranks (ties share the
        middle).
    information : ndarray of float64, shape (n, 3)
        Of the protein's pairs: mutual information over the mean entropy, between channels in 8 levels of equal counts.
    """
    n = offsets.size - 1
    channels, pairs = np.zeros((n, 4, 6)), np.zeros((n, 6, 9))
    information = np.full((n, _PROTEIN_PAIRS), np.nan)
    top = 0
    for channel in values:
        top = max(top, np.int64(channel.max())) if channel.size else top
    histogram = np.zeros(top + 1, np.int64)
    ranks, centred = np.empty((4, top + 1), adder.dtype), np.empty((4, top + 1))
    levels = np.empty((4, top + 1), np.int32)
    plain, places = np.empty((4, 4, _BLOCK), adder.dtype), np.empty((4, _BLOCK))
    bins = np.empty((4, _BLOCK), np.int32)
    joint = np.zeros((_PROTEIN_PAIRS, 2, _LEVELS * _LEVELS), np.int64)
    for i in range(n):
        if offsets[i] == offsets[i + 1]:
            continue
        for c in range(4):
            mine = values[c][offsets[i] : offsets[i + 1]]
            _rank(mine, share, histogram, ranks[c], centred[c], levels[c], channels[i, c])
        joint[:] = 0
        for start in range(offsets[i], offsets[i + 1], _BLOCK):
            stop = min(start + _BLOCK, offsets[i + 1])
            for c in range(4):
                lit = np.ceil(share * channels[i, c, 0])
                _fill(values[c][start:stop], lit, ranks[c], centred[c], levels[c], plain[c], places[c], bins[c])
            for p in range(6):
                a, b = _PAIRS[p]
                _add_block(plain[a], plain[b], places[a], places[b], stop - start, pairs[i, p])
            for p in range(_PROTEIN_PAIRS):
                _count_block(bins[_PAIRS[p, 0]], bins[_PAIRS[p, 1]], stop - start, joint[p])
        for p in range(_PROTEIN_PAIRS):
            information[i, p] = _information(joint[p, 0] + joint[p, 1])
    return channels, pairs, information


@kernel
def _rank(
    values: np.ndarray, share: float, histogram: np.ndarray, ranks: np.ndarray, centred: np.ndarray,
    levels: np.ndarray, sums: np.ndarray,
) -> None:  # fmt: skip
    """Look-up tables from value to dense rank, centred middle rank (doubled) and level; and the channel's sums."""
    for value in values:
        histogram[value] += 1
    top = np.int64(values.max())
    n, before, rank = values.size, 0, 0
    total, squares, above = 0, 0, 0
    ranks_squared = 0.0
    lit = np.ceil(share * top)
    for value in range(top + 1):
        count = histogram[value]
        if count == 0:
            continue
        histogram[value] = 0
        middle = 2 * before + count
        ranks[value], centred[value] = rank, middle - n
        levels[value] = _LEVELS * middle // (2 * n)
        ranks_squared += count * float(middle - n) ** 2
        total += count * value
        squares += count * value * value
        above += count * value if value >= lit else 0
        before += count
        rank += 1
    sums[0], sums[1], sums[2], sums[3], sums[4], sums[5] = top, total, squares, above, rank, ranks_squared


@kernel
def _fill(
    values: np.ndarray, lit: float, ranks: np.ndarray, centred: np.ndarray, levels: np.ndarray, plain: np.ndarray,
    places: np.ndarray, bins: np.ndarray,
) -> None:  # fmt: skip
    """One channel of a block: values, values where lit, lit or not, dense ranks; centred ranks; levels."""
    value, bright, mask, rank = plain
    for j in range(values.size):
        value[j] = values[j]
    for j in range(values.size):
        mask[j] = 1 if value[j] >= lit else 0
        bright[j] = value[j] * mask[j]
    for j in range(values.size):
        v = np.uint64(values[j])
        rank[j] = ranks[v]
        places[j] = centred[v]
        bins[j] = levels[v]


@_exact_sum_kernel
def _add_block(
    first: np.ndarray, second: np.ndarray, first_places: np.ndarray, second_places: np.ndarray, n: int, sums: np.ndarray
) -> None:
    """Add one block to a pair's sums."""
    x, x_lit, x_mask, x_rank = first
    y, y_lit, y_mask, y_rank = second
    zero = x.dtype.type(0)
    xy, bx, by, bxx, byy, bxy, bxd, byd = zero, zero, zero, zero, zero, zero, zero, zero
    for j in range(n):
        both_x, both_y = x_lit[j] * y_mask[j], y_lit[j] * x_mask[j]
        distance = abs(x_rank[j] - y_rank[j])
        xy += x[j] * y[j]
        bx += both_x
        by += both_y
        bxx += both_x * both_x
        byy += both_y * both_y
        bxy += both_x * both_y
        bxd += both_x * distance
        byd += both_y * distance
    ranks = 0.0
    for j in range(n):
        ranks += first_places[j] * second_places[j]
    sums[0] += xy
    sums[1] += bx
    sums[2] += by
    sums[3] += bxx
    sums[4] += byy
    sums[5] += bxy
    sums[6] += bxd
    sums[7] += byd
    sums[8] += ranks


@kernel
def _count_block(first: np.ndarray, second: np.ndarray, n: int, joint: np.ndarray) -> None:
    """Count pairs of levels, in two tables in turn: neighbours are often equal, and waiting for a count costs time."""
    even, odd = joint
    for j in range(0, n - 1, 2):
        even[np.uint64(first[j] * _LEVELS + second[j])] += 1
        odd[np.uint64(first[j + 1] * _LEVELS + second[j + 1])] += 1
    if n % 2:
        even[np.uint64(first[n - 1] * _LEVELS + second[n - 1])] += 1


@kernel
def _information(joint: np.ndarray) -> float:
    """Mutual information over the mean of both entropies; NaN where both channels have one level only."""
    table = joint.reshape(_LEVELS, _LEVELS)
    n = joint.sum()
    both, first, second = 0.0, 0.0, 0.0
    for a in range(_LEVELS):
        row, column = 0, 0
        for b in range(_LEVELS):
            both += table[a, b] * np.log(table[a, b]) if table[a, b] else 0.0
            row += table[a, b]
            column += table[b, a]
        first += row * np.log(row) if row else 0.0
        second += column * np.log(column) if column else 0.0
    entropies = 2 * n * np.log(n) - first - second
    shared = n * np.log(n) + both - first - second
    return 2 * max(shared, 0.0) / entropies if entropies > 1e-9 * n else np.nan
