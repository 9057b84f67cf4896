"""Sums over pairs of channels at the pixels of a region: the loops of the family `colocalization`.

Values and ranks are whole numbers. They are added up in floating point in blocks so short that every sum is exact
(float32 for 8-bit values, float64 for 16-bit ones), which is as fast as the machine adds and does not depend on order.
"""

import numpy as np

from features.kernels.cpu._jit import helper, kernel, sum_helper

_PAIRS = ((1, 0), (1, 2), (1, 3), (0, 2), (0, 3), (2, 3))  # the protein's three first
_PROTEIN_PAIRS = 3
_BLOCK = 256  # 256 products of two 8-bit values stay below 2^24
_LEVELS = 8
_CENTRED, _RANK = 32, 8  # where these begin in a 64-bit entry of the table, above the level
_TURNS = 4  # tables of counts in turn: neighbours are often equal, and waiting for a count costs time


def pair_sums(
    values: tuple[np.ndarray, ...], offsets: np.ndarray, share: float, adder: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The sums that the coefficients of colocalisation are computed from.

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
    n, top = offsets.size - 1, max(int(channel.max(initial=0)) for channel in values)
    channels, pairs = np.zeros((n, 4, 6)), np.zeros((n, 6, 9))
    information = np.full((n, _PROTEIN_PAIRS), np.nan)
    histogram, table = np.zeros((_TURNS, top + 1), np.int32), np.empty((4, top + 1), np.int64)
    block, packed = np.empty((4, 5, _BLOCK), adder.dtype), np.empty(_BLOCK, np.int64)
    bins, joint = np.empty((4, _BLOCK), np.int32), np.empty((_PROTEIN_PAIRS, _TURNS, _LEVELS * _LEVELS), np.int32)
    scratch = (histogram, table, block, packed, bins, joint)
    _pair_sums(values, offsets, share, *scratch, channels, pairs, information)
    return channels, pairs, information


@kernel
def _pair_sums(
    values: tuple[np.ndarray, ...], offsets: np.ndarray, share: float, histogram: np.ndarray, table: np.ndarray,
    block: np.ndarray, packed: np.ndarray, bins: np.ndarray, joint: np.ndarray, channels: np.ndarray,
    pairs: np.ndarray, information: np.ndarray,
) -> None:  # fmt: skip
    for i in range(offsets.size - 1):
        if offsets[i] == offsets[i + 1]:
            continue
        for c in range(4):
            _rank(values[c][offsets[i] : offsets[i + 1]], share, histogram, table[c], channels[i, c])
        for p in range(_PROTEIN_PAIRS):
            for turn in range(_TURNS):
                for k in range(_LEVELS * _LEVELS):
                    joint[p, turn, k] = 0
        for start in range(offsets[i], offsets[i + 1], _BLOCK):
            stop = min(start + _BLOCK, offsets[i + 1])
            for c in range(4):
                _fill(values[c][start:stop], np.ceil(share * channels[i, c, 0]), table[c], packed, block[c], bins[c])
            _add_block(block, stop - start, pairs[i])
            for p in range(_PROTEIN_PAIRS):
                _count_block(bins[_PAIRS[p][0]], bins[_PAIRS[p][1]], stop - start, joint[p])
        for p in range(_PROTEIN_PAIRS):
            for turn in range(1, _TURNS):
                for k in range(_LEVELS * _LEVELS):
                    joint[p, 0, k] += joint[p, turn, k]
            information[i, p] = _information(joint[p, 0])


@helper
def _rank(values: np.ndarray, share: float, histogram: np.ndarray, table: np.ndarray, sums: np.ndarray) -> None:
    """The channel's sums, and a look-up table from value to centred middle rank (doubled), dense rank and level.

    The three share a 64-bit number, so that a pixel is looked up once: 32, 24 and 8 bits from the top.
    """
    size = values.size
    for j in range(size):
        histogram[np.uint64(j) % np.uint64(_TURNS), np.uint64(values[j])] += 1
    top = np.int64(0)
    for j in range(size):
        top = max(top, np.int64(values[j]))
    before, rank, level = 0, 0, 0
    total, squares, above = 0, 0, 0
    ranks_squared = 0.0
    lit = np.ceil(share * top)
    for value in range(top + 1):
        count = 0
        for turn in range(_TURNS):
            count += np.int64(histogram[turn, value])
            histogram[turn, value] = 0
        if count == 0:
            continue
        middle = 2 * before + count
        while _LEVELS * middle >= 2 * size * (level + 1):
            level += 1
        table[value] = ((middle - size) << _CENTRED) + (rank << _RANK) + level
        centred = float(middle - size)
        ranks_squared += count * (centred * centred)
        total += count * value
        squares += count * value * value
        above += count * value if value >= lit else 0
        before += count
        rank += 1
    sums[0], sums[1], sums[2], sums[3], sums[4], sums[5] = top, total, squares, above, rank, ranks_squared


@helper
def _fill(
    values: np.ndarray, lit: float, table: np.ndarray, packed: np.ndarray, block: np.ndarray, bins: np.ndarray
) -> None:
    """One channel of a block: values, values where lit, lit or not, dense ranks, centred ranks; and levels."""
    value, bright, mask, rank, centred = block[0], block[1], block[2], block[3], block[4]
    for j in range(values.size):
        packed[j] = table[np.uint64(values[j])]
    for j in range(values.size):
        value[j] = values[j]
        mask[j] = 1 if value[j] >= lit else 0
        bright[j] = value[j] * mask[j]
    for j in range(values.size):
        low = np.int32(packed[j])
        centred[j] = np.int32(packed[j] >> _CENTRED)
        rank[j] = low >> _RANK
        bins[j] = low & 0xFF


@sum_helper
def _add_block(block: np.ndarray, n: int, sums: np.ndarray) -> None:
    """Add one block to the sums of each pair."""
    zero = block.dtype.type(0)
    for p in range(len(_PAIRS)):
        first, second = block[_PAIRS[p][0]], block[_PAIRS[p][1]]
        xy, bx, by, bxx, byy, bxy, bxd, byd, ranks = zero, zero, zero, zero, zero, zero, zero, zero, zero
        for j in range(n):
            both_x, both_y = first[1, j] * second[2, j], second[1, j] * first[2, j]
            distance = abs(first[3, j] - second[3, j])
            xy += first[0, j] * second[0, j]
            bx += both_x
            by += both_y
            bxx += both_x * both_x
            byy += both_y * both_y
            bxy += both_x * both_y
            bxd += both_x * distance
            byd += both_y * distance
            ranks += first[4, j] * second[4, j]
        sums[p, 0] += xy
        sums[p, 1] += bx
        sums[p, 2] += by
        sums[p, 3] += bxx
        sums[p, 4] += byy
        sums[p, 5] += bxy
        sums[p, 6] += bxd
        sums[p, 7] += byd
        sums[p, 8] += ranks


@helper
def _count_block(first: np.ndarray, second: np.ndarray, n: int, tables: np.ndarray) -> None:
    """Count pairs of levels."""
    for j in range(n):
        tables[np.uint64(j) % np.uint64(_TURNS), np.uint64(first[j] * _LEVELS + second[j])] += 1


@helper
def _information(table: np.ndarray) -> float:
    """Mutual information over the mean of both entropies; NaN where both channels have one level only."""
    n = 0
    for k in range(_LEVELS * _LEVELS):
        n += table[k]
    both, first, second = 0.0, 0.0, 0.0
    for a in range(_LEVELS):
        row, column = 0, 0
        for b in range(_LEVELS):
            count = table[a * _LEVELS + b]
            both += count * np.log(count) if count else 0.0
            row += count
            column += table[b * _LEVELS + a]
        first += row * np.log(row) if row else 0.0
        second += column * np.log(column) if column else 0.0
    entropies = 2 * n * np.log(n) - first - second
    shared = n * np.log(n) + both - first - second
    return 2 * max(shared, 0.0) / entropies if entropies > 1e-9 * n else np.nan
