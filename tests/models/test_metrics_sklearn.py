"""Scores against scikit-learn's, with ties, weights and rare positives; intervals against their definition."""

from itertools import pairwise

import numpy as np
import pytest
from sklearn import metrics as reference

from models.evaluation import metrics


@pytest.fixture
def scored(rng):
    labels = rng.random(400) < 0.1
    probabilities = np.round(np.clip(0.1 + 0.3 * labels + rng.normal(0, 0.15, 400), 0.01, 0.99), 2)
    return labels, probabilities, rng.integers(0, 4, 400).astype(float)


def test_average_precision(scored):
    labels, p, weights = scored
    assert len(np.unique(p)) < len(p)
    assert metrics.average_precision(labels, p) == pytest.approx(reference.average_precision_score(labels, p))
    expected = reference.average_precision_score(labels, p, sample_weight=weights)
    assert metrics.average_precision(labels, p, weights) == pytest.approx(expected)


def test_average_precision_of_equal_scores_is_the_share_of_positives():
    assert metrics.average_precision(np.array([True, False, False, False]), np.zeros(4)) == 0.25


def test_f1_brier_log_loss(scored):
    labels, p, weights = scored
    calls = p > 0.3
    assert metrics.f1(labels, calls) == pytest.approx(reference.f1_score(labels, calls))
    assert metrics.f1(labels, calls, weights) == pytest.approx(reference.f1_score(labels, calls, sample_weight=weights))
    assert metrics.brier(labels, p) == pytest.approx(reference.brier_score_loss(labels, p))
    assert metrics.log_loss(labels, p) == pytest.approx(reference.log_loss(labels, p))


def test_best_f1_is_that_of_the_best_threshold(scored):
    labels, p, _ = scored
    expected = max(reference.f1_score(labels, p >= t) for t in np.unique(p))
    assert metrics.best_f1(labels, p) == pytest.approx(expected)


def test_calibration_error_is_weighted_over_bins_of_equal_mass(scored):
    labels, p, _ = scored
    order = np.argsort(p, kind="stable")
    cuts = np.linspace(0, 400, 16).astype(int)
    expected = sum((b - a) / 400 * abs(p[order[a:b]].mean() - labels[order[a:b]].mean()) for a, b in pairwise(cuts))
    assert metrics.calibration_error(labels, p) == pytest.approx(expected)


def test_calibration_error_of_true_probabilities_is_small_and_of_doubled_odds_is_not(rng):
    p = rng.beta(0.5, 5, 20000)
    labels = rng.random(20000) < p
    assert metrics.calibration_error(labels, p) < 0.01
    assert metrics.calibration_error(labels, np.minimum(2 * p, 1)) > 0.05


def test_debiased_calibration_error_is_the_true_one_where_chance_adds_to_the_plain_one(rng):
    """1,200 rows, 200 draws of labels: perfect probabilities, and such that are off by 0.05 everywhere."""
    p = rng.uniform(0.1, 0.4, 1200)
    perfect, off = ([rng.random(1200) < p + by for _ in range(200)] for by in (0.0, 0.05))
    errors = [metrics.debiased_calibration_error(labels, p) for labels in perfect]
    assert np.mean(np.array(errors) == 0) == pytest.approx(0.5, abs=0.12)
    assert np.mean([metrics.calibration_error(labels, p) for labels in perfect]) > 0.03
    squares = [metrics.debiased_calibration_error(labels, p) ** 2 for labels in off]
    assert np.sqrt(np.mean(squares)) == pytest.approx(0.05, abs=0.005)
    assert np.isnan(metrics.debiased_calibration_error(np.zeros(29, bool), np.zeros(29)))


def test_undefined_scores_are_nan():
    none = np.zeros(5, bool)
    assert np.isnan(metrics.average_precision(none, np.arange(5.0)))
    assert np.isnan(metrics.f1(none, none))
    assert np.isnan(metrics.best_f1(none, np.arange(5.0)))
    for score in (metrics.brier, metrics.log_loss, metrics.calibration_error):
        assert np.isnan(score(none[:0], np.empty(0)))


@pytest.mark.parametrize("present", [False, True])
def test_losses_of_an_organelle_that_all_fields_or_none_have(present):
    labels, p = np.full(4, present), np.array([0.1, 0.4, 0.2, 0.3])
    off = 1 - p if present else p
    assert metrics.brier(labels, p) == pytest.approx(np.mean(off**2))
    assert metrics.log_loss(labels, p) == pytest.approx(-np.mean(np.log1p(-off)))


def test_macro_is_the_mean_of_what_is_defined():
    assert np.isnan(metrics.macro(np.array([np.nan])))
    assert metrics.macro(np.array([np.nan, 0.5])) == 0.5


def test_bootstrap_draws_whole_groups(rng):
    groups = np.repeat([4, 9, 2], [1, 2, 3])
    weights = metrics.group_weights(groups, 50, rng)
    assert weights.shape == (50, 6)
    assert (weights[:, 1] == weights[:, 2]).all()
    assert (weights[:, [0, 1, 3]].sum(1) == 3).all()


def test_intervals_hold_the_truth_and_widen_with_groups(rng):
    labels = rng.random(2000) < 0.2
    scores = labels + rng.normal(0, 1, 2000)
    alone = metrics.interval(
        metrics.average_precision, labels, scores, metrics.group_weights(np.arange(2000), 100, rng)
    )
    low, high = alone
    assert low < metrics.average_precision(labels, scores) < high
    copies = np.repeat(np.arange(400), 5)
    twins = labels[copies], scores[copies]
    together = metrics.interval(metrics.average_precision, *twins, metrics.group_weights(copies, 100, rng))
    apart = metrics.interval(metrics.average_precision, *twins, metrics.group_weights(np.arange(2000), 100, rng))
    assert together[1] - together[0] > 1.5 * (apart[1] - apart[0])
