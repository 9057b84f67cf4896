"""Grey-value statistics of cells, nuclei and cytoplasm from exact histograms, and sums along edges.

The histogram of a compartment spans its own minimum to maximum: 256 bins at most for 8 bits, 65,536 for 16. Every
statistic is read from it, so 16-bit values are as exact as 8-bit ones.
"""

import numpy as np

from features.kernels.cpu._jit import Int, helper, inlined, kernel
from features.kernels.cpu._logs import log_table

N_STATISTICS = 10  # besides the quantiles


def summaries(
    nuclei: tuple[np.ndarray, np.ndarray], cytoplasm: tuple[np.ndarray, np.ndarray], percents: np.ndarray
) -> np.ndarray:
    """Statistics of each channel in each compartment.

    Parameters
    ----------
    nuclei, cytoplasm : tuple of ndarray
        Offsets of each cell, int64 (n + 1,), as in `Region`, and the values there, uint8 or uint16 (n_channels,
        n_values).
    percents : ndarray of float64
        Quantiles wanted, 0 to 100.

    Returns
    -------
    ndarray of float64, shape (n, 3, n_channels, 10 + len(percents))
        Cells, Nuclei, Cytoplasm; pixels, mean, sd, min, max, MAD, skewness, excess kurtosis, entropy, Gini, quantiles;
        in grey values. NaN where undefined; an empty compartment has 0 pixels and the rest NaN.
    """
    n, n_channels = len(nuclei[0]) - 1, len(nuclei[1])
    n_levels = 256 if nuclei[1].itemsize == 1 else 65536
    counts, below = np.zeros((5, n_levels), np.int64), np.empty(n_levels + 1, np.int64)
    out = np.full((n, 3, n_channels, N_STATISTICS + len(percents)), np.nan)
    _summaries(*nuclei, *cytoplasm, percents, log_table(), counts, below, out)
    return out


