"""Co-occurrence of grey levels inside cells, and Haralick's features of the counts.

Pairs are counted in a padded copy of each cell, in which every pixel outside the cell carries one extra level: the
inner loop has no branch, and a pair counts only if both pixels are of the cell. Counts are integers.
"""

import numpy as np

from features.kernels.cpu._jit import Int, helper, inlined, kernel, sum_helper
from features.kernels.cpu._logs import log_table


def haralick(
    plane: np.ndarray,
    cell_labels: np.ndarray,
    nucleus_labels: np.ndarray,
    field: np.ndarray,
    boxes: np.ndarray,
    cuts: np.ndarray,
    distances: np.ndarray,
    n_compartments: int,
) -> np.ndarray:
    """Haralick's features of one channel in each cell, for four directions.

    Parameters
    ----------
    plane : ndarray of uint8 or uint16, shape (n_fields, H, W)
    cell_labels, nucleus_labels : ndarray of int32, shape (n_fields, H, W)
    field, boxes : ndarray of int32, shapes (n,) and (n, 4)
    cuts : ndarray of int64, shape (n, n_levels - 1)
        Ascending for each cell; the level of a value is 1 + the number of cuts below it.
    distances : ndarray of int64
        In px; diagonal neighbours are that many rows and columns away.
    n_compartments : int
        1 for the whole cell; 3 for cell, nucleus and cytoplasm, on the same levels.

    Returns
    -------
    ndarray of float64, shape (n, n_compartments, len(distances), 4, 13)
        Directions are right, down-right, down, down-left. NaN where no pair exists.
    """
    sides = (boxes[:, 2:] - boxes[:, :2]).astype(np.int64)
    height, width = sides.max(axis=0, initial=0).tolist()
    # no count or sum of counts in a cell is above twice its pixels: half the width is twice as fast where that fits
    narrow = np.uint16 if 2 * sides.prod(axis=1).max(initial=0) <= np.iinfo(np.uint16).max else np.uint32
    n_levels, n_parts, pad = cuts.shape[1] + 1, min(n_compartments, 2), int(distances.max())
    size = n_parts * n_levels + 1
    codes, spans = np.empty((height + pad) * (width + pad), np.uint8), np.empty((height, 2), np.int64)
    level_of = np.empty(256 if plane.itemsize == 1 else 65536, np.uint8)
    counts, whole = np.empty((4, size * size), narrow), np.empty(n_levels * n_levels, narrow)
    scratch = (codes, spans, level_of, counts.ravel(), counts, whole, np.empty(6 * n_levels, narrow))
    out = np.empty((len(field), n_compartments, len(distances), 4, 13))
    images = (plane, cell_labels, nucleus_labels)
    _haralick(*images, field, boxes, cuts, distances, n_parts, pad, log_table(), *scratch, out)
    return out


@kernel
def _haralick(
    plane: np.ndarray, cell_labels: np.ndarray, nucleus_labels: np.ndarray, field: np.ndarray, boxes: np.ndarray,
    cuts: np.ndarray, distances: np.ndarray, n_parts: int, pad: int, logs: np.ndarray, codes: np.ndarray,
    spans: np.ndarray, level_of: np.ndarray, flat: np.ndarray, counts: np.ndarray, whole: np.ndarray, sums: np.ndarray,
    out: np.ndarray,
) -> None:  # fmt: skip
    n_levels = cuts.shape[1] + 1
    size = n_parts * n_levels + 1
    for i in range(len(field)):
        f = field[i]
        _tabulate(cuts[i], level_of)
        stride = _encode(
            plane[f], cell_labels[f], nucleus_labels[f], i + 1, boxes[i], level_of, n_levels, n_parts, pad, codes, spans
        )
        rows = spans[: boxes[i, 2] - boxes[i, 0]]
        for k in range(len(distances)):
            _count_pairs(codes, stride, rows, distances[k], size, flat)
            for direction in range(4):
                _describe_compartments(counts[direction], size, n_levels, logs, whole, sums, out[i, :, k, direction])


@helper
def _tabulate(cuts: np.ndarray, level_of: np.ndarray) -> None:
    """The level (from 0) of every grey value."""
    value = 0
    for level in range(len(cuts)):
        end = min(cuts[level] + 1, len(level_of))
        while value < end:
            level_of[value] = level
            value += 1
    for darker in range(value, len(level_of)):
        level_of[darker] = len(cuts)


