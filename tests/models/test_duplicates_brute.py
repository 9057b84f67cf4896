"""Near-identical fields: the fast search finds the pairs that comparing every bit of every view finds."""

import numpy as np
import pandas as pd
import pytest

from models.data.duplicates import _RUN, duplicate_pairs, join, near_identical, turned
from models.trust.neighbours import near_identical_to
from store.channels import CHANNELS
from store.schema import METADATA_HASH

SIZES = (2, 3, _RUN, _RUN + 1, _RUN + 2, 2 * _RUN + 1, 2 * _RUN + 2)
LIMIT = 32


def brute_pairs(hashes, limit, views):
    """Rows i < j for which a view of i is as near as that to j, one row at a time."""
    near = [np.bitwise_count(views[:, i, None] ^ hashes).sum(2, np.int64).min(0) <= limit for i in range(len(hashes))]
    return np.argwhere(np.triu(np.array(near).reshape(len(hashes), -1), 1))


def random_hashes(rng, n):
    return rng.integers(2**64, size=(n, 4), dtype=np.uint64)


def changed(rng, words, n_bits, within):
    """The hash with `n_bits` of its bits changed, all of them in the words `within`."""
    bits = rng.choice([64 * w + k for w in within for k in range(64)], n_bits, replace=False)
    flips = np.zeros(256, np.uint8)
    flips[bits] = 1
    return words ^ np.packbits(flips).view(np.uint64)


def checked_pairs(hashes, limit=LIMIT):
    """The pairs, over all eight views, after holding them against the brute ones."""
    views = turned(hashes)
    found = duplicate_pairs(hashes, limit, views)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, brute_pairs(hashes, limit, views))
    return found.tolist()


@pytest.mark.parametrize("within", [(0,), (3,), (0, 1), (2, 3), (1, 2), (0, 1, 2, 3)], ids=str)
@pytest.mark.parametrize("view", range(8))
def test_the_limit_is_kept_and_one_bit_more_is_dropped(rng, view, within):
    hashes = random_hashes(rng, 12)
    for n_bits, i, j in ((LIMIT, 1, 7), (LIMIT + 1, 2, 8), (0, 3, 9)):
        hashes[j] = changed(rng, turned(hashes[i])[view], n_bits, within)
    assert checked_pairs(hashes) == [[1, 7], [3, 9]]
    assert checked_pairs(hashes, LIMIT + 1) == [[1, 7], [2, 8], [3, 9]]
    assert checked_pairs(hashes, 0) == [[3, 9]]


@pytest.mark.parametrize("n", SIZES)
def test_pairs_at_the_borders_of_runs_are_found(rng, n):
    hashes = random_hashes(rng, n)
    last = [n - 1, min(_RUN, n - 1), min(_RUN + 1, n - 1)]
    for k, j in enumerate(last):  # row 0's first run ends at _RUN
        hashes[j] = changed(rng, turned(hashes[0])[k], LIMIT, (0, 1, 2, 3))
    assert {(0, j) for j in last} <= set(map(tuple, checked_pairs(hashes)))
    hashes[-1] = hashes[-2]
    assert [n - 2, n - 1] in checked_pairs(hashes)


def test_nothing_and_one_field_have_no_pairs(rng):
    for n in (0, 1):
        hashes = random_hashes(rng, n)
        for found in (duplicate_pairs(hashes, LIMIT), duplicate_pairs(hashes, LIMIT, turned(hashes))):
            assert (found.shape, found.dtype) == ((0, 2), np.int64)
    assert duplicate_pairs(np.empty((5, 0), np.uint64), LIMIT).shape == (0, 2)


def test_alike_hashes_with_many_ties_at_the_limit(rng):
    """A few bits vary, so that thousands of pairs lie at every distance around the limit."""
    varied = random_hashes(rng, 1) & random_hashes(rng, 1) & random_hashes(rng, 1)
    hashes = random_hashes(rng, _RUN + 90) & varied
    distances = np.bitwise_count(turned(hashes)[:, :-1] ^ hashes[1:]).sum(2, np.int64).min(0)
    limit = int(np.median(distances))
    assert (distances == limit).any() and (distances == limit + 1).any()
    assert 1000 < len(checked_pairs(hashes, limit)) < len(checked_pairs(hashes, limit + 1))


@pytest.mark.parametrize("flat", [(3,), (0,), (0, 1), (2, 3), (0, 1, 2, 3)], ids=str)
def test_flat_stains_have_hash_0_in_every_view(rng, flat):
    hashes = random_hashes(rng, 60)
    hashes[::2, flat] = 0
    hashes[40] = changed(rng, turned(hashes[20])[6], LIMIT, (1,))
    hashes[41] = changed(rng, turned(hashes[21])[6], LIMIT, (1,))
    found = checked_pairs(hashes)
    assert [20, 40] in found and [21, 41] in found
    black = [[i, j] for i in range(0, 40, 2) for j in range(i + 2, 40, 2)]
    assert all((pair in found) == (len(flat) == 4) for pair in black)


def test_the_earlier_field_is_turned_not_the_later(rng):
    """Where a stain is flat this matters: 0 is 0 from every side, and a hash near 0 is so from one side only."""
    flat, nearly = np.array([[0, 0, 0, 0], [1, 0, 0, 0]], np.uint64)
    seen_otherwise = turned(nearly)[3]
    assert checked_pairs(np.array([flat, seen_otherwise])) == []
    assert checked_pairs(np.array([seen_otherwise, flat])) == [[0, 1]]


def test_any_views_or_none(rng):
    hashes = random_hashes(rng, 200)
    hashes[50] = changed(rng, hashes[10], 3, (0,))
    hashes[60] = changed(rng, hashes[20], 1, (3,))
    for limit in (0, 1, 2, 3, 100, 256):
        np.testing.assert_array_equal(duplicate_pairs(hashes, limit), brute_pairs(hashes, limit, hashes[None]))
    views = np.stack([hashes, np.roll(hashes, 1, axis=0)])  # the second view of a row is the row before it
    assert duplicate_pairs(hashes, 0, views).tolist() == [[0, 199]]
    views[1, 7] = hashes[9]
    assert duplicate_pairs(hashes, 0, views).tolist() == [[0, 199], [7, 9]]


def test_joining_follows_chains():
    joined = join(np.array([5, 5, 6, 7, 8, 9]), np.array([[1, 2], [3, 2], [5, 5]]))
    assert joined.tolist() == [0, 0, 0, 0, 1, 2]
    assert join(np.array([3, 3, 1]), np.empty((0, 2), int)).tolist() == [0, 0, 1]
    assert join(np.empty(0, int), np.empty((0, 2), int)).tolist() == []


def test_fields_with_two_stains_may_differ_in_half_as_many_bits(rng):
    """Otherwise unrelated fields with few stains join: 32 of 128 bits agree by chance in many of a million pairs."""
    hashes = random_hashes(rng, 8)
    hashes[:, [0, 3]] = 0
    for n_bits, i, j in ((16, 0, 4), (17, 1, 5), (0, 2, 6)):
        hashes[j] = changed(rng, turned(hashes[i])[5], n_bits, (1, 2))
    table = pd.DataFrame({f"{METADATA_HASH}{channel.name}": column for channel, column in zip(CHANNELS, hashes.T)})
    assert near_identical(table).tolist() == [[0, 4], [2, 6]]
    assert near_identical(table[:3], table[3:]).tolist() == [[0, 4], [2, 6]]
    assert [near_identical_to(turned(hashes[i]), hashes).sum() for i in range(3)] == [2, 1, 2]
