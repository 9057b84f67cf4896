"""Outlines of stacks of binary masks and label images: smoothed, opened, filled, enlarged.

Everything is whole numbers, so that a GPU gives the same. Parameters of masks are arrays on the host, (n_fields,).
"""

import cv2
import numpy as np

from features.kernels.cpu._jit import helper, kernel

SOFT = (2, 53, 146, 53, 2)  # a Gaussian of 0.7 px, in 1 / 256
OPEN = 1 << 32  # pixels that background at the border counts as: more than any hole has


def even_out(masks: np.ndarray, reaches: np.ndarray) -> np.ndarray:
    """Smooth the outlines of masks: each pixel joins the majority in the square around it, mirrored at the border.

    Parameters
    ----------
    masks : ndarray of bool, shape (n_fields, H, W)
    reaches : ndarray of int64, shape (n_fields,)
        Pixels on either side of the one in the middle.

    Returns
    -------
    ndarray of bool, shape (n_fields, H, W)
    """
    out, furthest = np.empty(masks.shape, bool), int(reaches.max(initial=0))
    counts = np.uint16 if (2 * furthest + 1) ** 2 < 2**16 else np.uint32
    _, height, width = masks.shape
    down, total = np.empty(width + 2 * furthest, counts), np.empty(width, counts)
    mirrored = [np.pad(np.arange(side), furthest + 1, mode="reflect") for side in (height, width)]
    _even_out(masks.view(np.uint8), reaches, *mirrored, furthest + 1, down, total, out)
    return out