@helper
def _encode(
    plane: np.ndarray,
    cells: np.ndarray,
    nuclei: np.ndarray,
    label: int,
    box: np.ndarray,
    level_of: np.ndarray,
    n_levels: int,
    n_parts: int,
    pad: int,
    codes: np.ndarray,
    spans: np.ndarray,
) -> int:
    """Copy one cell's levels into `codes`, rows apart by the returned stride; `spans` gives each row's begin and end.

    With two parts, nuclear pixels carry their level + n_levels. What is outside the cell, and `pad` px to the right
    and below, carry the one code after the last. What lies left of a row is the pad of the row above.
    """
    top, left, bottom, right = box
    stride = right - left + pad
    outside = np.uint8(n_parts * n_levels)
    for k in range((bottom - top + pad) * stride):
        codes[k] = outside
    for y in range(bottom - top):
        start, end, target = right - left, 0, codes[y * stride :]
        cell, nucleus, values = cells[top + y, left:right], nuclei[top + y, left:right], plane[top + y, left:right]
        for x in range(right - left):
            if cell[x] == label:
                code = level_of[np.uint64(values[x])]
                if n_parts == 2 and nucleus[x]:
                    code += n_levels
                target[x] = code
                start, end = min(start, x), x + 1
        spans[y, 0], spans[y, 1] = start, end
    return stride


@helper
def _count_pairs(
    codes: np.ndarray, stride: int, spans: np.ndarray, distance: int, n_codes: int, flat: np.ndarray
) -> None:
    """Count pairs of codes in four directions, at [code of a pixel, code of the pixel so far right, down-right ...].

    Parameters
    ----------
    codes : ndarray of uint8
        As from `encode`.
    stride : int
        Codes from one row to the next.
    spans : ndarray of int64, shape (n_rows, 2)
        First column of the cell in each row, and one past the last.
    distance, n_codes : int
    flat : ndarray of uint16 or uint32, shape (4 * n_codes * n_codes,)
        Overwritten with four tables. Their last rows and columns hold the pairs with the outside.
    """
    size = np.uint64(n_codes)
    for k in range(flat.size):
        flat[k] = 0
    second, third, fourth = size * size, np.uint64(2) * size * size, np.uint64(3) * size * size
    across, down, one = np.uint64(distance), np.uint64(distance * stride), flat.dtype.type(1)
    for y in range(len(spans)):
        here = np.uint64(y * stride + spans[y, 0])
        end = np.uint64(y * stride + max(spans[y, 0], spans[y, 1]))
        while here < end:  # unsigned: no check for negative indices
            row = np.uint64(codes[here]) * size
            flat[row + np.uint64(codes[here + across])] += one
            flat[second + row + np.uint64(codes[here + down + across])] += one
            flat[third + row + np.uint64(codes[here + down])] += one
            flat[fourth + row + np.uint64(codes[here + down - across])] += one
            here += np.uint64(1)


@helper
def _describe_compartments(
    counts: np.ndarray, size: int, n: int, logs: np.ndarray, whole: np.ndarray, sums: np.ndarray, out: np.ndarray
) -> None:
    """Features of the whole cell and, where `out` has rows for them, of nucleus and cytoplasm."""
    if len(out) > 1:
        for i in range(n):
            nuclear, other, total = counts[(n + i) * size :], counts[i * size :], whole[i * n :]
            for j in range(n):
                total[j] = nuclear[j] + nuclear[n + j] + other[j] + other[n + j]
    for k in range(len(out)):  # one call in a loop compiles faster than three
        table, width = (whole, n) if k == 0 and len(out) > 1 else (counts, size)
        _describe(table, width, n if k == 1 else 0, n, logs, sums, out[k])


@helper
def _describe(
    counts: np.ndarray, size: int, start: Int, n: int, logs: np.ndarray, sums: np.ndarray, out: np.ndarray
) -> None:  # fmt: skip
    """Haralick's f1 to f13 of one table of counts.

    Parameters
    ----------
    counts : ndarray of uint16 or uint32, shape (size * size,)
        Pairs in one direction; the co-occurrence matrix is counts + counts.T, both restricted to n codes.
    size, start, n : int
        Codes in a row of the table; the first code, and the number of codes.
    logs : ndarray of float64
        c log2 c.
    sums : ndarray like `counts`, shape (6 n,)
        Overwritten.
    out : ndarray of float64, shape (13,)

    Notes
    -----
    Haralick 1973, with f7 about f6, f10 = VAR[|x - y|] (which, unlike VAR[P(|x - y|)], does not depend on the number
    of levels), base 2 logarithms, and f3 = 1, f12 = 0 for one level, as in mahotas. All sums but those of c log c are
    integers, so a variance that is 0 is exactly 0.
    """
    for k in range(sums.size):
        sums[k] = 0
    margin, minus, plus, apart = sums[:n], sums[n : 2 * n], sums[2 * n : 4 * n], sums[4 * n :]
    for i in range(n):
        row, here, there = counts[(start + i) * size + start :], plus[i:], apart[n - i :]
        total = 0
        for j in range(n):
            count = row[j]
            total += count
            margin[j] += count
            here[j] += count
            there[j] += count
        margin[i] += total
    minus[0] = apart[n]
    for k in range(1, n):
        minus[k] = apart[n - k] + apart[n + k]
    for k in range(2 * n):
        plus[k] += plus[k]
    for k in range(n):
        minus[k] += minus[k]
    n_pairs = np.int64(0)
    for k in range(n):
        n_pairs += np.int64(margin[k])
    if n_pairs < len(logs):
        squares, joint = _joint_sums(counts, size, start, margin, logs)
    else:
        squares, joint = _large_joint_sums(counts, size, start, n, logs)
    _formulas(margin, plus, minus, n_pairs, squares, joint, logs, out)


