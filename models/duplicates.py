"""Near-identical fields, found by their perceptual hashes, become one group: one of them must not test the other."""

import numba
import numpy as np

DUPLICATE_COLUMNS = ["first", "second", "where", "bits", "same_labels", "groups"]
"""Of a table of pairs: two Ids; "train", "test" or "train and test"; bits of the hashes that differ; and for training
fields, "yes" or "no" for equal labels, and "same" or "joined": in one group already, or only by their hashes."""

_RUN = 512  # fields whose two words, 8 KiB, stay in the innermost cache while all views are held against them


def join(groups: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Unite the groups of paired fields.

    Parameters
    ----------
    groups : ndarray of int, shape (n_fields,)
    pairs : ndarray of int, shape (n_pairs, 2)
        Row numbers of fields that belong together.

    Returns
    -------
    ndarray of int64, shape (n_fields,)
        Group numbers from 0 in order of first appearance; chains of pairs end in one group.
    """
    codes = np.unique(groups, return_inverse=True)[1]
    root = _unite(int(codes.max()) + 1 if len(codes) else 0, codes[np.asarray(pairs, np.int64).reshape(-1, 2)])[codes]
    _, first, inverse = np.unique(root, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def duplicate_pairs(hashes: np.ndarray, max_distance: int, views: np.ndarray | None = None) -> np.ndarray:
    """Pairs of fields whose hashes differ in few bits.

    Parameters
    ----------
    hashes : ndarray of uint64, shape (n_fields, n_words)
        A field's perceptual hash, e.g. one word a channel; two words or more.
    max_distance : int
        Most bits that may differ, over all words together.
    views : ndarray of uint64, shape (n_views, n_fields, n_words), optional
        Hashes that the fields would have if they were seen otherwise (mirrored, turned), as they are among them; one
        view of a field has to be near another field's hash. As they are only, by default.

    Returns
    -------
    ndarray of int64, shape (n_pairs, 2)
        Rows i < j, sorted.
    """
    hashes = np.ascontiguousarray(hashes, np.uint64)
    if hashes.size == 0:
        return np.empty((0, 2), np.int64)
    views = hashes[None] if views is None else np.ascontiguousarray(views, np.uint64)
    return np.array(_near(hashes, views, max_distance), np.int64).reshape(-1, 2)


@numba.njit(cache=True)
def _unite(n, pairs):
    """The root of each of n nodes after joining the pairs (union-find with path halving)."""
    parent = np.arange(n)
    for p in range(len(pairs)):
        a, b = pairs[p, 0], pairs[p, 1]
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        while parent[b] != b:
            parent[b] = parent[parent[b]]
            b = parent[b]
        parent[max(a, b)] = min(a, b)
    for i in range(n):
        parent[i] = parent[parent[i]]
    return parent


@numba.njit(cache=True)
def _near(hashes, views, max_distance):
    """All pairs, in order. The fields behind one are screened in runs by their first two words.

    Chance brings hardly any two fields near in 128 bits, so almost no run is looked at field by field.
    """
    found = [(0, 0)]
    found.clear()
    first, second = hashes[:, 0].copy(), hashes[:, 1].copy()
    for i in range(len(hashes)):
        for start in range(i + 1, len(hashes), _RUN):
            run = slice(start, min(start + _RUN, len(hashes)))
            if _least_apart(views[:, i], first[run], second[run]) <= max_distance:
                for j in range(run.start, run.stop):
                    if _is_near(views[:, i], hashes[j], max_distance):
                        found.append((i, j))
    return found


@numba.njit(cache=True)
def _least_apart(views, first, second):
    """Fewest bits by which the first two words of any view differ from those of any field of a run.

    The loop has no branch and walks along memory, so that compilers count several words at once.
    """
    least = np.int64(128)
    for v in range(len(views)):
        a, b = views[v, 0], views[v, 1]
        for j in range(len(first)):
            least = min(least, _bits(a ^ first[j]) + _bits(b ^ second[j]))
    return least


@numba.njit(cache=True)
def _is_near(views, words, max_distance):
    """Whether any view is near; one is given up on as soon as the words so far differ too much."""
    for v in range(len(views)):
        distance = 0
        for w in range(len(words)):
            distance += _bits(views[v, w] ^ words[w])
            if distance > max_distance:
                break
        if distance <= max_distance:
            return True
    return False


@numba.njit(cache=True, inline="always")
def _bits(word):
    """Number of set bits (the form that compilers turn into one instruction)."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))
