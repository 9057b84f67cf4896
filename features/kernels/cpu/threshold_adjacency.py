"""Threshold adjacency: grey-level bands of each region, and how many neighbours of a pixel share its side of a band.

Six bands and the region's own mask travel in the bytes of one 64-bit word, so that one sum over the 3 x 3 neighbourhood
counts all of them at once (at most 9 a byte: no carry).
"""

import numpy as np

from features.kernels.cpu._jit import Int, helper, inlined, kernel

N_BANDS = 6
N_SHARES = 9
_MAX_BINS = 256
_MASK_SHIFT = np.uint64(48)
_BYTES = np.uint64(0x0101010101010101)
_EIGHTS = np.uint64(0x0808080808080808)
_STEP = 8  # px at a time, so that the compiler's vectors leave no rest to do one by one
_PAIRS = 1024  # a pair of codes 0..17, five bits each
_FIRST_CODES, _SECOND_CODES = np.uint64(0x001F001F001F), np.uint64(0x03E003E003E0)
_OUTSIDE, _INDEX = np.uint64(0x03FF03FF03FF), np.uint64(0x03FF)


@helper
def _otsu(values: np.ndarray, histogram: np.ndarray) -> Int:
    """Otsu's threshold (a pixel above it is bright); the level itself if all values are equal.

    Exact up to a range of 256 levels; a wider range is split into 129 to 256 bins of equal width, a power of two.
    """
    low, high = 65535, 0
    for j in range(values.size):
        low, high = min(low, np.int64(values[j])), max(high, np.int64(values[j]))
    shift = 0
    while (high - low) >> shift >= _MAX_BINS:
        shift += 1
    for k in range(_MAX_BINS):
        histogram[k] = 0
    for j in range(values.size):
        histogram[(np.int64(values[j]) - low) >> shift] += 1
    n, total = values.size, 0
    for k in range(_MAX_BINS):
        total += k * histogram[k]
    below, below_sum, best, best_k = 0, 0, -1.0, 0
    for k in range(_MAX_BINS):
        below += histogram[k]
        below_sum += k * histogram[k]
        if below == 0 or below == n:
            continue
        gap = below_sum / below - (total - below_sum) / (n - below)
        between = float(below) * float(n - below) * gap * gap
        if between > best:
            best, best_k = between, k
    return low + ((best_k + 1) << shift) - 1


@helper
def _mean_and_sd(values: np.ndarray, above: Int) -> tuple[float, float]:
    """Mean and standard deviation of the values over a threshold; NaN if there are none."""
    n, total, squares = 0, 0, 0
    for j in range(values.size):
        value = np.int64(values[j])
        bright = value * np.int64(value > above)
        n += np.int64(value > above)
        total += bright
        squares += bright * bright
    if n == 0:
        return np.nan, np.nan
    mean = total / n
    return mean, np.sqrt(max(0.0, squares / n - mean * mean))


