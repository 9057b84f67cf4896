"""Curves against scikit-learn; label_errors and confusions against what was planted."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import auc, precision_recall_curve

from models.trust.label_errors import confusions, examples, find_label_errors
from report.curves import MOST_POINTS, polyline, precision_recall, reliability


@pytest.fixture
def scored(rng):
    labels = rng.random(2000) < 0.2
    odds = rng.normal(size=2000) + 1.5 * labels - 2
    return labels, (1 / (1 + np.exp(-odds))).round(3)


def test_precision_and_recall_are_points_of_scikit_learns_curve(scored):
    labels, p = scored
    precision, recall, _ = precision_recall_curve(labels, p)
    ours = precision_recall(labels, p)
    curve = {(round(r, 12), round(q, 12)) for r, q in zip(recall, precision)}
    assert {(round(r, 12), round(q, 12)) for r, q in zip(*ours)} <= curve
    assert len(ours[0]) <= MOST_POINTS
    assert ours[0][-1] == 1
    assert auc(*ours) == pytest.approx(auc(recall[:-1], precision[:-1]), abs=0.02)


def test_reliability_is_scikit_learns_by_quantiles(rng):
    labels, p = rng.random(1000) < 0.3, rng.permutation(1000) / 1000
    observed, predicted = calibration_curve(labels, p, n_bins=10, strategy="quantile")
    ours = reliability(labels, p)
    np.testing.assert_allclose(ours.predicted, predicted, atol=2e-3)
    np.testing.assert_allclose(ours.observed, observed, atol=0.015)
    assert ours.limit == 1


def test_axes_of_a_rare_organelle_end_where_its_probabilities_do(rng):
    labels, p = np.arange(500) < 4, np.full(500, 0.008)
    assert reliability(rng.permutation(labels), p).limit in (0.02, 0.05, 0.1)
    assert polyline(np.array([0, 1.0]), np.array([0.25, 1.0])) == "0.0,75.0 100.0,0.0"


def test_only_swapped_labels_are_label_errors(scored, rng):
    truth = scored[0]
    p = np.where(truth, 0.9, 0.05) + rng.uniform(-0.04, 0.04, len(truth))
    labels = truth.copy()
    swapped = [*np.flatnonzero(truth)[:5], *np.flatnonzero(~truth)[:5]]
    labels[swapped] ^= True
    found = find_label_errors(labels[:, None], p[:, None], np.array([True]))
    assert {s.row for s in found} <= set(swapped)
    assert {s.labelled for s in found} == {True, False}
    assert all(s.labelled == labels[s.row] for s in found)
    assert not find_label_errors(labels[:, None], p[:, None], np.array([False]))


def test_a_model_that_knows_nothing_suspects_nobody(scored):
    labels, _ = scored
    assert find_label_errors(labels[:, None], np.where(labels, 0.1, 0.2)[:, None], np.array([True])) == []
    assert find_label_errors(np.ones((4, 1), bool), np.ones((4, 1)), np.array([True])) == []


def test_confusions_count_what_was_called_instead():
    labels = np.array([[1, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], bool)
    calls = np.array([[0, 1, 0], [0, 1, 1], [0, 1, 0], [0, 1, 0]], bool)
    np.testing.assert_array_equal(confusions(labels, calls), [[0, 2, 1], [0, 0, 0], [0, 0, 0]])


def test_examples_are_the_surest_hits_and_the_worst_errors():
    labels = np.array([1, 1, 1, 0, 0, 1], bool)
    p = np.array([0.9, 0.6, 0.2, 0.8, 0.1, 0.01])
    shown = examples(labels, p > 0.5, p, 1)
    assert [(one.kind, one.row) for one in shown] == [("hit", 0), ("missed", 5), ("false call", 3)]
