"""Thresholds: near the best that could be had, stable for rare organelles, and no field without a call."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import f1_score

from models.evaluation.metrics import best_f1, each, f1, macro
from models.second_level.thresholds import WAYS, best_threshold, call, choose_thresholds, fit_thresholds


@pytest.fixture
def calibrated(rng):
    """True probabilities of 6 organelles and labels drawn from them, twice: to choose on, and to test on."""
    p = expit(rng.normal(0, 2, (6000, 6)) + np.array([0, -1, -2, -4, -5, -6]))
    labels = rng.random(p.shape) < p
    return (p[:3000], labels[:3000]), (p[3000:], labels[3000:])


def test_on_labels_it_is_the_best_threshold_there_is(calibrated):
    (p, labels), _ = calibrated
    for j in range(6):
        threshold = best_threshold(p[:, j], labels[:, j].astype(float))
        best = max(f1_score(labels[:, j], p[:, j] >= t) for t in np.quantile(p[:, j], np.linspace(0, 1, 50)))
        assert f1_score(labels[:, j], p[:, j] >= threshold) >= best
        assert f1(labels[:, j], p[:, j] >= threshold) == pytest.approx(best_f1(labels[:, j], p[:, j]))


def test_on_probabilities_it_is_half_of_the_f1_it_reaches(calibrated):
    (p, labels), _ = calibrated
    for j in range(3):
        threshold = best_threshold(p[:, j], p[:, j])
        assert threshold == pytest.approx(f1(labels[:, j], p[:, j] >= threshold) / 2, abs=0.03)


@pytest.mark.parametrize("way", WAYS)
def test_near_the_oracle_on_unseen_fields_and_better_than_a_half(calibrated, way):
    seen, (p, labels) = calibrated
    threshold = fit_thresholds(way, *seen).threshold
    reached = macro(each(f1, labels, p >= threshold))
    assert reached > macro(each(best_f1, labels, p)) - 0.03
    assert reached > macro(each(f1, labels, p >= 0.5)) + 0.05


def test_few_positives_hardly_move_a_threshold(calibrated):
    (p, _), _ = calibrated
    lucky = p[:, [5]] >= np.sort(p[:, 5])[-4]
    expected, blended = (fit_thresholds(way, p[:, [5]], lucky).threshold[0] for way in WAYS)
    assert abs(blended - expected) < 0.15
    assert best_threshold(p[:, 5], lucky[:, 0].astype(float)) > expected + 0.2


def test_labels_win_where_calibration_is_off_and_positives_are_many(calibrated, rng):
    (p, labels), _ = calibrated
    wrong = p**3
    fold = rng.integers(0, 5, len(p))
    assert choose_thresholds(wrong, labels, fold) == "blended"


def test_no_field_without_a_call():
    p = np.array([[0.1, 0.3, 0.2], [0.9, 0.1, 0.8], [0.0, 0.0, 0.0]])
    calls = call(p, np.array([0.5, 0.5, np.nan]))
    np.testing.assert_array_equal(calls, [[0, 1, 0], [1, 0, 0], [1, 0, 0]])
    unlearnt = call(np.array([[0.1, 0.3, 0.9]]), np.array([0.5, 0.5, np.nan]))
    np.testing.assert_array_equal(unlearnt, [[0, 1, 0]], "a class that was not learnt is never called")
    np.testing.assert_array_equal(call(p, np.full(3, np.nan)), [[0, 1, 0], [1, 0, 0], [1, 0, 0]], "if none was learnt")


def test_classes_that_exclude_each_other_get_one_call_the_furthest_above_its_threshold():
    """The rare second class is 0.3 above a threshold of 0.1: further, in odds, than 0.8 above one of 0.6."""
    p = np.array([[0.8, 0.3, 0.9], [0.5, 0.05, 0.0], [0.7, 0.01, 0.2], [0.2, 0.09, 0.1]])
    threshold = np.array([0.6, 0.1, np.nan])
    np.testing.assert_array_equal(call(p, threshold, "one"), [[0, 1, 0], [1, 0, 0], [1, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal(call(p, threshold, "at most one"), [[0, 1, 0], [0, 0, 0], [1, 0, 0], [0, 0, 0]])
    np.testing.assert_array_equal(call(p, threshold, "any"), [[1, 1, 0], [0, 0, 0], [1, 0, 0], [0, 0, 0]])


def test_thresholds_lie_between_probabilities():
    threshold = best_threshold(np.array([0.9, 0.8, 0.1, 0.05]), np.array([1.0, 1.0, 0.0, 0.0]))
    assert 0.1 < threshold < 0.8
    assert best_threshold(np.full(4, 0.3), np.array([1.0, 0.0, 0.0, 0.0])) < 0.3
