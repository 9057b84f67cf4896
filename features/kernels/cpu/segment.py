"""The loops of cell finding: splitting touching nuclei at their necks, and flooding a relief from the nuclei."""

import numpy as np

from features.kernels.cpu._jit import helper, kernel


def _framed(height: int, width: int, kind: type) -> np.ndarray:
    """An image not yet filled in but for one pixel of zeros around it, so that no neighbour needs a check."""
    image = np.empty((height + 2, width + 2), kind)
    image[0] = image[-1] = 0
    image[:, 0] = image[:, -1] = 0
    return image


@helper
def _pixels_from_the_top(heights: np.ndarray, starts: np.ndarray, order: np.ndarray) -> int:
    """Flat positions of the pixels above 0, highest first, row-major among equals (counting sort); their number."""
    for value in range(starts.size):
        starts[value] = 0
    for i in range(heights.size):
        if heights[i]:  # else the many zeros wait for one another
            starts[heights[i]] += 1
    position = 0
    for value in range(starts.size - 1, 0, -1):
        count = starts[value]
        starts[value] = position
        position += count
    for i in range(heights.size):
        value = heights[i]
        if value:
            order[np.uint64(starts[value])] = i
            starts[value] += 1
    return position


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
    heights, basins = _framed(rows, width, np.uint16), _framed(rows, width, np.int32)
    starts = np.empty(int(height.max(initial=0)) + 1, np.int64)
    order = np.empty(max(map(np.count_nonzero, height), default=0), np.int32)
    parent = np.empty(len(order) + 1, np.uint64)
    peak, areas, ids = (np.empty(len(parent), np.int32) for _ in range(3))
    framed = (heights, heights.ravel(), basins, basins.ravel())
    _split_fields(height, neck, smallest, *framed, starts, order, parent, peak, areas, ids, lobes)
    return lobes


@kernel
def _split_fields(
    height: np.ndarray, neck: float, smallest: np.ndarray, height_rows: np.ndarray, heights: np.ndarray,
    basin_rows: np.ndarray, basins: np.ndarray, starts: np.ndarray, order: np.ndarray, parent: np.ndarray,
    peak: np.ndarray, areas: np.ndarray, ids: np.ndarray, lobes: np.ndarray,
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
        n = _pixels_from_the_top(heights, starts, order)
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


def flood(seeds: np.ndarray, relief: np.ndarray) -> np.ndarray:
    """Flood a relief from seeds, lowest ground first; the waters of two seeds meet on the ridges (Meyer 1991).

    Parameters
    ----------
    seeds : ndarray of int32, shape (n_fields, H, W)
    relief : ndarray of uint16, shape (n_fields, H, W)
        0 stays dry.

    Returns
    -------
    ndarray of int32, shape (n_fields, H, W)
        The seeds and what they flooded (4-connected); 0 where it is dry or unreached.
    """
    _, height, width = seeds.shape
    labels, state = np.empty(seeds.shape, np.int32), _framed(height, width, np.int32)
    first, last = np.empty((2, int(relief.max(initial=0)) + 1), np.int32)  # of the queue of each level: two pixels,
    following = np.empty(state.size, np.int32)  # and the pixel after each, -1 after the last
    _flood_fields(seeds, relief, state, state.ravel(), first, last, following, np.empty(4, np.uint64), labels)
    return labels


@kernel
def _flood_fields(
    seeds: np.ndarray, relief: np.ndarray, framed: np.ndarray, state: np.ndarray, first: np.ndarray, last: np.ndarray,
    following: np.ndarray, dry: np.ndarray, labels: np.ndarray,
) -> None:  # fmt: skip
    """Meanwhile a pixel's state is minus its label, or its ground: one look at a neighbour tells both."""
    _, height, width = seeds.shape
    for field in range(len(seeds)):
        for y in range(height):
            seed, ground, row = seeds[field, y], relief[field, y], framed[y + 1, 1:]
            for x in range(width):
                row[x] = -seed[x] if seed[x] else np.int32(ground[x])
        _flood_field(width + 2, first, last, following, dry, state)
        for y in range(height):
            row, target = framed[y + 1, 1:], labels[field, y]
            for x in range(width):
                target[x] = max(-row[x], np.int32(0))


@helper
def _flood_field(
    width: int, first: np.ndarray, last: np.ndarray, following: np.ndarray, dry: np.ndarray, state: np.ndarray
) -> None:
    """Flood the ground of one field, whose outermost pixels are dry."""
    for level in range(first.size):
        first[level] = -1
    for i in range(width, state.size - width):
        if state[i] < 0 and (state[i - 1] > 0 or state[i + 1] > 0 or state[i - width] > 0 or state[i + width] > 0):
            if first[0] < 0:
                first[0] = i
            else:
                following[last[0]] = i
            last[0] = i
            following[i] = -1
    for level in range(first.size):
        i = np.int64(first[level])
        while i >= 0:
            mine = state[np.uint64(i)]  # unsigned places: a signed one is looked at for counting from the end
            n = np.uint64(0)
            for step in (-width, -1, 1, width):
                j = np.uint64(i + step)
                dry[n] = j  # kept if it is: a branch here would be guessed wrong too often
                n += np.uint64(state[j] > 0)
            for k in range(n):
                j = dry[k]
                ground = state[j]
                state[j] = mine
                at = np.uint64(ground if ground > level else level)
                if first[at] < 0:
                    first[at] = j
                else:
                    following[np.uint64(last[at])] = j
                last[at] = j
                following[j] = -1
            i = np.int64(following[np.uint64(i)])
