"""Operations on image planes: square-root scale, quantiles, downsampling, Otsu's threshold, look-up tables.

All arithmetic is in integers, or in floating point in a fixed order, so that a GPU gives the same bits.
"""

import cv2
import numpy as np

from features.kernels.cpu._jit import helper, kernel

LEVELS = 256
_TURNS = 4
_TO_SD = 1.4826 / np.sqrt(2)  # from the median of differences of two pixels to the standard deviation of one


def root_scale(planes: np.ndarray) -> np.ndarray:
    """Planes on a square-root scale, the background at 0, the brightest 0.2 % at 255.

    The square root lets dim cells count beside bright ones. Every second pixel of every second row is looked at.

    Parameters
    ----------
    planes : ndarray of uint8 or uint16, shape (n_fields, H, W)

    Returns
    -------
    ndarray of uint8, shape (n_fields, H, W)
    """
    full = np.iinfo(planes.dtype).max
    levels = np.arange(full + 1, dtype=np.float64)
    out = np.empty(planes.shape, np.uint8)
    for plane, scaled in zip(planes, out):
        low, high = _ends(plane, np.zeros(2 * (full + 1), np.int32))
        table = (255 * np.sqrt(np.clip((levels - low) / max(high - low, 1.0), 0, 1))).astype(np.uint8)
        if full == 255:
            cv2.LUT(plane, table, scaled)
        else:
            scaled[:] = table[plane]
    return out


