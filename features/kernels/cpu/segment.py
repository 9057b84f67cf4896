"""The loops of cell finding: splitting touching nuclei at their necks, and flooding a relief from the nuclei."""

import numpy as np

from features.kernels.cpu._jit import Int, helper, kernel

_TURNS = 4  # counters in turn: neighbours are often alike, and need not wait for one another
_BESIDE = 4  # neighbours that water reaches


def _framed(height: int, width: int, kind: type) -> np.ndarray:
    """An image not yet filled in but for one pixel of zeros around it, so that no neighbour needs a check."""
    image = np.empty((height + 2, width + 2), kind)
    image[0] = image[-1] = 0
    image[:, 0] = image[:, -1] = 0
    return image


@helper
def _pixels_from_the_top(
    heights: np.ndarray, words: np.ndarray, starts: np.ndarray, found: np.ndarray, order: np.ndarray
) -> Int:  # fmt: skip
    """Flat positions of the pixels above 0, highest first, row-major among equals (counting sort); their number.

    Most words of four pixels are 0.
    """
    for value in range(starts.size):
        starts[value] = 0
    n = 0
    for k in range(words.size):
        if words[k]:
            for i in range(4 * k, 4 * k + 4):
                found[np.uint64(n)] = i  # stays if it counts
                n += np.int64(heights[i] > 0)
    for k in range(n):
        starts[heights[np.uint64(found[k])]] += 1
    position = 0
    for value in range(starts.size - 1, 0, -1):
        count = starts[value]
        starts[value] = position
        position += count
    for k in range(n):
        value = heights[np.uint64(found[k])]
        order[np.uint64(starts[value])] = found[k]
        starts[value] += 1
    return n


@helper
def _number_basins(parent: np.ndarray, areas: np.ndarray, smallest: int, ids: np.ndarray) -> None:
    """Number each basin by the one that it was joined to: 1..n in the order of their first pixels; 0 if too small."""
    for basin in range(parent.size):
        ids[basin] = 0
        root = parent[basin]
        while parent[root] != root:
            root = parent[root]
        parent[basin] = root
        if root != np.uint64(basin):
            areas[root] += areas[basin]
    n = 0
    for basin in range(1, parent.size):  # they came up in that order
        root = parent[basin]
        if ids[root] == 0 and areas[root] >= smallest:
            n += 1
            ids[root] = n
    for basin in range(1, parent.size):
        ids[basin] = ids[parent[basin]]