@kernel
def _even_out(
    masks: np.ndarray, reaches: np.ndarray, rows: np.ndarray, columns: np.ndarray, margin: int, down: np.ndarray,
    total: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    """Count the masked pixels of a square column by column, updated from row to row, then along the row.

    `rows` and `columns` are the places of the mirrored image, from `margin` pixels before it on.
    """
    n_fields, height, width = masks.shape
    for f in range(n_fields):
        mask, reach = masks[f], reaches[f]
        half, inner = total.dtype.type((2 * reach + 1) ** 2 // 2), down[reach : reach + width]
        for x in range(width):
            inner[x] = 0
        for y in range(-reach, reach + 1):
            row = mask[rows[margin + y]]
            for x in range(width):
                inner[x] += row[x]
        for y in range(height):
            for k in range(reach):
                down[k] = inner[columns[margin + k - reach]]
                down[reach + width + k] = inner[columns[margin + width + k]]
            for x in range(width):
                total[x] = inner[x]
            for k in range(1, reach + 1):
                left, right = down[reach - k :], down[reach + k :]
                for x in range(width):
                    total[x] += left[x] + right[x]
            row = out[f, y]
            for x in range(width):
                row[x] = total[x] > half
            leaving, coming = mask[rows[margin + y - reach]], mask[rows[margin + y + reach + 1]]
            for x in range(width):
                inner[x] += coming[x] - leaving[x]


def opened(masks: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """What a disc within the mask can cover (morphological opening); what lies beyond the border is as the mask.

    Parameters
    ----------
    masks : ndarray of bool, shape (n_fields, H, W)
    radii : ndarray of int64, shape (n_fields,)
        Of the discs; each row of one reaches sqrt(radius^2 - dy^2) px, rounded, to either side.

    Returns
    -------
    ndarray of bool, shape (n_fields, H, W)
    """
    out = np.empty(masks.shape, bool)
    for mask, radius, covered in zip(masks.view(np.uint8), radii, out):
        side = 2 * int(radius) + 1
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        covered[:] = cv2.morphologyEx(mask, cv2.MORPH_OPEN, disc)
    return out


def fill_holes(masks: np.ndarray, largest: np.ndarray) -> np.ndarray:
    """Fill holes: background (4 neighbours) that does not reach the image border.

    Parameters
    ----------
    masks : ndarray of bool, shape (n_fields, H, W)
    largest : ndarray of float64, shape (n_fields,)
        Holes of more pixels stay.

    Returns
    -------
    ndarray of bool, shape (n_fields, H, W)
    """
    _, height, width = masks.shape
    out, firsts = masks.copy(), np.empty(height + 1, np.int64)
    runs = np.empty((height * (width // 2 + 1), 2), np.int32)  # first pixel and the one after the last
    ends = np.zeros(-(-width // 8) * 8, np.uint8)
    scratch = (firsts, ends, ends.view(np.uint64), runs, np.empty(len(runs), np.int32), np.empty(len(runs), np.int64))
    _fill_holes(masks.view(np.uint8), largest, *scratch, out)
    return out


@kernel
def _fill_holes(
    masks: np.ndarray, largest: np.ndarray, firsts: np.ndarray, ends: np.ndarray, words: np.ndarray, runs: np.ndarray,
    parent: np.ndarray, area: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    n_fields, height, width = masks.shape
    for f in range(n_fields):
        _list_runs(masks[f], firsts, ends, words, runs)
        n = firsts[height]
        _join_runs(firsts, runs, parent)
        for k in range(n):
            area[k] = 0
        for y in range(height):
            for k in range(firsts[y], firsts[y + 1]):
                open_to_border = y == 0 or y == height - 1 or runs[k, 0] == 0 or runs[k, 1] == width
                area[_root(parent, k)] += OPEN if open_to_border else runs[k, 1] - runs[k, 0]
        for y in range(height):
            for k in range(firsts[y], firsts[y + 1]):
                if area[_root(parent, k)] <= largest[f]:
                    for x in range(runs[k, 0], runs[k, 1]):
                        out[f, y, x] = True


@helper
def _list_runs(
    mask: np.ndarray, firsts: np.ndarray, ends: np.ndarray, words: np.ndarray, runs: np.ndarray
) -> None:  # fmt: skip
    """Runs of background along the rows; those of row y are firsts[y]:firsts[y + 1].

    Most words of eight pixels have no end of a run.
    """
    n = 0
    for y in range(len(mask)):
        firsts[y] = n
        row, within = mask[y], 0
        ends[0] = row[0] ^ np.uint8(1)
        for x in range(1, row.size):
            ends[x] = row[x] ^ row[x - 1]
        for k in range(words.size):
            if words[k] == 0:
                continue
            for x in range(8 * k, 8 * k + 8):
                if ends[x]:
                    runs[n, within] = x
                    n += within
                    within = 1 - within
        if within:
            runs[n, 1] = row.size
            n += 1
    firsts[len(mask)] = n


@helper
def _join_runs(firsts: np.ndarray, runs: np.ndarray, parent: np.ndarray) -> None:
    """Let each run know one earlier run of its part, the first of them all itself."""
    for k in range(firsts[-1]):
        parent[k] = k
    for y in range(1, len(firsts) - 1):
        above, here = firsts[y - 1], firsts[y]
        while above < firsts[y] and here < firsts[y + 1]:
            if runs[above, 0] < runs[here, 1] and runs[here, 0] < runs[above, 1]:
                one, other = _root(parent, above), _root(parent, here)
                parent[max(one, other)] = min(one, other)
            if runs[above, 1] < runs[here, 1]:
                above += 1
            else:
                here += 1


@helper
def _root(parent: np.ndarray, k: int) -> int:
    while parent[k] != k:
        parent[k] = parent[parent[k]]
        k = parent[k]
    return k


def enlarge(labels: np.ndarray, times: int, height: int, width: int) -> np.ndarray:
    """Label images a whole number of times larger, with smooth outlines instead of steps.

    Each label's mask is smoothed (Gaussian, 0.7 px) and interpolated; a pixel goes to the label with the largest share
    of it, to the smaller one if two have equal shares.

    Parameters
    ----------
    labels : ndarray of int32, shape (n_fields, h, w)
    times : int
    height, width : int
        Of the larger images, which are cut to them: at most h * times and w * times.

    Returns
    -------
    ndarray of int32, shape (n_fields, height, width)
    """
    out = np.empty((len(labels), height, width), np.int32)
    _enlarge(labels, times, _taps(times), np.empty((2, 36), np.int64), out)
    return out


@kernel
def _enlarge(labels: np.ndarray, times: int, weights: np.ndarray, scratch: np.ndarray, out: np.ndarray) -> None:
    n_fields, height, width = out.shape
    last_v, last_u = labels.shape[1] - 1, labels.shape[2] - 1
    for f in range(n_fields):
        small = labels[f]
        for y in range(height):
            v, below = (2 * y + 1 - times) // (2 * times), (2 * y + 1 - times) % (2 * times)
            upper, lower = small[max(v, 0)], small[min(v + 1, last_v)]
            for x in range(width):
                u, right = (2 * x + 1 - times) // (2 * times), (2 * x + 1 - times) % (2 * times)
                left, next_one = max(u, 0), min(u + 1, last_u)
                mine = upper[left]
                if mine != upper[next_one] or mine != lower[left] or mine != lower[next_one]:
                    mine = _largest_share(small, v - 2, u - 2, weights[below], weights[right], scratch)
                out[f, y, x] = mine  # four that agree have at least 60 %


def _taps(times: int) -> np.ndarray:
    """The smooth interpolation's six weights at each of 2 * times distances from a small pixel's middle."""
    out = np.zeros((2 * times, len(SOFT) + 1), np.int64)
    for share in range(2 * times):
        for k in range(len(SOFT)):
            out[share, k] += (2 * times - share) * SOFT[k]
            out[share, k + 1] += share * SOFT[k]
    return out


@helper
def _largest_share(
    labels: np.ndarray, top: int, left: int, down: np.ndarray, along: np.ndarray, scratch: np.ndarray
) -> int:
    """The label with the largest weight among 6 x 6, those at the border repeated."""
    height, width = labels.shape
    found, shares, n = scratch[0], scratch[1], 0
    for j in range(down.size):
        row = labels[min(max(top + j, 0), height - 1)]
        for i in range(along.size):
            label = row[min(max(left + i, 0), width - 1)]
            k = 0
            while k < n and found[k] != label:
                k += 1
            if k == n:
                found[n], shares[n] = label, 0
                n += 1
            shares[k] += down[j] * along[i]
    best = 0
    for k in range(1, n):
        if shares[k] > shares[best] or (shares[k] == shares[best] and found[k] < found[best]):
            best = k
    return found[best]
