"""The loops of cell finding: splitting touching nuclei at their necks, and flooding a relief from the nuclei."""

import numpy as np

from features.kernels.cpu._jit import kernel


@kernel
def _pixels_from_the_top(heights: np.ndarray) -> np.ndarray:
    """Flat positions of the pixels above 0, highest first, row-major among equals (counting sort)."""
    starts = np.zeros(int(heights.max()) + 1, np.int64)
    for value in heights:
        starts[value] += 1
    position = 0
    for value in range(starts.size - 1, 0, -1):
        count = starts[value]
        starts[value] = position
        position += count
    order = np.empty(position, np.int64)
    for i in range(heights.size):
        value = heights[i]
        if value:
            order[starts[value]] = i
            starts[value] += 1
    return order


@kernel
def _number_basins(basins: np.ndarray, parent: np.ndarray, order: np.ndarray, smallest: int) -> None:
    """Replace each basin by the number 1..n of the basin it was joined to, in the order given; 0 if it is too small."""
    areas = np.zeros(parent.size, np.int32)
    for i in order:
        basin = basins[i]
        while parent[basin] != basin:
            basin = parent[basin]
        basins[i] = basin
        areas[basin] += 1
    ids = np.zeros(parent.size, np.int32)
    n = 0
    for i in order:
        basin = basins[i]
        if areas[basin] < smallest:
            basins[i] = 0
            continue
        if ids[basin] == 0:
            n += 1
            ids[basin] = n
        basins[i] = ids[basin]


@kernel
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
    for field in range(len(height)):
        _split_field(height[field].ravel(), height.shape[2], neck, smallest[field], lobes[field].ravel())
    return lobes


@kernel
def _split_field(flat: np.ndarray, width: int, neck: float, smallest: int, basins: np.ndarray) -> None:
    """Write the lobes of one field into `basins`, where all is 0."""
    order = _pixels_from_the_top(flat)
    parent = np.zeros(order.size + 1, np.uint64)
    peak = np.zeros(order.size + 1, np.int32)
    steps = (-width, -1, 1, width, -width - 1, -width + 1, width - 1, width + 1)
    n_basins = 0
    for i in order:
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
    _number_basins(basins, parent[: n_basins + 1].astype(np.int32), order, smallest)


@kernel
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
    for field in range(len(seeds)):
        _flood_field(seeds[field].ravel(), relief[field].ravel(), seeds.shape[2], labels[field].ravel())
    return labels


@kernel
def _flood_field(seeds: np.ndarray, relief: np.ndarray, width: int, state: np.ndarray) -> None:
    """Write the flooded labels of one field into `state`; meanwhile it is minus the label, or the ground.

    So one look at a neighbour tells both.
    """
    for i in range(seeds.size):
        state[i] = -seeds[i] if seeds[i] else relief[i]
    first = np.full(int(relief.max()) + 1, -1, np.int32)  # a queue per level: its first and last pixel,
    last = np.full(first.size, -1, np.int32)
    following = np.empty(state.size, np.int32)  # and the pixel after each pixel, -1 after the last
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
            for step in (-width, -1, 1, width):
                j = np.uint64(i + step)
                ground = state[j]
                if ground > 0:
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
