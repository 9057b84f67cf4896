"""Morphological openings of growing size inside regions, as the sum of what each leaves.

Only dilations are needed: the erosion of an image is the complement of the dilation of its complement. A step runs
over the region's box as one flat array, which the compiler turns into vector instructions.
"""

import numpy as np

from features.kernels.cpu._jit import Int, helper, kernel

BLOCK = 128  # pixels of a block: steps run over whole blocks, because the rest of one would not be vectorised
CHUNK = 16384  # 16-bit values whose sum fits 32 bits, which takes half the time of 64


def opened_sums(
    pixels: np.ndarray, channels: np.ndarray, labels: np.ndarray, field: np.ndarray, boxes: np.ndarray,
    radii: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Sum of each region's pixels as they are, and after the opening of each radius.

    The opening of radius r erodes r times and dilates r times within the region: pixels outside take no part, as if
    infinitely bright to the erosion and black to the dilation. Step 1, 3, 5 ... is the cross of the four neighbours,
    step 2, 4, 6 ... the 3 x 3 square, so that r steps make an octagon of radius r.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (n_fields, n_channels, H, W)
    channels : ndarray of int64, shape (n_measured,)
        The planes that are measured.
    labels : ndarray of int32, shape (n_fields, H, W)
    field, boxes : ndarray of int32, shapes (n,) and (n, 4)
        A box that holds each region.
    radii : ndarray of int64
        Ascending, from 1 px.

    Returns
    -------
    ndarray of int64, shape (n, n_measured, len(radii) + 1)
    """
    out = np.zeros((len(field), len(channels), len(radii) + 1), np.int64)
    height, width = (boxes[:, 2:] - boxes[:, :2]).max(axis=0, initial=0).tolist()
    scratch = np.zeros((4, (height + 2) * (width + 1) + BLOCK + 2), pixels.dtype)
    _opened_sums(pixels, channels, labels, field, boxes, radii, scratch, out)
    return out


@kernel
def _opened_sums(
    pixels: np.ndarray, channels: np.ndarray, labels: np.ndarray, field: np.ndarray, boxes: np.ndarray,
    radii: np.ndarray, scratch: np.ndarray, out: np.ndarray,
) -> None:  # fmt: skip
    for i in range(len(field)):
        top, left, bottom, right = boxes[i]
        stride = right - left + 1  # one pixel of frame, shared by the end of a row and the start of the next
        n = ((bottom - top) * stride + BLOCK - 1) // BLOCK * BLOCK + 2 * stride + 2
        values, inside, complement, spare = scratch[0, :n], scratch[1, :n], scratch[2, :n], scratch[3, :n]
        for k in range(n):
            inside[k] = complement[k] = spare[k] = 0
        for m in range(len(channels)):
            for k in range(n):
                values[k] = 0
            for y in range(top, bottom):
                start = (y - top + 1) * stride + 1
                row = pixels[field[i], channels[m], y, left:right]
                _copy_row(row, labels[field[i], y, left:right], i + 1, values[start:], inside[start:])
            out[i, m, 0] = _total(values)
            _open(values, inside, complement, spare, stride, radii, out[i, m, 1:])


@helper
def _copy_row(row: np.ndarray, labels: np.ndarray, label: int, values: np.ndarray, inside: np.ndarray) -> None:
    for x in range(len(row)):
        mine = labels[x] == label
        inside[x] = -mine  # all bits set in the region
        values[x] = row[x] if mine else 0


@helper
def _total(values: np.ndarray) -> Int:
    total = 0
    for start in range(0, len(values), CHUNK):
        chunk, part = values[start : start + CHUNK], np.uint32(0)
        for k in range(len(chunk)):
            part = np.uint32(part + chunk[k])
        total += np.int64(part)
    return total


@helper
def _open(
    values: np.ndarray, inside: np.ndarray, complement: np.ndarray, spare: np.ndarray, stride: int, radii: np.ndarray,
    sums: np.ndarray,
) -> None:  # fmt: skip
    """The sums after each opening. `values` is 0 outside, and is overwritten, as are the two scratch arrays."""
    for j in range(len(values)):
        complement[j] = values[j] ^ inside[j]
    radius = 0
    for k in range(len(radii)):
        while radius < radii[k]:
            radius += 1
            _dilate(complement, inside, stride, radius, spare)
            complement, spare = spare, complement
        for j in range(len(values)):
            values[j] = complement[j] ^ inside[j]
        for step in range(radius, 0, -1):
            _dilate(values, inside, stride, step, spare)
            values, spare = spare, values
        sums[k] = _total(values)


@helper
def _dilate(image: np.ndarray, inside: np.ndarray, stride: int, step: int, out: np.ndarray) -> None:
    """One step: the maximum over the cross (odd steps) or the square (even steps), 0 outside the region."""
    n = len(image) - 2 * stride - 2
    centre, west, east = image[stride + 1 :], image[stride:], image[stride + 2 :]
    north, south = image[1:], image[2 * stride + 1 :]
    here, keep = out[stride + 1 :], inside[stride + 1 :]
    if step % 2:
        for k in range(n):
            here[k] = max(max(north[k], south[k]), max(max(west[k], east[k]), centre[k])) & keep[k]
        return
    north_west, north_east, south_west, south_east = image, image[2:], image[2 * stride :], image[2 * stride + 2 :]
    for k in range(n):
        above = max(max(north_west[k], north[k]), north_east[k])
        below = max(max(south_west[k], south[k]), south_east[k])
        here[k] = max(max(above, below), max(max(west[k], east[k]), centre[k])) & keep[k]
