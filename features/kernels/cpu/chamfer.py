"""Distances in stacks of masks by steps between pixels, in whole numbers, and the typical radius of blobs."""

import numpy as np

from features.kernels.cpu._jit import Int, helper, kernel

STRAIGHT, DIAGONAL, KNIGHT = 5, 7, 11  # lengths of steps: 5 units a px
FURTHEST = 8191


def distances(masks: np.ndarray) -> np.ndarray:
    """Distance of each masked pixel to the nearest one that is not, by steps of 5, 7 and 11 (Borgefors 1986).

    Parameters
    ----------
    masks : ndarray of bool, shape (n_fields, H, W)
        Nothing lies beyond the border.

    Returns
    -------
    ndarray of uint16, shape (n_fields, H, W)
        In fifths of a px, at most 8191; within 2 % of the Euclidean distance.
    """
    _, height, width = masks.shape
    out = np.empty(masks.shape, np.uint16)
    far = np.empty((height + 4, width + 4), np.uint16)  # two pixels of frame, so that no step leaves the image
    far[:2] = far[-2:] = far[:, :2] = far[:, -2:] = FURTHEST
    _distances(masks, far, *np.full((2, 3 * width), FURTHEST, np.uint16), out)
    return out


@kernel
def _distances(masks: np.ndarray, far: np.ndarray, here: np.ndarray, there: np.ndarray, out: np.ndarray) -> None:
    """Steps of a shortest way may be taken in any order: first all that lead down or up, at last those along rows."""
    n_fields, height, width = masks.shape
    for f in range(n_fields):
        for y in range(height):
            row, mask = far[y + 2, 2:-2], masks[f, y]
            for x in range(width):
                row[x] = np.uint16(FURTHEST) if mask[x] else np.uint16(0)
            _step_down(far[y], far[y + 1], row)
        for y in range(height - 1, -1, -1):
            _step_down(far[y + 4], far[y + 3], far[y + 2, 2:-2])
            _step_along(far[y + 2, 2:-2], here, there, out[f, y])


@helper
def _step_down(second: np.ndarray, first: np.ndarray, row: np.ndarray) -> None:
    """Replace the distances of a row by those over the two framed rows beside it, where these are less."""
    west, middle, east = first[1:], first[2:], first[3:]
    far_west, far_east = first, first[4:]
    steep_west, steep_east = second[1:], second[3:]
    straight, diagonal, knight = np.uint16(STRAIGHT), np.uint16(DIAGONAL), np.uint16(KNIGHT)
    for x in range(row.size):
        near = min(np.uint16(middle[x] + straight), np.uint16(min(west[x], east[x]) + diagonal))
        knights = min(min(far_west[x], far_east[x]), min(steep_west[x], steep_east[x]))
        row[x] = min(row[x], min(near, np.uint16(knights + knight)))


@helper
def _step_along(row: np.ndarray, here: np.ndarray, there: np.ndarray, out: np.ndarray) -> None:
    """Distances over the pixels of the same row: over 1, then 2, 4, 8 ... more, which the compiler turns into vectors.

    The middle third of both scratch rows is overwritten, beside it lies what is furthest.
    """
    n, step, most = row.size, 1, np.uint16(0)
    for x in range(n):
        here[n + x] = row[x]
        most = max(most, row[x])
    while step < n and STRAIGHT * step < most:
        west, middle, east, target = here[n - step :], here[n:], here[n + step :], there[n:]
        length, most = np.uint16(STRAIGHT * step), np.uint16(0)
        for x in range(n):
            target[x] = min(middle[x], np.uint16(min(west[x], east[x]) + length))
            most = max(most, target[x])
        here, there = there, here
        step *= 2
    for x in range(n):
        out[x] = here[n + x]


def typical_radius(masks: np.ndarray) -> np.ndarray:
    """The radius of the blob at which half of all area is reached, from the smallest blob up.

    Blobs are looked for at half the size: peaks of the distance to the background, each as large as a disc.

    Parameters
    ----------
    masks : ndarray of bool, shape (n_fields, H, W)

    Returns
    -------
    ndarray of float64, shape (n_fields,)
        In px; at least 2, also where there is no blob.
    """
    peaks = np.empty(len(masks), np.int64)
    _median_peaks(distances(_halved(masks)), np.empty(FURTHEST + 1, np.int64), peaks)
    return 2 * np.maximum(peaks, STRAIGHT) / STRAIGHT


def _halved(masks: np.ndarray) -> np.ndarray:
    """Masks at half the size: where two of four pixels or more are masked."""
    _, height, width = masks.shape
    if height % 2 or width % 2:
        masks = np.pad(masks, [(0, 0), (0, height % 2), (0, width % 2)])
    counts = masks.view(np.uint8)
    pairs = counts[:, ::2] + counts[:, 1::2]
    return pairs[:, :, ::2] + pairs[:, :, 1::2] >= 2


@kernel
def _median_peaks(distance: np.ndarray, squares: np.ndarray, out: np.ndarray) -> None:
    for f in range(len(out)):
        out[f] = _median_peak(distance[f], squares)


@helper
def _median_peak(distance: np.ndarray, squares: np.ndarray) -> Int:
    """The peak at which half of all squares is reached; the greatest distance if no peak exceeds 1 px."""
    for level in range(squares.size):
        squares[level] = 0
    greatest, total = 0, 0
    for y in range(distance.shape[0]):
        for x in range(distance.shape[1]):
            here = np.int64(distance[y, x])
            greatest = max(greatest, here)
            if here > STRAIGHT and _is_peak(distance, y, x):
                squares[here] += here * here
                total += here * here
    if total == 0:
        return greatest
    level, below = 0, squares[0]
    while 2 * below < total:
        level += 1
        below += squares[level]
    return level


@helper
def _is_peak(distance: np.ndarray, y: int, x: int) -> bool:
    """Whether no pixel in the 5 x 5 around one exceeds it."""
    for v in range(max(y - 2, 0), min(y + 3, distance.shape[0])):
        for u in range(max(x - 2, 0), min(x + 3, distance.shape[1])):
            if distance[v, u] > distance[y, x]:
                return False
    return True
