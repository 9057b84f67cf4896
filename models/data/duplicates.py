"""Finds near-identical fields by their perceptual hashes and puts them into one group, so that folds do not leak."""

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from engine.command_line import command_line
from engine.errors import InputError
from engine.running.compiled import njit
from store.channels import CHANNELS
from store.schema import METADATA_HASH

_RUN = 512  # fields; their first two words (8 KiB) stay in the L1 cache while all views are compared with them


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
    codes, names = pd.factorize(groups)
    first, second = codes[np.asarray(pairs, np.int64).reshape(-1, 2)].T
    graph = coo_array((np.ones(len(first), bool), (first, second)), shape=(len(names), len(names)))
    component = connected_components(graph, directed=False)[1] if len(names) else codes
    return pd.factorize(component[codes])[0]


def duplicate_pairs(hashes: np.ndarray, max_distance: int, views: np.ndarray | None = None) -> np.ndarray:
    """Pairs of fields whose hashes differ in few bits.

    Parameters
    ----------
    hashes : ndarray of uint64, shape (n_fields, n_words)
        A field's perceptual hash, e.g. one word a channel; two words or more.
    max_distance : int
        Most bits that may differ, over all words together.
    views : ndarray of uint64, shape (n_views, n_fields, n_words), optional
        Hashes of the mirrored and turned fields, the unchanged ones included; a pair needs one view of the first field
        near the hash of the second. By default only the unchanged fields.

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


@njit()
def _near(hashes, views, max_distance):
    """All pairs, in order. The fields after each are screened in runs by their first two words.

    Unrelated fields rarely agree in 128 bits, so almost no run needs comparing field by field.
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


@njit()
def _least_apart(views, first, second):
    """Fewest bits by which the first two words of any view differ from those of any field of a run.

    The loop has no branches and reads memory in order, so that compilers can vectorise it.
    """
    least = np.int64(128)
    for v in range(len(views)):
        a, b = views[v, 0], views[v, 1]
        for j in range(len(first)):
            least = min(least, _bits(a ^ first[j]) + _bits(b ^ second[j]))
    return least


@njit()
def _is_near(views, words, max_distance):
    """Whether any view is near; stops comparing a view as soon as too many bits differ."""
    for v in range(len(views)):
        distance = 0
        for w in range(len(words)):
            distance += _bits(views[v, w] ^ words[w])
            if distance > max_distance:
                break
        if distance <= max_distance:
            return True
    return False


@njit(inline="always")
def _bits(word):
    """Number of set bits (compilers turn this form into a single instruction)."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


HASH_BITS_APART = 32
"""Fields whose four 64-bit hashes together differ in at most this many bits count as near-identical.

Unrelated real fields differ in at least 73 bits, or 59 over all mirrored and turned views; copies with another gain,
size or compression differ in at most 23, noisy copies in at most 33.
"""


def most_apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The most bits in which near-identical fields differ: an eighth of the bits of the stains that both have.

    A stain that a field does not have, or that is flat, has hash 0.

    Parameters
    ----------
    a, b : ndarray of uint64, shape (..., 4)
        Hashes, broadcast against each other.

    Returns
    -------
    ndarray of int64, shape (...)
    """
    return HASH_BITS_APART * ((a != 0) & (b != 0)).sum(-1) // len(CHANNELS)


def hamming(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Number of differing bits of hashes (ndarrays of uint64, broadcast against each other)."""
    return np.bitwise_count(np.bitwise_xor(a, b)).astype(np.int64)


def bits_apart(views: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Fewest bits by which any view of a field differs from a hash.

    Parameters
    ----------
    views : ndarray of uint64, shape (n_views, ..., 4)
    hashes : ndarray of uint64, shape (..., 4)

    Returns
    -------
    ndarray of int64, shape (...)
    """
    return hamming(views, hashes).sum(-1).min(0)


def turned(hashes: np.ndarray) -> np.ndarray:
    """Hashes of the field mirrored and turned by right angles.

    Mirroring an image flips the sign of its odd cosine coefficients; transposing it transposes them.

    Parameters
    ----------
    hashes : ndarray of uint64, shape (..., 4)

    Returns
    -------
    ndarray of uint64, shape (8, ..., 4)
        The unchanged field comes first.
    """
    bits = np.unpackbits(hashes.astype(">u8")[..., None].view(np.uint8), axis=-1).reshape(*hashes.shape, 8, 8)
    odd = np.arange(8) % 2 == 0  # coefficient i + 1
    variants = []
    for oriented in (bits, bits.swapaxes(-1, -2)):
        for rows in (False, True):
            for columns in (False, True):
                flipped = (odd[:, None] & rows) ^ (odd & columns)
                variants.append(
                    np.packbits((oriented ^ flipped).reshape(*hashes.shape, 64), axis=-1).view(">u8")[..., 0]
                )
    return np.where(hashes == 0, 0, np.array(variants)).astype(np.uint64)


def hashes_of(*tables: pd.DataFrame) -> np.ndarray:
    """The perceptual hashes of the fields of all tables, one after the other: uint64, shape (n_fields, 4)."""
    return np.concatenate([_hashes(table) for table in tables])


def _hashes(metadata: pd.DataFrame) -> np.ndarray:
    names = [name for name in metadata.columns if name.startswith(METADATA_HASH)]
    if len(names) != len(CHANNELS):
        raise InputError(
            f"A table of {len(metadata)} fields has {len(names)} hashes a field; expected {len(CHANNELS)}, "
            f"one a stain. Run {command_line('extract')} again."
        )
    return metadata[names].to_numpy(np.uint64)


def near_identical(*tables: pd.DataFrame) -> np.ndarray:
    """Pairs of near-identical fields, also mirrored or turned, as row numbers of the tables one after the other."""
    hashes = hashes_of(*tables)
    views = turned(hashes)
    pairs = duplicate_pairs(hashes, HASH_BITS_APART, views)
    first, second = pairs.T
    return pairs[bits_apart(views[:, first], hashes[second]) <= most_apart(hashes[first], hashes[second])]
