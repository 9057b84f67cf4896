"""Pixel lists of labelled regions and histograms over them: what every family starts from."""

import numpy as np

from features.kernels.cpu._jit import kernel


def group_compartments(
    cell_labels: np.ndarray, nucleus_labels: np.ndarray, field: np.ndarray, boxes: np.ndarray
) -> list[tuple[np.ndarray, np.ndarray]]:
    """The pixels of each cell, of its nucleus and of its cytoplasm, in row-major order.

    Parameters
    ----------
    cell_labels, nucleus_labels : ndarray of int32, shape (n_fields, H, W)
        0 is background, 1..n are cells; a nucleus lies inside its cell.
    field : ndarray of int32, shape (n,)
    boxes : ndarray of int32, shape (n, 4)
        Around each cell, as from `bounding_boxes`.

    Returns
    -------
    offsets : ndarray of int64, shape (n + 1,), three times
        Cell i (label i + 1) owns positions offsets[i]:offsets[i + 1].
    positions : ndarray of int64, three times
        Flat pixel positions.
    """
    # one more: a place is written before it is known to count
    found = np.empty((3, np.count_nonzero(cell_labels) + 1), np.int64)
    offsets = np.zeros((3, len(field) + 1), np.int64)
    _group_compartments(cell_labels, nucleus_labels, field, boxes, *found, offsets)
    return [(of_compartment, places[: of_compartment[-1]]) for of_compartment, places in zip(offsets, found)]


@kernel
def _group_compartments(
    cell_labels: np.ndarray, nucleus_labels: np.ndarray, field: np.ndarray, boxes: np.ndarray, cells: np.ndarray,
    nuclei: np.ndarray, cytoplasm: np.ndarray, offsets: np.ndarray,
) -> None:  # fmt: skip
    height, width = cell_labels.shape[1], cell_labels.shape[2]
    n_cell, n_nuclear, n_around = np.uint64(0), np.uint64(0), np.uint64(0)
    for i in range(len(field)):
        label, (top, left, bottom, right) = np.int32(i + 1), boxes[i]
        for y in range(top, bottom):
            row, nuclear = cell_labels[field[i], y, left:right], nucleus_labels[field[i], y, left:right]
            first = (np.int64(field[i]) * height + y) * width + left
            for x in range(row.size):
                mine, in_nucleus = np.uint64(row[x] == label), np.uint64(nuclear[x] == label)
                cells[n_cell] = nuclei[n_nuclear] = cytoplasm[n_around] = first + x
                n_cell += mine
                n_nuclear += in_nucleus
                n_around += mine - in_nucleus
        offsets[0, i + 1], offsets[1, i + 1], offsets[2, i + 1] = n_cell, n_nuclear, n_around


def channel_values(pixels: np.ndarray, field: np.ndarray, offsets: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """The values of all channels at the pixels of regions.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (n_fields, n_channels, H, W)
    field : ndarray of int32, shape (n,)
        Of each region.
    offsets, positions : ndarray of int64
        As in `Region`.

    Returns
    -------
    ndarray like pixels, shape (n_channels, len(positions))
    """
    _, n_channels, height, width = pixels.shape
    out = np.empty((n_channels, len(positions)), pixels.dtype)
    _channel_values(pixels.ravel(), height * width, field, offsets, positions, out)
    return out


@kernel
def _channel_values(
    flat: np.ndarray, size: int, field: np.ndarray, offsets: np.ndarray, positions: np.ndarray, out: np.ndarray
) -> None:
    for i in range(len(field)):
        mine, first = positions[offsets[i] : offsets[i + 1]], np.int64(field[i]) * (len(out) - 1) * size
        for channel in range(len(out)):
            plane, values = flat[channel * size :], out[channel, offsets[i] : offsets[i + 1]]
            for k in range(mine.size):
                values[k] = plane[np.uint64(mine[k] + first)]


def bounding_boxes(labels: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Field and bounding box of each label.

    Parameters
    ----------
    labels : ndarray of int32, shape (n_fields, H, W)
    n : int

    Returns
    -------
    field : ndarray of int32, shape (n,)
        -1 where a label has no pixel.
    boxes : ndarray of int32, shape (n, 4)
        top, left, bottom, right; bottom and right are exclusive.
    """
    field, boxes = np.full(n, -1, np.int32), np.zeros((n, 4), np.int32)
    ends = np.zeros(-(-labels.shape[2] // 8) * 8, np.uint8)
    _bounding_boxes(labels, ends, ends.view(np.uint64), field, boxes)
    return field, boxes


@kernel
def _bounding_boxes(
    labels: np.ndarray, ends: np.ndarray, words: np.ndarray, field: np.ndarray, boxes: np.ndarray
) -> None:  # fmt: skip
    """By runs of equal labels. `ends` marks the last pixel of each; most words of eight pixels hold no mark."""
    n_fields, height, width = labels.shape
    for f in range(n_fields):
        for y in range(height):
            row, first = labels[f, y], 0
            for x in range(width - 1):
                ends[x] = row[x] != row[x + 1]
            ends[width - 1] = 1
            for k in range(words.size):
                if words[k] == 0:
                    continue
                for x in range(8 * k, 8 * k + 8):
                    if ends[x] == 0:
                        continue
                    i = np.int64(row[x]) - 1
                    if i >= 0:
                        if field[i] < 0:
                            field[i], boxes[i, 0], boxes[i, 1] = f, y, first
                        boxes[i, 1] = min(boxes[i, 1], first)
                        boxes[i, 3] = max(boxes[i, 3], x + 1)
                        boxes[i, 2] = y + 1
                    first = x + 1


def centroids(offsets: np.ndarray, positions: np.ndarray, height: int, width: int) -> np.ndarray:
    """Centroid of each region in its field.

    Parameters
    ----------
    offsets, positions : ndarray of int64
        As in `Region`.
    height, width : int
        Of a field in px.

    Returns
    -------
    ndarray of float64, shape (n, 2)
        y, x in px; NaN where a region has no pixel.
    """
    out = np.full((len(offsets) - 1, 2), np.nan)
    _centroids(offsets, positions, height, width, out)
    return out


@kernel
def _centroids(offsets: np.ndarray, positions: np.ndarray, height: int, width: int, out: np.ndarray) -> None:
    for i in range(len(out)):
        mine = positions[offsets[i] : offsets[i + 1]]
        if mine.size == 0:
            continue
        top, sum_y, sum_x = mine[0] // (width * height) * height, 0, 0
        for position in mine:
            row = np.int64(np.uint64(position) // np.uint64(width))
            sum_y += row - top
            sum_x += position - row * width
        out[i, 0], out[i, 1] = sum_y / mine.size, sum_x / mine.size


def value_ranges(values: np.ndarray, offsets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Darkest and brightest value of each region, int64, shape (n,) each; 65535 and 0 without pixels.

    Parameters
    ----------
    values : ndarray of uint8 or uint16, shape (n_values,)
        Grouped by region.
    offsets : ndarray of int64, shape (n + 1,)
    """
    n = len(offsets) - 1
    darkest, brightest = np.empty(n, np.int64), np.empty(n, np.int64)
    _value_ranges(values, offsets, darkest, brightest)
    return darkest, brightest


@kernel
def _value_ranges(values: np.ndarray, offsets: np.ndarray, darkest: np.ndarray, brightest: np.ndarray) -> None:
    for i in range(len(darkest)):
        low, high = np.int32(65535), np.int32(0)
        for value in values[offsets[i] : offsets[i + 1]]:
            low, high = min(low, np.int32(value)), max(high, np.int32(value))
        darkest[i], brightest[i] = low, high
