"""The loops of cell finding: splitting touching nuclei at their necks, and flooding a relief from the nuclei."""

import numpy as np

from features.kernels.cpu._jit import helper, kernel


def _flat(images: np.ndarray) -> np.ndarray:
    """Images whose rows lie one after the other, (n_fields, H * W)."""
    return images.reshape(len(images), images.shape[1] * images.shape[2])


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
def _number_basins(
    basins: np.ndarray, parent: np.ndarray, order: np.ndarray, smallest: int, areas: np.ndarray, ids: np.ndarray
) -> None:
    """Replace each basin by the number 1..n of the basin it was joined to, in the order given; 0 if it is too small."""
    for basin in range(parent.size):
        areas[basin] = ids[basin] = 0
    for k in range(order.size):
        i = order[k]
        basin = np.int64(basins[i])
        while np.int64(parent[basin]) != basin:
            basin = np.int64(parent[basin])
        basins[i] = basin
        areas[basin] += 1
    n = 0
    for k in range(order.size):
        i = order[k]
        basin = basins[i]
        if areas[basin] < smallest:
            basins[i] = 0
            continue
        if ids[basin] == 0:
            n += 1
            ids[basin] = n
        basins[i] = ids[basin]


def split_by_depth(height: np.ndarray, neck: float, smallest: np.ndarray) -> np.ndarray:
    """Divide blobs at their necks: a watershed from the top down that joins two basins unless the saddle is deep.

    Parameters
    ----------
    height : ndarray of uint16, shape (n_fields, H, W)
        Distance to the background in any unit; 0 is background. The outermost pixels of each field must be 0.
    neck : float
        Two lobes stay apart if the saddle between them is lower than `neck` times the lower peak.
    smallest : ndarray of int64, shape (n_fields,), on the host
        Lobes of a field with fewer pixels are dropped.

    Returns
    -------
    ndarray of int32, shape (n_fields, H, W)
        8-connected lobes, in each field 1..n, those with the highest peak first; 0 is background.
    """
    lobes = np.zeros(height.shape, np.int32)
    starts = np.empty(int(height.max(initial=0)) + 1, np.int64)
    order = np.empty(np.count_nonzero(height), np.int64)
    parent = np.empty(len(order) + 1, np.uint64)
    peak, areas, ids = (np.empty(len(parent), np.int32) for _ in range(3))
    scratch = (starts, order, parent, peak, areas, ids)
    _split_fields(_flat(height), height.shape[2], neck, smallest, *scratch, _flat(lobes))
    return lobes


@kernel
def _split_fields(
    height: np.ndarray, width: int, neck: float, smallest: np.ndarray, starts: np.ndarray, order: np.ndarray,
    parent: np.ndarray, peak: np.ndarray, areas: np.ndarray, ids: np.ndarray, lobes: np.ndarray,
) -> None:  # fmt: skip
    for field in range(len(height)):
        n = _pixels_from_the_top(height[field], starts, order)
        n_basins = _split_field(height[field], width, neck, order[:n], parent, peak, lobes[field])
        _number_basins(lobes[field], parent[: n_basins + 1], order[:n], smallest[field], areas, ids)


@helper
def _split_field(
    flat: np.ndarray, width: int, neck: float, order: np.ndarray, parent: np.ndarray, peak: np.ndarray,
    basins: np.ndarray,
) -> int:  # fmt: skip
    """Write the basins of one field, where all is 0, and what each was joined to; returns their number."""
    parent[0] = 0
    steps = (-width, -1, 1, width, -width - 1, -width + 1, width - 1, width + 1)
    n_basins = 0
    for k in range(order.size):
        i = order[k]
        least, most = np.uint32(0xFFFFFFFF), np.uint32(0)
        for step in steps:
            basin = np.uint32(basins[np.uint64(i + step)])
            least, most = min(least, np.uint32(basin - np.uint32(1))), max(most, basin)
        if most and least + np.uint32(1) == most:  # one basin beside it, as a rule: nothing to compare or to join
            mine = np.uint64(most)
            while parent[mine] != mine:
                mine = parent[mine]
            basins[i] = mine
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
        basins[i] = mine
    return n_basins


def flood(seeds: np.ndarray, relief: np.ndarray) -> np.ndarray:
    """Flood a relief from seeds, lowest ground first; the waters of two seeds meet on the ridges (Meyer 1991).

    Parameters
    ----------
    seeds : ndarray of int32, shape (n_fields, H, W)
    relief : ndarray of uint16, shape (n_fields, H, W)
        0 stays dry. The outermost pixels of each field must be 0.

    Returns
    -------
    ndarray of int32, shape (n_fields, H, W)
        The seeds and what they flooded (4-connected); 0 where it is dry or unreached.
    """
    labels = np.empty(seeds.shape, np.int32)
    first, last = np.empty((2, int(relief.max(initial=0)) + 1), np.int32)  # of the queue of each level: two pixels,
    following = np.empty(seeds[0].size if len(seeds) else 0, np.int32)  # and the pixel after each, -1 after the last
    scratch = (first, last, following, np.empty(4, np.uint64))
    _flood_fields(_flat(seeds), _flat(relief), seeds.shape[2], *scratch, _flat(labels))
    return labels


@kernel
def _flood_fields(
    seeds: np.ndarray, relief: np.ndarray, width: int, first: np.ndarray, last: np.ndarray, following: np.ndarray,
    dry: np.ndarray, labels: np.ndarray,
) -> None:  # fmt: skip
    for field in range(len(seeds)):
        _flood_field(seeds[field], relief[field], width, first, last, following, dry, labels[field])


@helper
def _flood_field(
    seeds: np.ndarray, relief: np.ndarray, width: int, first: np.ndarray, last: np.ndarray, following: np.ndarray,
    dry: np.ndarray, state: np.ndarray,
) -> None:  # fmt: skip
    """Write the flooded labels of one field into `state`; meanwhile it is minus the label, or the ground.

    So one look at a neighbour tells both.
    """
    for i in range(seeds.size):
        state[i] = -seeds[i] if seeds[i] else relief[i]
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
    for i in range(state.size):
        state[i] = -state[i] if state[i] < 0 else 0
