"""Haralick's features of a table of pair counts, from integer sums along its rows and diagonals."""

import numpy as np

from features._kernels_cpu._jit import kernel

_LOG_TABLE = 16384  # beyond, c log c is computed


@kernel
def log_table(largest: int) -> np.ndarray:
    """c log2 c for c = 0, 1, 2 ... `largest`, or as far as a table is worth it."""
    table = np.zeros(min(largest + 1, _LOG_TABLE))
    for c in range(1, len(table)):
        table[c] = c * np.log2(c)
    return table


@kernel
def describe(counts: np.ndarray, start: int, n: int, logs: np.ndarray, out: np.ndarray) -> None:
    """Haralick's f1 to f13 of one table of counts.

    Parameters
    ----------
    counts : ndarray of uint32, shape (size, size)
        Pairs in one direction; the co-occurrence matrix is counts + counts.T, both restricted to n codes.
    start, n : int
        The first code, and the number of codes.
    logs : ndarray of float64
        c log2 c.
    out : ndarray of float64, shape (13,)

    Notes
    -----
    Haralick 1973, with f7 about f6, f10 = VAR[|x - y|] (which, unlike VAR[P(|x - y|)], does not depend on the number
    of levels), base 2 logarithms, and f3 = 1, f12 = 0 for one level, as in mahotas. All sums but those of c log c are
    integers, so a variance that is 0 is exactly 0.
    """
    sums = np.zeros(4 * n, np.int64)
    margin, minus, plus = sums[:n], sums[n : 2 * n], sums[2 * n :]
    squares = np.int64(0)
    joint = 0.0
    for i in range(n):
        twice = 2 * np.int64(counts[start + i, start + i])
        row, row_squares, row_joint = np.int64(0), np.int64(0), 0.0
        for j in range(i + 1, n):
            count = np.int64(counts[start + i, start + j]) + np.int64(counts[start + j, start + i])
            row += count
            row_squares += count * count
            row_joint += _c_log_c(count, logs)
            margin[j] += count
            plus[i + j] += count
            minus[j - i] += count
        margin[i] += row + twice
        plus[2 * i] += twice // 2
        minus[0] += twice // 2
        squares += 2 * row_squares + twice * twice
        joint += 2 * row_joint + _c_log_c(twice, logs)
    sums[n:] *= 2
    _formulas(margin, plus, minus, squares, joint, logs, out)


@kernel
def _formulas(
    margin: np.ndarray,
    plus: np.ndarray,
    minus: np.ndarray,
    squares: int,
    joint: float,
    logs: np.ndarray,
    out: np.ndarray,
) -> None:
    """f1 to f13 from the counts of x, of x + y and of |x - y|, and the sums of c^2 and of c log2 c over the matrix."""
    total = margin.sum()
    if total == 0:
        out[:] = np.nan
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


@kernel
def _power_sums(counts: np.ndarray) -> tuple[int, int]:
    """Sum of k counts[k] and of k^2 counts[k]."""
    first = second = np.int64(0)
    for k in range(len(counts)):
        first += k * counts[k]
        second += k * k * counts[k]
    return first, second


@kernel
def _entropy(counts: np.ndarray, total: int, logs: np.ndarray) -> float:
    """Shannon entropy in bits; exactly 0 if one bin holds all."""
    weighted = 0.0
    for count in counts:
        weighted += _c_log_c(count, logs)
    return (_c_log_c(total, logs) - weighted) / total


@kernel
def _c_log_c(count: int, logs: np.ndarray) -> float:
    return logs[count] if count < len(logs) else count * np.log2(count)
