"""Sums over rings around the nucleus' centre, split in eight wedges: the loops of the family `radial`.

Offsets from the nucleus' centre come from whole numbers only, so that a cell falls into the same rings and wedges
wherever it lies in the field.
"""

import numpy as np

from features.kernels.cpu._jit import Float, Int, helper, kernel

_RINGS = 4  # of each of: nucleus centre to cell border, nucleus centre to its border, nuclear border to cell border
_WEDGES = 8
_STEPS = 12  # of 0.1 nucleus diameters from the nuclear border: from below -0.2 to above 0.8
_STEPS_INSIDE = 3
_BAND_OF_STEP = np.array([0, 1, 2, 3, 4, 5, 5, 6, 6, 6, 6, 7])
_BANDS = 8


def ring_sums(
    pixels: np.ndarray,
    field: np.ndarray,
    boxes: np.ndarray,
    offsets: np.ndarray,
    positions: np.ndarray,
    width: int,
    to_border: np.ndarray,
    inside: np.ndarray,
    outside: np.ndarray,
    unit: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count pixels and add up channels by ring and wedge, and the first moments about the nucleus' centre.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (n_fields, 4, H * W)
    field : ndarray of int32, shape (n,)
    boxes : ndarray of int32, shape (n, 4)
    offsets, positions : ndarray of int64
        The pixels of each cell in row-major order, flat over n_fields * H * W.
    width : int
        W.
    to_border, inside, outside : ndarray of float32, flat
        Distances in px: to the cell border, of nuclear pixels to the nuclear border, of other pixels to the nucleus.
    unit : ndarray of float64, shape (n,)
        The nucleus diameter in px that lengths of a cell are measured in.

    Returns
    -------
    sums : ndarray of int64, shape (n, 20, 8, 5)
        By ring (4 Cells, 4 Nuclei, 4 Cytoplasm, then the bands) and wedge: the sums of the four channels, the count.
    moments : ndarray of int64, shape (n, 2, 4, 3)
        For nucleus and cytoplasm, by channel: sum of values, of values times row and of values times column, both
        counted from the top left of the cell's box.
    nuclei : ndarray of int64, shape (n, 3)
        Pixels of each nucleus, sums of their rows and columns; a cell without has zeros everywhere.
    """
    n, largest = len(field), int(np.diff(offsets).max(initial=0))
    sums, moments = np.zeros((n, 3 * _RINGS + _BANDS, _WEDGES, 5), np.int64), np.zeros((n, 2, 4, 3), np.int64)
    nuclei = np.zeros((n, 3), np.int64)
    distances, places = np.empty((3, largest), np.float32), np.empty((2, largest), np.int32)
    # only differences within a row count: half the width is faster where these fit
    narrow = pixels.itemsize == 1 and (boxes[:, 3] - boxes[:, 1]).max(initial=0) <= 4096
    running = np.zeros((largest + 1, 8), np.uint32 if narrow else np.uint64)
    scratch = (distances, places, np.empty(largest, np.int32), running)
    lengths = (to_border, inside, outside, unit)
    _ring_sums(pixels, field, boxes, offsets, positions, width, *lengths, *scratch, sums, moments, nuclei)
    return sums, moments, nuclei


@kernel
def _ring_sums(
    pixels: np.ndarray, field: np.ndarray, boxes: np.ndarray, offsets: np.ndarray, positions: np.ndarray, width: int,
    to_border: np.ndarray, inside: np.ndarray, outside: np.ndarray, unit: np.ndarray, distances: np.ndarray,
    places: np.ndarray, zones: np.ndarray, running: np.ndarray, sums: np.ndarray, moments: np.ndarray,
    nuclei: np.ndarray,
) -> None:  # fmt: skip
    n_pixels = pixels.shape[2]
    for i in range(len(field)):
        mine = positions[offsets[i] : offsets[i + 1]]
        _place(mine, width, boxes[i], places)
        _gather(mine, to_border, inside, outside, distances)
        count, sum_y, sum_x = _nucleus_moments(places, distances[1, : mine.size])
        nuclei[i, 0], nuclei[i, 1], nuclei[i, 2] = count, sum_y, sum_x
        if count:
            centre_y, centre_x = np.float32(sum_y / count), np.float32(sum_x / count)
            _find_zones(places, centre_y, centre_x, distances, 0.1 * unit[i], zones[: mine.size])
            _run_up(pixels[field[i]], mine, field[i] * n_pixels, places[1], running)
            _add_up(running, zones[: mine.size], places[0], sums[i], moments[i])


@helper
def _place(mine: np.ndarray, width: int, box: np.ndarray, places: np.ndarray) -> None:
    """Rows and columns of a cell's pixels from the top left of its box; int32, shape (2, at least its pixels)."""
    ys, xs = places[0], places[1]
    y = 0
    start = mine[0] // width * width + box[1]
    for j in range(mine.size):
        while mine[j] >= start - box[1] + width:
            start += width
            y += 1
        ys[j], xs[j] = y, mine[j] - start


@helper
def _gather(
    mine: np.ndarray, to_border: np.ndarray, inside: np.ndarray, outside: np.ndarray, distances: np.ndarray
) -> None:
    """The three distances of a cell's pixels, side by side."""
    border, inner, outer = distances[0], distances[1], distances[2]
    for j in range(mine.size):
        at = np.uint64(mine[j])
        border[j], inner[j], outer[j] = to_border[at], inside[at], outside[at]


@helper
def _nucleus_moments(places: np.ndarray, inside: np.ndarray) -> tuple[int, int, int]:
    """Pixels of the nucleus, and the sums of their rows and columns."""
    ys, xs = places[0], places[1]
    count, sum_y, sum_x = 0, 0, 0
    for j in range(inside.size):
        is_nucleus = inside[j] > 0
        count += is_nucleus
        sum_y += ys[j] if is_nucleus else 0
        sum_x += xs[j] if is_nucleus else 0
    return count, sum_y, sum_x


@helper
def _find_zones(
    places: np.ndarray, centre_y: Float, centre_x: Float, distances: np.ndarray, step: float, zones: np.ndarray
) -> None:
    """A cell's zones, packed: wedge, ring in the cell, ring in nucleus or cytoplasm, steps from the rim."""
    ys, xs = places[0], places[1]
    border, inside, outside = distances[0], distances[1], distances[2]
    half, per_step, zero = np.float32(0.5), np.float32(1 / step), np.int32(0)
    for j in range(zones.size):
        y, x = np.float32(ys[j]) - centre_y, np.float32(xs[j]) - centre_x
        south, east = np.int32(1) if y > 0 else zero, np.int32(2) if x > 0 else zero
        steep = np.int32(4) if abs(y) > abs(x) else zero
        away = np.sqrt(y * y + x * x)
        is_nucleus = inside[j] > 0
        inner, outer = away if is_nucleus else outside[j], inside[j] if is_nucleus else border[j]
        rings = _ring(away, border[j]) << np.int32(3) | _ring(inner, outer) << np.int32(5)
        part = zero if is_nucleus else np.int32(128)
        steps = (half - inside[j] if is_nucleus else outside[j] - half) * per_step + np.float32(_STEPS_INSIDE)
        steps = min(max(steps, np.float32(0)), np.float32(_STEPS - 1))
        zones[j] = south | east | steep | rings | part | np.int32(steps) << np.int32(8)


@helper
def _ring(inner: float, outer: float) -> Int:
    """Ring of the relative position between an inner landmark and an outer border (CellProfiler's 0.001 included)."""
    return np.int32(np.float32(_RINGS) * inner / (inner + outer + np.float32(0.001)))


@helper
def _run_up(planes: np.ndarray, mine: np.ndarray, first: int, xs: np.ndarray, running: np.ndarray) -> None:
    """Running sums over a cell's pixels of the four channels, and of the channels times the column."""
    number = running.dtype.type
    for j in range(mine.size):
        before, now, at, x = running[j], running[j + 1], np.uint64(mine[j] - first), number(xs[j])
        for c in range(4):
            value = number(planes[c, at])
            now[c] = before[c] + value
            now[4 + c] = before[4 + c] + value * x


@helper
def _add_up(running: np.ndarray, zones: np.ndarray, ys: np.ndarray, sums: np.ndarray, moments: np.ndarray) -> None:
    """Add a cell's pixels to its sums and moments, as many neighbours of equal zones at a time as there are."""
    j = 0
    while j < zones.size:
        start, zone = j, zones[j]
        while j < zones.size and zones[j] == zone and ys[j] == ys[start]:
            j += 1
        wedge, part = np.uint64(zone & 7), np.uint64(zone >> 7 & 1)
        ring, part_ring = np.uint64(zone >> 3 & 3), np.uint64(_RINGS + (zone >> 5 & 7))
        band = np.uint64(3 * _RINGS + _BAND_OF_STEP[np.uint64(zone >> 8)])
        for c in range(4):
            total = np.int64(running.dtype.type(running[j, c] - running[start, c]))
            sums[ring, wedge, c] += total
            sums[part_ring, wedge, c] += total
            sums[band, wedge, c] += total
            moments[part, c, 0] += total
            moments[part, c, 1] += total * ys[start]
            moments[part, c, 2] += np.int64(running.dtype.type(running[j, 4 + c] - running[start, 4 + c]))
        sums[ring, wedge, 4] += j - start
        sums[part_ring, wedge, 4] += j - start
        sums[band, wedge, 4] += j - start
