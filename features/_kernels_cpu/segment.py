"""The loops of cell finding: splitting touching nuclei by shape, and growing cells from nuclei."""

import numpy as np

from features._kernels_cpu._jit import kernel


@kernel
def _root(parent: np.ndarray, i: int) -> int:
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@kernel
def split_by_depth(height: np.ndarray, neck: float) -> tuple[np.ndarray, int]:
    """Divide blobs at their necks: a watershed from the top down that joins basins unless the saddle is deep.

    Parameters
    ----------
    height : ndarray of uint16, shape (H, W)
        Smoothed distance to the background in any unit; 0 is background. The outermost pixels must be 0.
    neck : float
        Two lobes stay apart if the height of the saddle between them is less than `neck` times the lower peak.

    Returns
    -------
    labels : ndarray of int32, shape (H, W)
    n : int
        Labels run 1..n.
    """
    rows, columns = height.shape
    flat = height.ravel()
    starts = np.zeros(int(flat.max()) + 2, np.int64)
    for value in flat:
        starts[value] += 1
    total = flat.size - starts[0]
    position = 0
    for value in range(starts.size - 1, 0, -1):
        count = starts[value]
        starts[value] = position
        position += count
    order = np.empty(total, np.int64)
    for i in range(flat.size):
        value = flat[i]
        if value:
            order[starts[value]] = i
            starts[value] += 1
    parent = np.zeros(total + 1, np.int32)
    peak = np.zeros(total + 1, np.int32)
    labels = np.zeros(flat.size, np.int32)
    steps = np.array([-columns, -1, 1, columns, -columns - 1, -columns + 1, columns - 1, columns + 1])
    n_basins = 0
    for i in order:
        level = flat[i]
        mine = 0
        best = -1
        for step in steps:
            j = i + step
            if labels[j] == 0:
                continue
            basin = _root(parent, labels[j])
            if mine == 0:
                mine, best = basin, flat[j]
            elif basin != mine:
                if level >= neck * min(peak[basin], peak[mine]):
                    low, high = (basin, mine) if peak[basin] < peak[mine] else (mine, basin)
                    parent[low] = high
                    mine = high
                elif flat[j] > best:
                    mine, best = basin, flat[j]
        if mine == 0:
            n_basins += 1
            mine = n_basins
            parent[mine] = mine
            peak[mine] = level
        labels[i] = mine
    ids = np.zeros(n_basins + 1, np.int32)
    n = 0
    for i in range(flat.size):
        if labels[i]:
            basin = _root(parent, labels[i])
            if ids[basin] == 0:
                n += 1
                ids[basin] = n
            labels[i] = ids[basin]
    return labels.reshape(rows, columns), n


@kernel
def grow(seeds: np.ndarray, cost: np.ndarray, limit: int) -> np.ndarray:
    """Grow every seed over the field along cheapest paths; each pixel goes to the seed that reaches it first.

    Shortest paths by Dial's bucket queue: steps cost the mean of both pixels' cost, diagonal steps 1.4 times that.

    Parameters
    ----------
    seeds : ndarray of int32, shape (H, W)
    cost : ndarray of uint8, shape (H, W)
        Cost of crossing a pixel, 1..255; 0 cannot be crossed. The outermost pixels must be 0.
    limit : int
        Paths longer than this end.

    Returns
    -------
    ndarray of int32, shape (H, W)
        The seeds and what they reached; 0 where none did.
    """
    rows, columns = seeds.shape
    labels = seeds.copy().ravel()
    toll = cost.ravel()
    far = np.int32(2**31 - 1)
    reached = np.full(labels.size, far, np.int32)
    n_buckets = 5 * 255 * 3
    heads = np.full(n_buckets, -1, np.int64)
    entry_pixel = np.empty(labels.size * 2, np.int64)
    entry_next = np.empty(labels.size * 2, np.int64)
    n_entries = 0
    pending = 0
    for i in range(labels.size):
        if labels[i]:
            reached[i] = 0
            entry_pixel[n_entries] = i
            entry_next[n_entries] = heads[0]
            heads[0] = n_entries
            n_entries += 1
            pending += 1
    steps = np.array([-columns, -1, 1, columns, -columns - 1, -columns + 1, columns - 1, columns + 1])
    now = 0
    while pending and now <= limit:
        bucket = now % n_buckets
        entry = heads[bucket]
        if entry < 0:
            now += 1
            continue
        heads[bucket] = entry_next[entry]
        pending -= 1
        i = entry_pixel[entry]
        if reached[i] != now:
            continue
        for s in range(8):
            j = i + steps[s]
            if toll[j] == 0 or toll[i] == 0:
                continue
            step = (5 if s < 4 else 7) * (np.int32(toll[i]) + np.int32(toll[j])) // 2
            if now + step < reached[j]:
                reached[j] = now + step
                labels[j] = labels[i]
                if n_entries == entry_pixel.size:
                    grown = np.empty(2 * n_entries, np.int64)
                    grown[:n_entries] = entry_pixel
                    entry_pixel = grown
                    grown = np.empty(2 * n_entries, np.int64)
                    grown[:n_entries] = entry_next
                    entry_next = grown
                target = (now + step) % n_buckets
                entry_pixel[n_entries] = j
                entry_next[n_entries] = heads[target]
                heads[target] = n_entries
                n_entries += 1
                pending += 1
    return labels.reshape(rows, columns)