@helper
def _joint_sums(
    flat: np.ndarray, n_codes: int, start: Int, margin: np.ndarray, logs: np.ndarray
) -> tuple[Int, float]:  # fmt: skip
    """The sums of c^2 and of c log2 c over the symmetric matrix, where all of c log2 c is in the table.

    Levels that do not occur are left out; they would add 0.
    """
    squares, joint, n = np.int64(0), 0.0, len(margin)
    while n > 0 and margin[n - 1] == 0:
        n -= 1
    size, one, two = np.uint64(n_codes), np.uint64(1), np.uint64(2)
    for i in range(n):
        if margin[i] == 0:
            continue
        row, column = np.uint64((start + i) * n_codes + start), np.uint64(start * n_codes + start + i)
        twice = 2 * np.int64(flat[row + np.uint64(i)])
        row_squares, even, odd = np.int64(0), 0.0, 0.0
        j, end = np.uint64(i + 1), np.uint64(n)
        while j + one < end:  # two sums in turns: each addition waits for the one before
            first = np.int64(flat[row + j]) + np.int64(flat[column + j * size])
            second = np.int64(flat[row + j + one]) + np.int64(flat[column + j * size + size])
            row_squares += first * first + second * second
            even += logs[np.uint64(first)]
            odd += logs[np.uint64(second)]
            j += two
        if j < end:
            last = np.int64(flat[row + j]) + np.int64(flat[column + j * size])
            row_squares += last * last
            even += logs[np.uint64(last)]
        squares += 2 * row_squares + twice * twice
        joint += 2 * (even + odd) + logs[np.uint64(twice)]
    return squares, joint


@inlined
def _large_joint_sums(
    counts: np.ndarray, size: int, start: Int, n: int, logs: np.ndarray
) -> tuple[Int, float]:  # fmt: skip
    """The same for counts beyond the table."""
    squares, joint = np.int64(0), 0.0
    for i in range(start, start + n):
        for j in range(start, start + n):
            count = np.int64(counts[i * size + j]) + np.int64(counts[j * size + i])
            squares += count * count
            joint += _c_log_c(count, logs)
    return squares, joint


@inlined
def _formulas(
    margin: np.ndarray,
    plus: np.ndarray,
    minus: np.ndarray,
    total: Int,
    squares: Int,
    joint: float,
    logs: np.ndarray,
    out: np.ndarray,
) -> None:
    """f1 to f13 from the counts of x, of x + y and of |x - y|, and the sums of c^2 and of c log2 c over the matrix."""
    if total == 0:
        for k in range(out.size):
            out[k] = np.nan
        return
    sum_first, sum_second = _power_sums(plus)
    difference_first, difference_second = _power_sums(minus)
    first, second = _power_sums(margin)
    area = np.float64(total) * total
    variance = total * second - first * first
    inverse = 0.0
    for k in range(len(minus)):
        inverse += minus[k] / (1 + k * k)
    entropy = (_c_log_c(total, logs) - joint) / total
    marginal = _entropy(margin, total, logs)
    out[0] = squares / area
    out[1] = difference_second / total
    out[2] = (total * (sum_second - 2 * second) - 2 * first * first) / (2 * variance) if variance else 1.0
    out[3] = variance / area
    out[4] = inverse / total
    out[5] = sum_first / total + 2  # levels count from 1
    out[6] = (total * sum_second - sum_first * sum_first) / area
    out[7] = _entropy(plus, total, logs)
    out[8] = entropy
    out[9] = (total * difference_second - difference_first * difference_first) / area
    out[10] = _entropy(minus, total, logs)
    out[11] = (entropy - 2 * marginal) / marginal if variance else 0.0
    out[12] = np.sqrt(max(0.0, 1 - np.exp(-2 * (2 * marginal - entropy))))


@helper
def _power_sums(counts: np.ndarray) -> tuple[Int, Int]:
    """Sum of k counts[k] and of k^2 counts[k]."""
    first = second = np.int64(0)
    for k in range(len(counts)):
        first += k * counts[k]
        second += k * k * counts[k]
    return first, second


@helper
def _entropy(counts: np.ndarray, total: Int, logs: np.ndarray) -> float:
    """Shannon entropy in bits; exactly 0 if one bin holds all."""
    if total < len(logs):
        return (logs[total] - _sum_of_logs(counts, logs)) / total
    weighted = 0.0
    for k in range(len(counts)):
        weighted += _c_log_c(np.int64(counts[k]), logs)
    return (_c_log_c(total, logs) - weighted) / total


@sum_helper
def _sum_of_logs(counts: np.ndarray, logs: np.ndarray) -> float:
    weighted = 0.0
    for k in range(len(counts)):
        weighted += logs[np.uint64(counts[k])]
    return weighted


@helper
def _c_log_c(count: Int, logs: np.ndarray) -> float:
    return logs[np.uint64(count)] if count < len(logs) else count * np.log2(count)