@kernel
def _ends(plane: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """Where the background ends, and the level that 0.2 % exceed; `counts` has two counters a level, all 0.

    The darkest 1 % of a background lie about two standard deviations of its noise below its mean; four above them, it
    has ended. A camera's offset exceeds its noise; elsewhere it is 0.
    """
    (height, width), n_levels = plane.shape, counts.size // 2
    levels, steps = counts[:n_levels], counts[n_levels:]
    for y in range(0, height, 2):
        row = plane[y]
        for x in range(0, width, 2):  # neighbours are often alike: counters in turns need not wait for one another
            counts[np.uint64((x >> 1 & 1) * n_levels + row[np.uint64(x)])] += 1
    for level in range(n_levels):
        levels[level] += steps[level]
        steps[level] = 0
    n = ((height + 1) // 2) * ((width + 1) // 2)
    darkest, dark, high = _level_at(levels, 0.01 * n), _level_at(levels, 0.25 * n), _level_at(levels, 0.998 * n)
    n = 0
    for y in range(0, height, 4):
        row = plane[y]
        for x in range(0, width - 1, 2):
            left, right = np.int32(row[np.uint64(x)]), np.int32(row[np.uint64(x + 1)])
            kept = np.int32(min(left, right) <= dark)
            steps[np.uint64(abs(left - right))] += kept
            n += kept
    noise = _TO_SD * (_level_at(steps, n // 2 + 1.0) + _level_at(steps, (n - 1) // 2 + 1.0)) / 2 if n else 0.0
    return darkest + min(4 * noise, float(darkest)), float(high)


@helper
def _level_at(counts: np.ndarray, rank: float) -> int:
    """The first level up to which at least so many are counted."""
    level, below = 0, counts[0]
    while below < rank:
        level += 1
        below += counts[level]
    return level


def nth_brightest(planes: np.ndarray, n: int) -> np.ndarray:
    """The level of the n-th brightest pixel of each plane, from 1.

    Parameters
    ----------
    planes : ndarray of uint8 or uint16, shape (n_fields, H, W)
    n : int
        At most 2^24: from there on OpenCV's histogram is not exact.

    Returns
    -------
    ndarray like planes, shape (n_fields,)
    """
    full = np.iinfo(planes.dtype).max
    counts = [cv2.calcHist([plane], [0], None, [full + 1], [0, full + 1]) for plane in np.ascontiguousarray(planes)]
    from_above = [np.cumsum(of_plane.ravel()[::-1].astype(np.int64)) for of_plane in counts]
    return np.array([full - np.searchsorted(numbers, n) for numbers in from_above], planes.dtype)


def shrink(planes: np.ndarray, times: int) -> np.ndarray:
    """Means of blocks, rounded; blocks that reach over the lower or right border repeat its pixels.

    Parameters
    ----------
    planes : ndarray of uint8 or uint16, shape (n_fields, H, W)
    times : int
        Side of a block.

    Returns
    -------
    ndarray like planes, shape (n_fields, ceil(H / times), ceil(W / times))
    """
    n_fields, height, width = planes.shape
    out = np.empty((n_fields, -(-height // times), -(-width // times)), planes.dtype)
    _shrink(planes, times, out)
    return out


@kernel
def _shrink(planes: np.ndarray, times: int, out: np.ndarray) -> None:
    n_fields, height, width = planes.shape
    half = times * times // 2
    for f in range(n_fields):
        for y in range(out.shape[1]):
            for x in range(out.shape[2]):
                total = half
                for v in range(y * times, (y + 1) * times):
                    for u in range(x * times, (x + 1) * times):
                        total += planes[f, min(v, height - 1), min(u, width - 1)]
                out[f, y, x] = total // (times * times)


def mean_of_nine(planes: np.ndarray) -> np.ndarray:
    """Mean of each pixel and its 8 neighbours, rounded, mirrored at the border.

    Parameters
    ----------
    planes : ndarray of uint8, shape (n_fields, H, W)

    Returns
    -------
    ndarray like planes
    """
    out = np.empty_like(planes)
    for plane, smooth in zip(planes, out):
        cv2.blur(plane, (3, 3), smooth)
    return out


def otsu(planes: np.ndarray, above: int, fewest: int) -> np.ndarray:
    """Otsu's threshold (Otsu 1979) of the pixels brighter than `above`.

    Parameters
    ----------
    planes : ndarray of uint8, shape (n_fields, H, W)
    above : int
    fewest : int
        Planes with fewer such pixels have no threshold.

    Returns
    -------
    ndarray of int64, shape (n_fields,)
        The last level of the lower class; 255 where there is no threshold.
    """
    out = np.full(len(planes), LEVELS - 1, np.int64)
    flat = planes.reshape(len(planes), planes.shape[1] * planes.shape[2])
    _otsu(flat, above, fewest, np.empty(_TURNS * LEVELS, np.int64), out)
    return out


@kernel
def _otsu(planes: np.ndarray, above: int, fewest: int, in_turn: np.ndarray, out: np.ndarray) -> None:
    for f in range(len(planes)):
        plane = planes[f]
        for level in range(in_turn.size):
            in_turn[level] = 0
        for k in range(plane.size):  # neighbours are often alike: counters in turns need not wait for one another
            in_turn[np.uint64((k % _TURNS) * LEVELS + plane[np.uint64(k)])] += 1
        histogram, n = in_turn[:LEVELS], 0
        for level in range(LEVELS):
            for turn in range(1, _TURNS):
                histogram[level] += in_turn[turn * LEVELS + level]
            if level <= above:
                histogram[level] = 0
            n += histogram[level]
        if n >= fewest:
            out[f] = _split(histogram)


@helper
def _split(histogram: np.ndarray) -> int:
    """The last level of the lower class; the first if several divide equally well."""
    n, total = 0, 0
    for level in range(LEVELS):
        n += histogram[level]
        total += histogram[level] * level
    below, moment, best, at = 0, 0, -1.0, LEVELS - 1
    for level in range(LEVELS):
        if histogram[level] == 0:
            continue
        below += histogram[level]
        moment += histogram[level] * level
        if below == n:
            break
        apart = float(total) / float(n) * float(below) - float(moment)
        between = apart * apart / (float(below) * float(n - below))
        if between > best:
            best, at = between, level
    return at


def look_up(planes: np.ndarray, tables: np.ndarray) -> np.ndarray:
    """Each pixel's entry in its plane's table.

    Parameters
    ----------
    planes : ndarray of uint8, shape (n_fields, H, W)
    tables : ndarray of uint8, shape (n_fields, 256)

    Returns
    -------
    ndarray of uint8, shape (n_fields, H, W)
    """
    out = np.empty_like(planes)
    for plane, table, found in zip(planes, tables, out):
        cv2.LUT(plane, table, found)
    return out
