"""Doubted labels against cleanlab's confident learning, on probabilities where errors were planted."""

import numpy as np
import pytest
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores

from models.trust.label_errors import find_label_errors


@pytest.fixture
def flipped(rng):
    """Labels of six organelles of which 5 % are wrong, what is wrong, and probabilities that know better, mostly."""
    truth = rng.random((800, 6)) < np.linspace(0.05, 0.5, 6)
    odds = rng.normal(size=truth.shape) * 1.2 + 4.5 * truth - 2.8
    wrong = rng.random(truth.shape) < 0.05
    return truth ^ wrong, wrong, (1 / (1 + np.exp(-odds))).astype(np.float32)


def test_the_same_labels_are_doubted(flipped):
    labels, _, p = flipped
    mine = np.zeros(labels.shape, bool)
    for one in find_label_errors(labels, p, np.ones(6, bool)):
        mine[one.row, one.organelle] = True
    for j in range(6):
        both = np.stack([1 - p[:, j], p[:, j]], axis=1).astype(np.float64)
        theirs = find_label_issues(labels[:, j].astype(int), both, filter_by="confident_learning", n_jobs=1)
        np.testing.assert_array_equal(mine[:, j], theirs)


def order_of(found, shape) -> np.ndarray:
    order = np.zeros(shape)
    for one in found:
        order[one.row, one.organelle] = one.doubt
    return order


def cleanlabs_order(labels, p) -> np.ndarray:
    both = [np.stack([1 - p[:, j], p[:, j]], axis=1).astype(np.float64) for j in range(labels.shape[1])]
    return np.stack([1 - get_label_quality_scores(labels[:, j].astype(int), both[j]) for j in range(len(both))], axis=1)


def test_most_planted_errors_are_found_and_come_first(flipped):
    labels, wrong, p = flipped
    found = find_label_errors(labels, p, np.ones(6, bool))
    hit = np.array([wrong[one.row, one.organelle] for one in found])
    assert hit.sum() > 0.6 * wrong.sum()
    assert hit[: wrong.sum() // 2].mean() > 0.9


def test_where_one_organelle_is_told_badly_its_doubts_come_later_than_in_cleanlabs_order(flipped, rng):
    labels, wrong, p = flipped
    p = p.copy()
    p[:, 5] = np.where(rng.random(800) < 0.6, labels[:, 5], ~labels[:, 5]) * 0.98 + 0.01  # sure, and often mistaken
    order = order_of(find_label_errors(labels, p, np.ones(6, bool)), labels.shape)
    first, theirs = (np.argsort(-one.ravel())[:100] for one in (order, cleanlabs_order(labels, p)))
    assert wrong.ravel()[first].mean() > 0.9 > wrong.ravel()[theirs].mean() + 0.1
