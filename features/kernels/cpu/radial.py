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
_CHUNK = 4096  # this many 8-bit values times a row or column below it add up to less than 2^32


def ring_sums(
    values: np.ndarray,
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
    values : ndarray of uint8 or uint16, shape (4, n_values)
        The channels at the cells' pixels.
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
    n, largest = len(boxes), int(np.diff(offsets).max(initial=0))
    sums, moments = np.zeros((n, 3 * _RINGS + _BANDS, _WEDGES, 5), np.int64), np.zeros((n, 2, 4, 3), np.int64)
    nuclei = np.zeros((n, 3), np.int64)
    distances, places = np.empty((3, largest), np.float32), np.empty((2, largest), np.int32)
    running = np.zeros((values.itemsize, largest + 1), np.uint64)
    narrow = values.itemsize == 1 and (boxes[:, 2:] - boxes[:, :2]).max(initial=0) <= _CHUNK
    adder = np.empty(0, np.uint32 if narrow else np.uint64)  # half the width is faster where moments fit
    scratch = (distances, places, np.empty(largest, np.int32), np.empty(largest, np.int64), running, adder)
    lengths = (to_border, inside, outside, unit)
    flat = sums.reshape(n, sums[:1].size)
    _ring_sums(values, boxes, offsets, positions, width, *lengths, *scratch, flat, moments, nuclei)
    return sums, moments, nuclei


@kernel
def _ring_sums(
    values: np.ndarray, boxes: np.ndarray, offsets: np.ndarray, positions: np.ndarray, width: int,
    to_border: np.ndarray, inside: np.ndarray, outside: np.ndarray, unit: np.ndarray, distances: np.ndarray,
    places: np.ndarray, zones: np.ndarray, ends: np.ndarray, running: np.ndarray, adder: np.ndarray, sums: np.ndarray,
    moments: np.ndarray, nuclei: np.ndarray,
) -> None:  # fmt: skip
    for i in range(len(boxes)):
        mine = positions[offsets[i] : offsets[i + 1]]
        _place(mine, width, boxes[i], places)
        _gather(mine, to_border, inside, outside, distances)
        nuclear = distances[1, : mine.size]
        count, sum_y, sum_x = _nucleus_moments(places, nuclear)
        nuclei[i, 0], nuclei[i, 1], nuclei[i, 2] = count, sum_y, sum_x
        if count:
            centre_y, centre_x = np.float32(sum_y / count), np.float32(sum_x / count)
            _find_zones(places, centre_y, centre_x, distances, 0.1 * unit[i], zones[: mine.size])
            _run_up(values, offsets[i], mine.size, running)
            _add_up(running, values.itemsize, zones, ends[: _list_runs(zones[: mine.size], ends)], sums[i])
            for c in range(4):
                _add_moments(values[c, offsets[i] : offsets[i + 1]], nuclear, places, adder, moments[i, :, c])


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
def _run_up(values: np.ndarray, first: int, n: int, running: np.ndarray) -> None:
    """Running sums of the channels of n pixels, which wrap around: only differences count.

    Those of four 8-bit or two 16-bit channels share a 64-bit number, each with twice the bits of a value.
    """
    channel_0, channel_1 = values[0, first:], values[1, first:]
    channel_2, channel_3 = values[2, first:], values[3, first:]
    bits, half = np.uint64(16 * values.itemsize), np.uint64(32)
    total, second = np.uint64(0), np.uint64(0)
    for j in range(n):
        low = np.uint64(channel_0[j]) | np.uint64(channel_1[j]) << bits
        high = np.uint64(channel_2[j]) | np.uint64(channel_3[j]) << bits
        if values.itemsize == 1:
            low |= high << half
        else:
            second += high
            running[1, j + 1] = second
        total += low
        running[0, j + 1] = total


@helper
def _list_runs(zones: np.ndarray, ends: np.ndarray) -> Int:
    """Where runs of equal zones end; their number."""
    n = 0
    for j in range(1, zones.size):
        ends[np.uint64(n)] = j  # stays if it counts
        n += np.int64(zones[j - 1] != zones[j])
    ends[n] = zones.size
    return n + 1


@helper
def _add_up(running: np.ndarray, itemsize: int, zones: np.ndarray, ends: np.ndarray, sums: np.ndarray) -> None:
    """Add a cell's pixels to its flat sums, a run of equal zones at a time, or as much of it as fits."""
    start, lanes, bits, longest = 0, np.uint64(4 // itemsize), np.uint64(16 * itemsize), 1 << (8 * itemsize)
    mask, four = (np.uint64(1) << bits) - np.uint64(1), np.uint64(4)
    for k in range(ends.size):
        zone = zones[start]
        wedge = (zone & 7) * 5
        ring = np.uint64((zone >> 3 & 3) * _WEDGES * 5 + wedge)
        part_ring = np.uint64((_RINGS + (zone >> 5 & 7)) * _WEDGES * 5 + wedge)
        band = np.uint64((3 * _RINGS + _BAND_OF_STEP[np.uint64(zone >> 8)]) * _WEDGES * 5 + wedge)
        while start < ends[k]:
            stop = min(ends[k], start + longest)
            for c in range(four):
                packed = running[c // lanes, stop] - running[c // lanes, start]
                total = np.int64(packed >> (c % lanes * bits) & mask)
                sums[ring + c] += total
                sums[part_ring + c] += total
                sums[band + c] += total
            sums[ring + four] += stop - start
            sums[part_ring + four] += stop - start
            sums[band + four] += stop - start
            start = stop


@helper
def _add_moments(
    channel: np.ndarray, inside: np.ndarray, places: np.ndarray, adder: np.ndarray, out: np.ndarray
) -> None:  # fmt: skip
    """Sums of a channel, and of it times rows and columns, in nucleus and cytoplasm; chunks fit the adder's type."""
    number, nothing = adder.dtype.type, adder.dtype.type(0)
    for start in range(0, inside.size, _CHUNK):
        nuclear, value = inside[start : start + _CHUNK], channel[start:]
        ys, xs = places[0, start:], places[1, start:]
        total, along_y, along_x, inner, inner_y, inner_x = nothing, nothing, nothing, nothing, nothing, nothing
        for j in range(nuclear.size):
            here, y, x = number(value[j]), number(ys[j]), number(xs[j])
            within = here if nuclear[j] > 0 else nothing
            total = number(total + here)
            along_y = number(along_y + here * y)
            along_x = number(along_x + here * x)
            inner = number(inner + within)
            inner_y = number(inner_y + within * y)
            inner_x = number(inner_x + within * x)
        out[0, 0] += np.int64(inner)
        out[0, 1] += np.int64(inner_y)
        out[0, 2] += np.int64(inner_x)
        out[1, 0] += np.int64(total) - np.int64(inner)
        out[1, 1] += np.int64(along_y) - np.int64(inner_y)
        out[1, 2] += np.int64(along_x) - np.int64(inner_x)
