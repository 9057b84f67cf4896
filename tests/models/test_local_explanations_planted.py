"""Reasons of single calls where the cause is known: families that act together, and columns that do so inside one."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from models.explanation.local_explanations import Background, explain
from models.explanation.stacked_models import Stacked
from models.fit import fit
from models.settings import FitSettings
from store.classes import ORGANELLES

GOLGI, OTHER, FOLDS = ORGANELLES.index("Golgi apparatus"), ORGANELLES.index("Cytosol"), 3
FAMILIES = ("Intensity", "Texture", "Texture", "Texture", "Spots")


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A field shows a Golgi if its nucleus is bright AND all three textures, correlated columns, are smooth."""
    rng = np.random.default_rng(3)
    n = 600
    bright, smooth = rng.random((n, 1)) < 0.6, rng.random((n, 1)) < 0.7
    textures = smooth ^ (rng.random((n, 3)) < 0.2)
    values = np.hstack([bright, textures, rng.random((n, 1)) < 0.5]).astype(np.float32)
    labels = np.zeros((n, len(ORGANELLES)), bool)
    labels[:, GOLGI] = values[:, :4].all(1)
    labels[:, OTHER] = ~labels[:, GOLGI]
    columns = pd.DataFrame({
        "name": list("abcde"), "compartment": "Cells", "family": FAMILIES, "feature": list("abcde"),
        "channels": [("Protein",)] * 5, "parameters": [()] * 5, "pool": "mean",
    })  # fmt: skip
    settings = FitSettings(
        n_folds=FOLDS, rounds=40, members=("lightgbm", "xgboost"), held_out=0, random_folds=0, n_resamples=2
    )
    folder, ids = tmp_path_factory.mktemp("planted"), tuple(f"f{i:03}" for i in range(n))
    return fit(ids, values, columns, labels, None, settings, folder, quiet=True)


GOLGI_FIELD = np.array([[1, 1, 1, 1, 0]], np.float32)
DIM_AND_ROUGH = Background(np.zeros((1, 5), np.float32), np.zeros((1, len(ORGANELLES)), bool))


def log_odds(fitted, field):
    probability = fitted.predict(np.array([field], np.float32))[0][0, GOLGI].astype(np.float64)
    return np.log(probability / (1 - probability))


def test_two_families_that_are_both_needed_are_each_half_of_the_reason_where_their_sums_mislead(planted):
    """Set one after the other from a dim and rough field, in both orders, is what the reasons must say (Shapley)."""
    explained = explain(planted, GOLGI, GOLGI_FIELD, FAMILIES, DIM_AND_ROUGH)
    added = dict(zip(explained.blocks, explained.added[0], strict=True))
    assert added["Intensity"] + added["Texture"] + added["Spots"] == pytest.approx(
        log_odds(planted, GOLGI_FIELD[0]) - log_odds(planted, np.zeros(5)), abs=0.01
    )
    assert added["Texture"] / added["Intensity"] == pytest.approx(1, abs=0.25)
    assert abs(added["Spots"]) < 0.1 * added["Texture"]
    stacked = Stacked.of(planted).only(GOLGI)
    single = np.mean([stacked.load(k, 5).contributions(GOLGI_FIELD)[0] for k in range(FOLDS)], axis=0)
    assert single[1:4].sum() / single[0] > 1.8


def test_the_leading_column_of_a_block_is_one_of_its_own(planted):
    explained = explain(planted, GOLGI, GOLGI_FIELD, FAMILIES, DIM_AND_ROUGH)
    leading = dict(zip(explained.blocks, explained.leading[0], strict=True))
    assert leading["Intensity"] == 0
    assert leading["Texture"] in (1, 2, 3)


def test_the_largest_come_first_and_nothing_is_no_reason(planted):
    largest = explain(planted, GOLGI, GOLGI_FIELD, FAMILIES, DIM_AND_ROUGH).largest(0, 9)
    assert all(abs(one[1]) >= abs(other[1]) for one, other in pairwise(largest))
    same = explain(planted, GOLGI, DIM_AND_ROUGH.values, FAMILIES, DIM_AND_ROUGH)
    assert same.largest(0, 9) == []


def test_a_field_is_compared_with_fields_without_the_class_unless_all_carry_it(planted):
    values = np.arange(600, dtype=np.float32)[:, None]
    some = Background.of(planted, values)
    assert not planted.labels[some.without(GOLGI)[:, 0].astype(int), GOLGI].any()
    assert 50 < len(some.without(GOLGI)) < len(some.values) == 200
    assert len(Background(values, np.ones((600, len(ORGANELLES)), bool)).without(GOLGI)) == 600