def split_by_depth(height: np.ndarray, neck: float, smallest: np.ndarray) -> np.ndarray:
    """Divide blobs at their necks: a watershed from the top down that joins two basins unless the saddle is deep.

    Parameters
    ----------
    height : ndarray of uint16, shape (n_fields, H, W)
        Distance to the background in any unit; 0 is background.
    neck : float
        Two lobes stay apart if the saddle between them is lower than `neck` times the lower peak.
    smallest : ndarray of int64, shape (n_fields,), on the host
        Lobes of a field with fewer pixels are dropped.

    Returns
    -------
    ndarray of int32, shape (n_fields, H, W)
        8-connected lobes, in each field 1..n, those with the highest peak first; 0 is background.
    """
    _, rows, width = height.shape
    lobes = np.empty(height.shape, np.int32)
    basins, heights = _framed(rows, width, np.int32), np.zeros(-(-(rows + 2) * (width + 2) // 4) * 4, np.uint16)
    height_rows = heights[: basins.size].reshape(basins.shape)
    starts = np.empty(int(height.max(initial=0)) + 1, np.int64)
    order, found = np.empty((2, max(map(np.count_nonzero, height), default=0) + 1), np.int32)
    parent = np.empty(len(order) + 1, np.uint64)
    peak, areas, ids = (np.empty(len(parent), np.int32) for _ in range(3))
    framed = (height_rows, heights, heights.view(np.uint64), basins, basins.ravel())
    _split_fields(height, neck, smallest, *framed, starts, found, order, parent, peak, areas, ids, lobes)
    return lobes


@kernel
def _split_fields(
    height: np.ndarray, neck: float, smallest: np.ndarray, height_rows: np.ndarray, heights: np.ndarray,
    words: np.ndarray, basin_rows: np.ndarray, basins: np.ndarray, starts: np.ndarray, found: np.ndarray,
    order: np.ndarray, parent: np.ndarray, peak: np.ndarray, areas: np.ndarray, ids: np.ndarray, lobes: np.ndarray,
) -> None:  # fmt: skip
    """Heights and basins of one field at a time, framed: by rows, and the same memory flat."""
    width = height_rows.shape[1]
    for field in range(len(height)):
        for y in range(height.shape[1]):
            row, target = height[field, y], height_rows[y + 1, 1:]
            for x in range(row.size):
                target[x] = row[x]
        for i in range(basins.size):
            basins[i] = 0
        n = _pixels_from_the_top(heights, words, starts, found, order)
        n_basins = _split_field(heights, width, neck, order[:n], parent, peak, areas, basins)
        _number_basins(parent[: n_basins + 1], areas, smallest[field], ids)
        for y in range(height.shape[1]):
            row, target = basin_rows[y + 1, 1:], lobes[field, y]
            for x in range(target.size):
                target[x] = ids[np.uint64(row[x])]


@helper
def _split_field(
    flat: np.ndarray, width: int, neck: float, order: np.ndarray, parent: np.ndarray, peak: np.ndarray,
    areas: np.ndarray, basins: np.ndarray,
) -> int:  # fmt: skip
    """Write the basins of one field, where all is 0, their areas and what each was joined to; returns their number."""
    parent[0] = areas[0] = 0
    steps = (-width, -1, 1, width, -width - 1, -width + 1, width - 1, width + 1)
    n_basins = 0
    for k in range(order.size):
        i = np.int64(order[k])
        least, most = np.uint32(0xFFFFFFFF), np.uint32(0)
        for step in steps:
            basin = np.uint32(basins[np.uint64(i + step)])
            least, most = min(least, np.uint32(basin - np.uint32(1))), max(most, basin)
        if most and least + np.uint32(1) == most:  # one basin beside it, as a rule: nothing to compare or to join
            mine = np.uint64(most)
            while parent[mine] != mine:
                mine = parent[mine]
            basins[i] = mine
            areas[mine] += 1
            continue
        mine = np.uint64(0)
        best = 0
        for step in steps:
            j = np.uint64(i + step)
            basin = np.uint64(basins[j])
            if basin == 0:
                continue
            while parent[basin] != basin:
                parent[basin] = parent[parent[basin]]
                basin = parent[basin]
            if mine != 0 and basin != mine:
                low, high = (basin, mine) if peak[basin] < peak[mine] else (mine, basin)
                if flat[i] >= neck * peak[low]:
                    parent[low] = high
                    mine = basin = high
            if flat[j] > best:  # a pixel follows its steepest way up
                mine, best = basin, flat[j]
        if mine == 0:
            n_basins += 1
            mine = np.uint64(n_basins)
            parent[mine] = mine
            peak[mine] = flat[i]
            areas[mine] = 0
        basins[i] = mine
        areas[mine] += 1
    return n_basins


def flood(seeds: np.ndarray, relief: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Flood a relief from seeds, lowest ground first; the waters of two seeds meet on the ridges (Meyer 1991).

    Parameters
    ----------
    seeds : ndarray of int32, shape (n_fields, H, W)
    relief : ndarray of uint16, shape (n_fields, H, W)
    inside : ndarray of bool, shape (n_fields, H, W)
        What is outside stays dry, and what has relief 0.

    Returns
    -------
    ndarray of int32, shape (n_fields, H, W)
        The seeds and what they flooded (4-connected); 0 where it is dry or unreached.
    """
    _, height, width = seeds.shape
    labels, state = np.empty(seeds.shape, np.int32), _framed(height, width, np.int32)
    n_levels = int(relief.max(initial=0)) + 1
    counts, shore = np.empty((_TURNS, n_levels), np.int32), np.zeros(-(-width // 8) * 8, np.uint8)
    queue = np.empty(2 * height * width + 1, np.int32)
    firsts, ends = np.empty(n_levels, np.int32), np.empty(n_levels + _BESIDE, np.int32)
    scratch = (state, state.ravel(), counts, shore, shore.view(np.uint64), queue, firsts, ends)
    _flood_fields(seeds, relief, inside.view(np.uint8), *scratch, labels)
    return labels


@kernel
def _flood_fields(
    seeds: np.ndarray, relief: np.ndarray, inside: np.ndarray, framed: np.ndarray, state: np.ndarray,
    counts: np.ndarray, shore: np.ndarray, words: np.ndarray, queue: np.ndarray, firsts: np.ndarray, ends: np.ndarray,
    labels: np.ndarray,
) -> None:  # fmt: skip
    """Meanwhile a pixel's state is minus its label, or its ground: one look at a neighbour tells both.

    The queue has a stretch for each level, as long as the level has pixels: those that are reached from lower ones.
    What is reached while its level is flooded comes after them, in the stretch after the last; the shores of the seeds
    begin there.
    """
    _, height, width = seeds.shape
    for field in range(len(seeds)):
        for turn in range(_TURNS):
            for level in range(counts.shape[1]):
                counts[turn, level] = 0
        for y in range(height):
            seed, ground, row, wet = seeds[field, y], relief[field, y], framed[y + 1, 1:], inside[field, y]
            for x in range(width):
                row[x] = -seed[x] if seed[x] else np.int32(ground[x]) * np.int32(wet[x])
            for x in range(width):
                if wet[x]:
                    counts[np.uint64(x) % np.uint64(_TURNS), np.uint64(ground[x])] += np.int32(1)
        n_dry = _divide_queue(counts, firsts, ends)
        firsts[0] = n_dry
        ends[0] = _queue_shores(framed, shore, words, queue, n_dry)
        _flood_field(width + 2, state, queue, firsts, ends, n_dry)
        for y in range(height):
            row, target = framed[y + 1, 1:], labels[field, y]
            for x in range(width):
                target[x] = max(-row[x], np.int32(0))


@helper
def _divide_queue(counts: np.ndarray, firsts: np.ndarray, ends: np.ndarray) -> int:
    """Where the stretches of the levels above 0 begin and, as nothing is in them yet, end; where the last one does."""
    position = 0
    for level in range(1, firsts.size):
        firsts[level] = ends[level] = position
        for turn in range(_TURNS):
            position += counts[turn, level]
    return position


@helper
def _queue_shores(framed: np.ndarray, shore: np.ndarray, words: np.ndarray, queue: np.ndarray, n: Int) -> Int:
    """Append the seeds' pixels beside dry ground to the queue from the n-th place on; return the place after them.

    Most words of eight pixels have none.
    """
    for y in range(1, len(framed) - 1):
        above, row, below = framed[y - 1, 1:-1], framed[y, 1:-1], framed[y + 1, 1:-1]
        left, right = framed[y], framed[y, 2:]
        for x in range(row.size):
            highest = max(max(above[x], below[x]), max(left[x], right[x]))
            shore[x] = np.uint8(row[x] < 0) & np.uint8(highest > 0)
        for k in range(words.size):
            if words[k]:
                for x in range(8 * k, 8 * k + 8):
                    queue[np.uint64(n)] = y * framed.shape[1] + 1 + x  # stays if it counts
                    n += np.int64(shore[x])
    return n


@helper
def _flood_field(
    width: int, state: np.ndarray, queue: np.ndarray, firsts: np.ndarray, ends: np.ndarray, n_dry: Int
) -> None:
    """Flood the ground of one field, whose outermost pixels are dry."""
    for k in range(_BESIDE):
        ends[firsts.size + k] = queue.size - 1
    for level in range(firsts.size):
        here, end = np.int32(level), np.int64(ends[level])
        ends[level] = n_dry
        for k in range(firsts[level], end):
            _wet_neighbours(queue[np.uint64(k)], width, here, state, queue, ends)
        k = np.int64(n_dry)
        while k < ends[level]:
            _wet_neighbours(queue[np.uint64(k)], width, here, state, queue, ends)
            k += 1


@helper
def _wet_neighbours(
    pixel: Int, width: int, level: Int, state: np.ndarray, queue: np.ndarray, ends: np.ndarray
) -> None:  # fmt: skip
    """Let the water of a pixel run to its dry neighbours and put these in the queue.

    A branch would be guessed wrong too often: a neighbour that is not dry is put in the queue's last place, which
    nothing reads. Each of the four has an end of its own there, so that they need not wait for one another. With the
    state written before its place is known, the compiler makes a branch after all.
    """
    i, nowhere = np.int64(pixel), np.int32(ends.size - _BESIDE)
    mine = state[np.uint64(i)]
    for step in (-width, -1, 1, width):
        j = np.uint64(i + step)  # unsigned places: a signed one is looked at for counting from the end
        ground = state[j]
        dry = ground > 0
        at = np.uint64(np.uint32(max(ground, level) if dry else nowhere))
        state[j] = mine if dry else ground
        place = ends[at]
        queue[np.uint64(np.uint32(place))] = j
        ends[at] = place + np.int32(dry)
        nowhere += np.int32(1)
