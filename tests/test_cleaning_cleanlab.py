"""Doubted labels against cleanlab's confident learning, on probabilities where errors were planted."""

import numpy as np
import pytest
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from sklearn.metrics import average_precision_score

from models.doubts import suspects


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
    for one in suspects(labels, p, np.ones(6, bool)):
        mine[one.row, one.organelle] = True
    for j in range(6):
        both = np.stack([1 - p[:, j], p[:, j]], axis=1).astype(np.float64)
        theirs = find_label_issues(labels[:, j].astype(int), both, filter_by="confident_learning", n_jobs=1)
        np.testing.assert_array_equal(mine[:, j], theirs)


def test_planted_errors_are_found_and_come_as_early_as_in_cleanlabs_order(flipped):
    labels, wrong, p = flipped
    found = suspects(labels, p, np.ones(6, bool))
    hit = np.array([wrong[one.row, one.organelle] for one in found])
    assert hit.sum() > 0.8 * wrong.sum()
    assert hit[: int(0.5 * wrong.sum())].mean() > 0.9
    order = np.zeros(labels.shape)
    for place, one in enumerate(found):
        order[one.row, one.organelle] = len(found) - place
    theirs = [
        1 - get_label_quality_scores(labels[:, j].astype(int), np.stack([1 - p[:, j], p[:, j]], 1).astype(np.float64))
        for j in range(6)
    ]
    ours_ap = average_precision_score(wrong.ravel(), order.ravel())
    assert ours_ap > average_precision_score(wrong.ravel(), np.stack(theirs, 1).ravel()) - 0.03
