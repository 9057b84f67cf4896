"""The space of training fields: what must not matter for who is near does not, and what must, does."""

import numpy as np
import pandas as pd
import pytest

from models.data.duplicates import HASH_BITS_APART, turned
from models.trust.neighbours import add_identical, fit_space, near_identical_to, nearest


def described(channels, family="Texture", covariate=False):
    rows = [("Cells", family, tuple(stains), covariate) for stains in channels]
    return pd.DataFrame(rows, columns=["compartment", "family", "channels", "covariate"])


@pytest.fixture
def values(rng):
    return rng.normal(size=(60, 12)).astype(np.float32) @ rng.normal(size=(12, 12)).astype(np.float32)


@pytest.fixture
def columns():
    return described([["Protein"]] * 6 + [["Protein", "ER"]] * 6)


def test_a_training_field_is_nearest_to_itself_and_strangers_are_about_1_apart(values, columns):
    distances = fit_space(values, columns).distances(values)
    np.testing.assert_array_equal(nearest(distances, 1)[:, 0], np.arange(60))
    np.testing.assert_allclose(np.diag(distances), 0, atol=1e-3)
    assert (distances[~np.eye(60, dtype=bool)] ** 2).mean() == pytest.approx(1, rel=0.05)
    assert nearest(distances, 100).shape == (60, 60)


def test_units_do_not_matter(values, columns, rng):
    scaled = values * rng.uniform(0.1, 50, 12).astype(np.float32) + rng.normal(0, 9, 12).astype(np.float32)
    ours, theirs = (fit_space(v, columns).distances(v) for v in (values, scaled))
    np.testing.assert_allclose(ours, theirs, atol=2e-3)


def test_a_block_counts_the_same_however_many_columns_it_has(values, columns):
    more = np.concatenate([values, *[values[:, :6]] * 4], axis=1)
    further = pd.concat([columns, *[columns.iloc[:6]] * 4], ignore_index=True)
    ours, theirs = fit_space(values, columns).distances(values), fit_space(more, further).distances(more)
    np.testing.assert_allclose(ours, theirs, atol=2e-3)


def test_other_stains_and_acquisition_do_not_matter(values, columns, rng):
    noise = rng.normal(size=(60, 9)).astype(np.float32)
    names = pd.concat([columns, described(["ER"] * 5), described(["Protein"] * 4, "Spectrum", True)], ignore_index=True)
    ours = fit_space(values, columns).distances(values)
    np.testing.assert_allclose(ours, fit_space(np.hstack([values, noise]), names).distances(np.hstack([values, noise])))


def test_what_is_missing_counts_as_the_median_and_constants_not_at_all(values, columns):
    gaps = values.copy()
    gaps[0, 3] = np.nan
    gaps[:, 7], gaps[:, 8] = np.nan, 2.5
    space = fit_space(gaps, columns)
    filled = gaps[:1].copy()
    filled[0, 3] = np.nanmedian(gaps[:, 3])
    np.testing.assert_allclose(space.distances(gaps[:1]), space.distances(filled), atol=1e-5)
    other = gaps.copy()
    other[:, 7:9] = 77
    np.testing.assert_array_equal(space.distances(gaps), space.distances(other))


def test_one_odd_value_does_not_decide(values, columns):
    odd = np.repeat(values[:1], 2, axis=0)
    odd[:, 2] = 1e3, 1e9
    distances = fit_space(values, columns).distances(odd)
    np.testing.assert_array_equal(distances[0], distances[1])
    assert distances.max() < 5


def test_fields_of_one_group_do_not_make_each_other_familiar(values, columns):
    twice = np.repeat(values, 2, axis=0)
    space = fit_space(twice, columns)
    apart = space.to_other_groups(np.arange(120) // 2)
    assert apart.shape == (120,)
    assert (np.diff(apart) >= 0).all()
    assert apart[0] > 0.01 > space.to_other_groups(np.arange(120)).max()


def test_near_identical_training_fields_are_listed_after_the_nearest_however_far(rng):
    hashes = rng.integers(0, 2**63, (6, 4), np.uint64)
    hashes[1] = turned(hashes[0])[3]
    hashes[2] = hashes[0]
    hashes[2, 0] ^= np.uint64(2**HASH_BITS_APART - 1)
    hashes[3] = hashes[2] ^ np.array([0, 1, 0, 0], np.uint64)
    identical = near_identical_to(turned(hashes[0]), hashes)
    assert identical.tolist() == [True, True, True, False, False, False]
    distances = np.array([0.1, 0.9, 0.8, 0.2, 0.3, 0.4])
    near = nearest(distances[None], 2)[0]
    assert add_identical(near, identical, distances).tolist() == [0, 3, 2, 1]


def test_fields_placed_at_once_are_where_each_alone_is(rng):
    values = rng.normal(size=(70, 40)).astype(np.float32)
    values[3, 5] = np.nan
    space = fit_space(values, pd.DataFrame([("Cells", "Texture", ("Protein",), False)] * 40,
                                           columns=["compartment", "family", "channels", "covariate"]))  # fmt: skip
    np.testing.assert_allclose(space.place_quickly(values), space.place(values), atol=1e-4)
