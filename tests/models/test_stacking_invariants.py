"""The second level: few parameters that land where they should, and nothing fitted where nothing helps."""

from functools import partial

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from models.evaluation.metrics import macro_ap
from models.second_level.logistic import fit_shared, fit_with_prior, log_odds
from models.second_level.second_level import fit_and_cross_fit
from models.second_level.selection import cross_fit, is_better
from models.second_level.stacking import Stack, fit_stack, stack_way


@pytest.fixture
def members(rng):
    """Scores of three members: good, noisy, and pure noise; 6 organelles of 400 to 8 positives."""
    labels = rng.random((1000, 6)) < np.geomspace(0.4, 0.008, 6)
    noise = rng.normal(0, 1, (1000, 6, 3))
    return noise + labels[:, :, None] * np.array([2.0, 1.0, 0.0]), labels, rng.integers(0, 5, 1000)


def stacked(way, scores, labels, fold):
    """Cross-fitted scores of a way."""
    return cross_fit(partial(fit_stack, way), Stack.score, scores, labels, fold)


def test_regression_towards_zero_is_scikit_learns(rng):
    inputs = np.column_stack([rng.normal(0, 1, (500, 2)), np.ones(500)])
    labels = rng.random(500) < expit(inputs @ [1.0, -2.0, 0.5])
    expected = LogisticRegression(C=1.0, fit_intercept=False, tol=1e-10, max_iter=1000).fit(inputs, labels).coef_[0]
    np.testing.assert_allclose(fit_with_prior(inputs, labels, np.zeros(3), np.ones(3)), expected, rtol=1e-4)


def test_a_strong_penalty_keeps_the_prior_mean_and_a_weak_one_does_not(rng):
    inputs = rng.normal(0, 1, (500, 1))
    labels = rng.random(500) < expit(3 * inputs[:, 0])
    prior_mean = np.array([1.0])
    near, far = (fit_with_prior(inputs, labels, prior_mean, np.array([l2]))[0] for l2 in (1e6, 1e-3))
    assert near == pytest.approx(1.0, abs=1e-2)
    assert far == pytest.approx(3.0, abs=0.6)


def test_separable_labels_stay_finite():
    inputs = np.column_stack([np.linspace(-1, 1, 20), np.ones(20)])
    fitted = fit_with_prior(inputs, inputs[:, 0] > 0, np.zeros(2), np.full(2, 0.1))
    assert np.isfinite(fitted).all()
    assert fitted[0] > 1


def test_with_few_fields_the_weights_stay_near_equal_ones(members):
    """Fifty fields tell too little about five members: their weights are fitted with five times the penalty."""
    scores, labels, _ = members
    standard = (scores[:50] - scores[:50].mean(0)) / scores[:50].std(0)
    weak, _ = fit_shared(standard, labels[:50])
    strong, _ = fit_shared(standard, labels[:50], l2=5.0)
    fitted = fit_stack("shared", scores[:50], labels[:50]).weight
    np.testing.assert_allclose(fitted, np.tile(strong, (6, 1)))
    assert np.abs(fitted - 1 / 3).max() < 0.8 * np.abs(weak - 1 / 3).max()


def test_shared_weights_are_the_minimum_of_their_loss(members):
    scores, labels, _ = members
    start = np.concatenate([np.full(3, 1 / 3), log_odds((labels.sum(0) + 0.5) / 1001)])

    def loss(parameters):
        x = scores @ parameters[:3] + parameters[3:]
        fit = ((np.logaddexp(0, x) - x * labels).sum(0) / np.sqrt(labels.sum(0))).sum()
        return fit + 0.5 * ((parameters - start) ** 2).sum()

    expected = minimize(loss, start, method="BFGS", options={"gtol": 1e-4}).x
    weights, intercepts = fit_shared(scores, labels)
    np.testing.assert_allclose(np.concatenate([weights, intercepts]), expected, atol=5e-3)


def test_noise_gets_no_weight_and_the_better_member_more(members):
    scores, labels, _ = members
    weight = fit_stack("shared", scores, labels).weight
    assert (weight == weight[0]).all()
    assert weight[0, 0] > 1.5 * weight[0, 1] > 5 * abs(weight[0, 2])


def test_the_scale_of_a_member_does_not_matter(members):
    scores, labels, fold = members
    other = scores * np.array([1000.0, 0.01, 1.0]) + 5
    for way in ("mean", "shared"):
        np.testing.assert_allclose(stacked(way, other, labels, fold), stacked(way, scores, labels, fold), rtol=1e-5)


def test_fitted_weights_help_where_members_differ(members):
    scores, labels, fold = members
    assert macro_ap(labels, stacked(stack_way(3), scores, labels, fold)) > macro_ap(labels, scores.mean(2))
    assert stack_way(1) == "mean"


def test_fitted_weights_lose_nothing_where_members_are_equal(rng):
    labels = rng.random((600, 4)) < 0.2
    scores = labels[:, :, None] + rng.normal(0, 1, (600, 4, 2))
    fold = rng.integers(0, 5, 600)
    fitted, plain = (stacked(way, scores, labels, fold) for way in ("shared", "mean"))
    assert macro_ap(labels, fitted) == pytest.approx(macro_ap(labels, plain), abs=0.02)


def test_a_fold_is_scored_without_its_labels(members):
    """Turning a fold's own labels around must not change its scores."""
    scores, labels, fold = members
    turned = np.where((fold == 2)[:, None], ~labels, labels)
    before, after = (stacked("shared", scores, which, fold) for which in (labels, turned))
    np.testing.assert_array_equal(before[fold == 2], after[fold == 2])
    assert (before[fold == 1] != after[fold == 1]).any()


def test_a_gain_counts_only_above_its_standard_error():
    assert is_better(np.array([0.02, 0.03, 0.01]))
    assert not is_better(np.array([0.2, -0.1, -0.05]))
    assert not is_better(np.array([np.nan, 0.1]))


def test_a_second_level_is_the_same_bytes_for_any_number_of_threads(rng, tmp_path):
    """BLAS adds large products in another order with more threads (so this needs two cores to say anything)."""
    labels = rng.random((6000, 12)) < np.geomspace(0.4, 0.01, 12)
    members = rng.normal(0, 1, (6000, 12, 4)) + 2 * labels[:, :, None]
    fold = rng.integers(0, 3, 6000)
    fitted = []
    for threads in (1, 4):
        with threadpool_limits(threads):
            fitted.append(fit_and_cross_fit(members, labels, fold, tmp_path / "inputs"))
    (one, crossed), (other, crossed_too) = fitted
    assert one.to_json() == other.to_json()
    np.testing.assert_array_equal(crossed.probabilities, crossed_too.probabilities)