def bands(values: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Grey-level bands of each region, as closed ranges of levels.

    Parameters
    ----------
    values : ndarray of uint8 or uint16
        Values of all regions, grouped.
    offsets : ndarray of int64, shape (n + 1,)
        Region i owns values[offsets[i]:offsets[i + 1]].

    Returns
    -------
    ndarray of int32, shape (n, 6, 2)
        First and last level of |v - mean| < sd, v > mean - sd, v > mean; with mean and sd of the pixels above the
        region's Otsu threshold, then of all its pixels. First > last where a band is empty; 0 and -1 in the first
        three where all values are equal.
    """
    out = np.zeros((len(offsets) - 1, N_BANDS, 2), np.int32)
    out[:, :, 1] = -1
    _bands(values, offsets, np.empty(_MAX_BINS, np.int64), out)
    return out


@kernel
def _bands(values: np.ndarray, offsets: np.ndarray, histogram: np.ndarray, out: np.ndarray) -> None:
    for i in range(len(out)):
        mine = values[offsets[i] : offsets[i + 1]]
        if mine.size == 0:
            continue
        for k in range(2):
            above = _otsu(mine, histogram) if k == 0 else -1
            mean, sd = _mean_and_sd(mine, above)
            if np.isnan(mean):
                continue
            low = np.floor(mean - sd) + 1
            out[i, 3 * k, 0] = low
            out[i, 3 * k, 1] = np.ceil(mean + sd) - 1
            out[i, 3 * k + 1, 0] = low
            out[i, 3 * k + 1, 1] = 65535
            out[i, 3 * k + 2, 0] = np.floor(mean) + 1
            out[i, 3 * k + 2, 1] = 65535


@helper
def _fill_words(halves: np.ndarray, row: np.ndarray, labels: np.ndarray, label: Int, band: np.ndarray) -> None:
    """One row of words: bit 0 of byte t is "in band t", of byte 6 "in the region"; 0 outside the region.

    Words are written as two halves, the lower first: 32 bits are compared twice as fast as 64.
    """
    label = np.int32(label)
    low0, low1, low2, low3, low4, low5 = band[0, 0], band[1, 0], band[2, 0], band[3, 0], band[4, 0], band[5, 0]
    high0, high1, high2, high3, high4, high5 = band[0, 1], band[1, 1], band[2, 1], band[3, 1], band[4, 1], band[5, 1]
    one, two, three = np.uint32(8), np.uint32(16), np.uint32(24)
    for x in range(row.size):
        v, mine = np.int32(row[x]), np.uint32(labels[x] == label)
        low = np.uint32((v >= low0) & (v <= high0)) | np.uint32((v >= low1) & (v <= high1)) << one
        low |= np.uint32((v >= low2) & (v <= high2)) << two | np.uint32((v >= low3) & (v <= high3)) << three
        high = np.uint32((v >= low4) & (v <= high4)) | np.uint32((v >= low5) & (v <= high5)) << one
        halves[2 * x] = np.uint32(low) * mine
        halves[2 * x + 1] = np.uint32(high | np.uint32(1) << two) * mine


@helper
def _clear_border(crop: np.ndarray, height: int, width: int) -> None:
    """Set the outermost pixels of a crop to 0: what a former cell left there."""
    for x in range(width):
        crop[0, x] = crop[height - 1, x] = 0
    for y in range(height):
        crop[y, 0] = crop[y, width - 1] = 0


@inlined
def _sum_rows(words: np.ndarray, height: int, width: int, sums: np.ndarray) -> None:
    """Sum each word with its left and right neighbour; the border of the crop stays 0."""
    for y in range(1, height - 1):
        before, here, after, out = words[y], words[y, 1:], words[y, 2:], sums[y, 1 : width - 1]
        for x in range(out.size):
            out[x] = before[x] + here[x] + after[x]


@helper
def _count_pairs(words: np.ndarray, sums: np.ndarray, height: int, width: int, pairs: np.ndarray) -> None:
    """Count the codes of a crop in `pairs`: 0..8 neighbours in the band for a pixel in it, 9 + 0..8 out for one out.

    What is outside the region counts in the last place. The sums are overwritten.
    """
    for p in range(N_BANDS // 2):
        for index in range(_PAIRS):
            pairs[p, index] = 0
    for y in range(1, height - 1):
        row, above, here, below = words[y, 1 : width - 1], sums[y - 1, 1:], sums[y, 1:], sums[y + 1, 1:]
        for x in range(row.size):
            near = above[x] + here[x] + below[x]
            inside = (near >> _MASK_SHIFT) * _BYTES
            on = row[x] * np.uint64(255)
            code = ((near - row[x]) & on) | ((inside - near + _EIGHTS) & ~on)
            index = (code & _FIRST_CODES) | ((code >> np.uint64(3)) & _SECOND_CODES)
            above[x] = index if row[x] else _OUTSIDE
        first, last = np.uint64(0), np.uint64(row.size)
        while first < last and row[first] == 0:
            first += np.uint64(1)
        while first < last and row[last - np.uint64(1)] == 0:
            last -= np.uint64(1)
        for x in range(first, last):
            index = above[x]
            for p in range(N_BANDS // 2):
                pairs[p, index & _INDEX] += np.int32(1)
                index >>= np.uint64(16)


@helper
def _unpack(pairs: np.ndarray, out: np.ndarray) -> None:
    """Turn counts of code pairs to counts a band: out[t] for pixels in band t, out[6 + t] for those out of it."""
    for p in range(N_BANDS // 2):
        for first in range(2 * N_SHARES):
            for second in range(2 * N_SHARES):
                count = pairs[p, first + 32 * second]
                out[2 * p + N_BANDS * (first // N_SHARES), first % N_SHARES] += count
                out[2 * p + 1 + N_BANDS * (second // N_SHARES), second % N_SHARES] += count


def adjacency(
    pixels: np.ndarray, channel: int, labels: np.ndarray, field: np.ndarray, boxes: np.ndarray, band: np.ndarray
) -> np.ndarray:
    """Count the pixels in (and out of) each band by how many of their 8 neighbours are in (out of) it too.

    What lies outside the region or the image is neither in nor out. Counts are exact integers.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (n_fields, n_channels, H, W)
    channel : int
        The plane that is measured.
    labels : ndarray of int32, shape (n_fields, H, W)
        Region i has label i + 1.
    field : ndarray of int32, shape (n,)
        -1 for a region without a pixel.
    boxes : ndarray of int32, shape (n, 4)
        top, left, bottom, right of each region.
    band : ndarray of int32, shape (n, 6, 2)
        First and last level of each band.

    Returns
    -------
    ndarray of int64, shape (n, 12, 9)
        [i, t, k]: pixels in band t with k neighbours in it; [i, 6 + t, k]: pixels out of it with k neighbours out.
    """
    out = np.zeros((len(field), 2 * N_BANDS, N_SHARES), np.int64)
    sides = (boxes[:, 2:] - boxes[:, :2]).max(axis=0, initial=0)
    words, sums = np.zeros((2, sides[0] + 2, sides[1] + 2 + _STEP), np.uint64)
    pairs = np.zeros((N_BANDS // 2, _PAIRS), np.int32)
    _adjacency(pixels, channel, labels, field, boxes, band, pairs, words, words.view(np.uint32), sums, out)
    return out


@kernel
def _adjacency(
    pixels: np.ndarray, channel: int, labels: np.ndarray, field: np.ndarray, boxes: np.ndarray, band: np.ndarray,
    pairs: np.ndarray, words: np.ndarray, halves: np.ndarray, sums: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    for i in range(len(field)):
        if field[i] < 0:
            continue
        top, left, bottom, right = boxes[i]
        height, width = bottom - top + 2, right - left + 2
        _clear_border(words, height, width)
        _clear_border(sums, height, width)
        end = min(left + (right - left + _STEP - 1) // _STEP * _STEP, labels.shape[2])  # beyond the box words are 0
        for y in range(bottom - top):
            row = pixels[field[i], channel, top + y, left:end]
            _fill_words(halves[y + 1, 2:], row, labels[field[i], top + y, left:end], i + 1, band[i])
        _sum_rows(words, height, width, sums)
        _count_pairs(words, sums, height, width, pairs)
        _unpack(pairs, out[i])