@kernel
def _summaries(
    nuclear_offsets: np.ndarray, nuclear: np.ndarray, around_offsets: np.ndarray, around: np.ndarray,
    percents: np.ndarray, logs: np.ndarray, counts: np.ndarray, below: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    n_levels = counts.shape[1]
    for i in range(len(out)):
        for channel in range(len(nuclear)):
            nuclear_range = _count(nuclear[channel, nuclear_offsets[i] : nuclear_offsets[i + 1]], counts[1:3])
            around_range = _count(around[channel, around_offsets[i] : around_offsets[i + 1]], counts[3:5])
            lowest, end = min(nuclear_range[0], around_range[0]), max(nuclear_range[1], around_range[1]) + 1
            for level in range(lowest, end):
                counts[1, level] += counts[2, level]
                counts[2, level] = counts[3, level] + counts[4, level]
                counts[0, level] = counts[1, level] + counts[2, level]
            for compartment in range(3):
                bins = counts[compartment, lowest:end]
                _describe(bins, lowest, n_levels // 256, percents, logs, below, out[i, compartment, channel])
            counts[:, lowest:end] = 0


@helper
def _count(values: np.ndarray, counts: np.ndarray) -> tuple[Int, Int]:
    """Add values to a histogram; their range (65536, -1 where there are none)."""
    lowest, highest = np.int32(65536), np.int32(-1)
    for k in range(values.size):
        lowest, highest = min(lowest, np.int32(values[k])), max(highest, np.int32(values[k]))
    first, second = counts[0], counts[1]
    for k in range(0, values.size - 1, 2):  # in turns: neighbours are often alike, and waiting costs time
        first[np.uint64(values[k])] += 1
        second[np.uint64(values[k + 1])] += 1
    if values.size % 2:
        first[np.uint64(values[values.size - 1])] += 1
    return np.int64(lowest), np.int64(highest)


@inlined
def _describe(
    counts: np.ndarray, lowest: Int, coarse: int, percents: np.ndarray, logs: np.ndarray, below: np.ndarray,
    out: np.ndarray,
) -> None:  # fmt: skip
    """Statistics of one histogram, written to `out` (see `summaries`).

    Parameters
    ----------
    counts : ndarray of int64
        Pixels with the grey values lowest, lowest + 1, ...
    lowest : int
    coarse : int
        Grey values in a bin of the entropy.
    percents : ndarray of float64
    logs : ndarray of float64
        c log2 c.
    below : ndarray of int64
        Scratch; at least one longer than `counts`.
    out : ndarray of float64
    """
    below[0] = 0
    total = smallest = np.int64(0)
    for j in range(len(counts)):
        below[j + 1] = below[j] + counts[j]
        total += counts[j] * (lowest + j)
    n = below[len(counts)]
    out[0] = n
    if n == 0:
        return
    mean = total / n
    below = below[: len(counts) + 1]
    median = (_ranked(below, (n - 1) // 2) + _ranked(below, n // 2)) / 2
    out[1] = mean
    out[3] = lowest + _ranked(below, smallest)
    out[4] = lowest + _ranked(below, n - 1)
    out[5] = (_ranked_deviation(below, median, (n - 1) // 2) + _ranked_deviation(below, median, n // 2)) / 2
    out[2], out[6], out[7] = _moments(counts, lowest, mean, n)
    out[8] = _entropy(counts, lowest, coarse, n, logs)
    out[9] = _gini(counts, below, lowest, total)
    for k in range(len(percents)):
        rank = (n - 1) * (percents[k] / 100)
        floor = int(rank)
        value = _ranked(below, floor)
        step = _ranked(below, min(floor + 1, n - 1)) - value
        out[N_STATISTICS + k] = lowest + value + step * (rank - floor)


@helper
def _ranked(below: np.ndarray, rank: Int) -> int:
    """Bin of the value with this rank (0 is the smallest); `below[j]` values lie under bin j."""
    low, high = 0, len(below) - 2
    while low < high:
        middle = (low + high) // 2
        if below[middle + 1] > rank:
            high = middle
        else:
            low = middle + 1
    return low


@helper
def _ranked_deviation(below: np.ndarray, centre: float, rank: int) -> float:
    """Absolute deviation from `centre` (in bins, whole or half) with this rank."""
    doubled = int(2 * centre)
    parity = doubled % 2  # deviations are whole or half: their doubles have this parity
    low, high = 0, len(below) - 1
    while low < high:
        middle = (low + high) // 2
        first = (doubled - (2 * middle + parity) + 1) // 2
        last = (doubled + (2 * middle + parity)) // 2
        if below[min(last + 1, len(below) - 1)] - below[max(first, 0)] > rank:
            high = middle
        else:
            low = middle + 1
    return low + parity / 2


@helper
def _moments(counts: np.ndarray, lowest: Int, mean: float, n: int) -> tuple[float, float, float]:
    """Standard deviation (of the population), skewness and excess kurtosis, as in scipy.stats; NaN for one value."""
    second = third = fourth = 0.0
    for j in range(len(counts)):
        deviation = lowest + j - mean
        square = deviation * deviation
        second += counts[j] * square
        third += counts[j] * square * deviation
        fourth += counts[j] * square * square
    second, third, fourth = second / n, third / n, fourth / n
    return np.sqrt(second), third / second**1.5, fourth / second**2 - 3


@inlined
def _entropy(counts: np.ndarray, lowest: Int, coarse: int, n: int, logs: np.ndarray) -> float:
    """Shannon entropy in bits of the grey values, 256 bins over the full scale."""
    weighted = 0.0
    in_bin = 0
    for j in range(len(counts)):
        in_bin += counts[j]
        if in_bin and (j == len(counts) - 1 or (lowest + j + 1) % coarse == 0):
            weighted += _c_log_c(in_bin, logs)
            in_bin = 0
    return (_c_log_c(n, logs) - weighted) / n


@helper
def _c_log_c(count: Int, logs: np.ndarray) -> float:
    return logs[np.uint64(count)] if count < len(logs) else count * np.log2(count)


@helper
def _gini(counts: np.ndarray, below: np.ndarray, lowest: Int, total: int) -> float:
    """Gini's coefficient: 0 if the signal is spread evenly, towards 1 if few pixels hold it all; NaN without signal."""
    if total == 0:
        return np.nan
    n = below[len(counts)]
    weighted = 0
    for j in range(len(counts)):
        weighted += counts[j] * (lowest + j) * (2 * below[j] + counts[j] - n)
    return weighted / (n * total)


def edge_sums(pixels: np.ndarray, cell_labels: np.ndarray, nucleus_labels: np.ndarray, n: int) -> np.ndarray:
    """Count, sum and sum of squares of each channel along the inner edge of each compartment.

    A pixel of the edge has one of its four neighbours outside the compartment; that of the cytoplasm runs along the
    nucleus too. Where the field cuts a cell there is no edge.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (n_fields, n_channels, H, W)
    cell_labels, nucleus_labels : ndarray of int32, shape (n_fields, H, W)
    n : int
        Number of cells.

    Returns
    -------
    ndarray of int64, shape (n, 3, n_channels, 3)
        Of cell, nucleus and cytoplasm.
    """
    out = np.zeros((n, 3, pixels.shape[1], 3), np.int64)
    of_cell, of_nucleus, of_either = np.zeros((3, cell_labels.shape[2] // 8 * 8 + 8), np.uint8)
    _edge_sums(pixels, cell_labels, nucleus_labels, of_cell, of_nucleus, of_either, of_either.view(np.uint64), out)
    return out


@kernel
def _edge_sums(
    pixels: np.ndarray, cell_labels: np.ndarray, nucleus_labels: np.ndarray, of_cell: np.ndarray,
    of_nucleus: np.ndarray, of_either: np.ndarray, words: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    n_fields, height, width = cell_labels.shape
    for f in range(n_fields):
        for y in range(height):
            cells, nuclei = cell_labels[f, y], nucleus_labels[f, y]
            _mark_edges(cell_labels[f], y, of_cell)
            _mark_edges(nucleus_labels[f], y, of_nucleus)
            for x in range(width):
                of_either[x] = (of_cell[x] | of_nucleus[x]) & np.uint8(cells[x] != 0)
            for word in range(len(words)):
                if words[np.uint64(word)] == 0:  # eight pixels at a time: most are not at an edge
                    continue
                for x in range(8 * word, 8 * word + 8):
                    if of_either[x] == 0:
                        continue
                    sums, is_nucleus = out[cells[x] - 1], nuclei[x] > 0
                    if of_cell[x]:
                        _add_pixel(pixels[f], y, x, sums[0])
                    if of_nucleus[x] or not is_nucleus:
                        _add_pixel(pixels[f], y, x, sums[1 if is_nucleus else 2])


@helper
def _mark_edges(labels: np.ndarray, y: int, edge: np.ndarray) -> None:
    """Which pixels of a row have another label beside, above or below them."""
    row, above, below = labels[y], labels[max(y - 1, 0)], labels[min(y + 1, len(labels) - 1)]
    last = row.size - 1
    before, here, after, north, south, inner = row, row[1:], row[2:], above[1:], below[1:], edge[1:]
    for x in range(last - 1):
        beside = (here[x] != before[x]) | (here[x] != after[x])
        inner[x] = beside | (here[x] != north[x]) | (here[x] != south[x])
    for x in (0, last):
        beside = (row[x] != row[max(x - 1, 0)]) | (row[x] != row[min(x + 1, last)])
        edge[x] = beside | (row[x] != above[x]) | (row[x] != below[x])


@helper
def _add_pixel(planes: np.ndarray, y: int, x: int, sums: np.ndarray) -> None:
    for channel in range(len(planes)):
        value = np.int64(planes[channel, y, x])
        sums[channel, 0] += 1
        sums[channel, 1] += value
        sums[channel, 2] += value * value
