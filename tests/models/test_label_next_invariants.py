"""What to label next: uncertain fields first, unlike each other, rare classes first, never a labelled one."""

import numpy as np
import pytest

from models.evaluation.comparison import compare
from models.evaluation.metrics import macro_ap
from models.trust.label_next import most_useful

PRIOR = np.array([0.5, 0.5])


@pytest.fixture
def fields(rng):
    coordinates = rng.normal(size=(60, 5)).astype(np.float32)
    labelled = np.arange(60) < 10
    return coordinates, labelled, ~labelled


def test_only_open_fields_are_asked_for_each_once(fields, rng):
    coordinates, labelled, open_to = fields
    open_to[50:] = False
    rows = most_useful(coordinates, labelled, open_to, rng.random((60, 2)), PRIOR, 100)
    assert sorted(rows) == list(range(10, 50))


def test_the_uncertain_field_comes_before_the_sure_one(fields):
    coordinates, labelled, open_to = fields
    coordinates[20:22] = coordinates[20] + 3
    p = np.full((60, 2), 0.01)
    p[21] = 0.5
    rows = most_useful(coordinates, labelled, open_to, p, PRIOR, 50).tolist()
    assert rows[0] == 21
    assert rows.index(20) > 40, "it lies where 21 does, which was asked for already"


def test_near_identical_uncertain_fields_are_not_all_asked_for(fields):
    coordinates, labelled, open_to = fields
    coordinates[20:40] = coordinates[20] + 0.001 * np.arange(20)[:, None]
    p = np.full((60, 2), 0.3)
    p[20:40] = 0.5
    first = most_useful(coordinates, labelled, open_to, p, PRIOR, 10)
    assert np.isin(first, np.arange(20, 40)).sum() <= 1


def test_the_rare_class_counts_more(fields):
    coordinates, labelled, open_to = fields
    coordinates[:] = np.arange(60)[:, None] % 2  # two places, equally far from the labelled ones
    coordinates[:10] = 0.5
    p = np.full((60, 2), 1e-6)
    p[20, 0] = p[21, 1] = 0.5
    assert most_useful(coordinates, labelled, open_to, p, np.array([0.5, 0.01]), 1).tolist() == [21]
    assert most_useful(coordinates, labelled, open_to, p, np.array([0.01, 0.5]), 1).tolist() == [20]


def test_without_a_fit_those_unlike_the_labelled_ones_come_first(fields):
    coordinates, labelled, open_to = fields
    coordinates[33] += 100
    assert most_useful(coordinates, labelled, open_to, None, PRIOR, 3)[0] == 33
    assert len(most_useful(coordinates, np.zeros(60, bool), np.ones(60, bool), None, PRIOR, 5)) == 5
    assert len(most_useful(coordinates, labelled, np.zeros(60, bool), None, PRIOR, 5)) == 0


def test_unknown_probabilities_weigh_as_the_average(fields):
    coordinates, labelled, open_to = fields
    p = np.full((60, 3), 0.3)
    p[:, 2] = np.nan  # a class that was not fitted
    p[40:] = np.nan
    assert len(most_useful(coordinates, labelled, open_to, p, np.full(3, 0.3), 50)) == 50


def test_before_and_after_are_paired_and_hold_the_plain_scores(rng):
    labels = rng.random((200, 3)) < 0.3
    before = np.where(labels, rng.random((200, 3)) + 0.2, rng.random((200, 3)))
    after = before + 0.3 * labels
    change = compare(labels, before, after, np.repeat(np.arange(100), 2), "ap")
    assert change.before[0] == macro_ap(labels, before)
    assert change.after[0] == macro_ap(labels, after)
    assert 0 < change.difference[1] < change.difference[0] < change.difference[2]
    assert change.difference[2] - change.difference[1] < change.before[2] - change.before[1]
    same = compare(labels, before, before, np.arange(200), "ap")
    assert same.difference == (0, 0, 0)
