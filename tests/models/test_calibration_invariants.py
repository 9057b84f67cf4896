"""Calibration: probabilities that mean what they say, in an unchanged order."""

from functools import partial

import numpy as np
import pytest
from scipy.special import expit

from models.evaluation.metrics import average_precision, calibration_error, each, macro
from models.second_level.calibration import LEAST_SLOPE, WAYS, Calibration, choose_calibration, fit_calibration
from models.second_level.selection import cross_fit


@pytest.fixture
def scores(rng):
    """Scores of 5 organelles; the slopes of their true probabilities differ."""
    score = rng.normal(0, 1, (8000, 5))
    truth = expit(np.array([0.5, 1.0, 2.0, 3.0, 4.0]) * score + np.array([0, -1, -3, -5, -8]))
    return score, rng.random(truth.shape) < truth, rng.integers(0, 5, 8000)


def calibrated(way, scores, labels, fold):
    """Cross-fitted probabilities of a way."""
    return cross_fit(partial(fit_calibration, way), Calibration.apply, scores, labels, fold)


@pytest.mark.parametrize("way", WAYS)
def test_ranking_is_kept_exactly(scores, way):
    score, labels, _ = scores
    p = fit_calibration(way, score, labels).apply(score)
    assert (np.diff(p[np.argsort(score[:, 2]), 2]) > 0).all()
    np.testing.assert_array_equal(each(average_precision, labels, p), each(average_precision, labels, score))
    assert (p > 0).all()
    assert (p < 1).all()


@pytest.mark.parametrize("way", WAYS)
def test_ranking_is_kept_when_scores_are_worse_than_chance(scores, way):
    score, labels, _ = scores
    p = fit_calibration(way, -score, labels).apply(-score)
    assert (np.diff(p[np.argsort(-score[:, 4]), 4]) >= 0).all()


@pytest.mark.parametrize("way", ["sigmoid", "piecewise"])
def test_calibrated_on_unseen_fields(scores, way):
    score, labels, fold = scores
    p = calibrated(way, score, labels, fold)
    assert each(calibration_error, labels, p).max() < 0.02
    assert abs(p.mean(0) - labels.mean(0)).max() < 0.005


def test_pieces_follow_what_a_sigmoid_cannot(rng):
    """A third of the positives look like negatives, as where an organelle is labelled but does not show."""
    positive = rng.random((20000, 1)) < 0.4
    shown = positive & (rng.random((20000, 1)) < 2 / 3)
    score = rng.normal(0, 1, (20000, 1)) + 4 * shown
    fold = rng.integers(0, 5, 20000)
    errors = {way: macro(each(calibration_error, positive, calibrated(way, score, positive, fold))) for way in WAYS}
    assert errors["piecewise"] < 0.02
    assert errors["piecewise"] < 0.5 * errors["sigmoid"]
    assert choose_calibration(score, positive, fold)[0] == "piecewise"


def test_a_falling_curve_is_flat_instead(rng):
    """The fields of the highest scores are positive less often than those below them."""
    score = rng.uniform(-3, 3, (6000, 1))
    labels = rng.random(score.shape) < np.where(score < 0, 0.02, np.where(score < 2, 0.9, 0.5))
    curve = fit_calibration("piecewise", score, labels)
    assert curve.rise.min() == pytest.approx(LEAST_SLOPE, rel=0.1)
    assert (np.diff(curve.apply(np.sort(score, axis=0))[:, 0]) > 0).all()


def test_one_slope_for_all_or_one_for_each(scores):
    score, labels, _ = scores
    shared, own = (fit_calibration(way, score, labels).slope for way in ("shared", "sigmoid"))
    assert np.ptp(shared) < 1e-4  # a penalty holds them, which many fields move a little
    assert own[:4] == pytest.approx([0.5, 1, 2, 3], rel=0.15)
    assert shared[4] < own[4] < 4, "the rarest one's is drawn towards the shared one"


def test_own_slopes_are_chosen_where_slopes_differ_with_their_probabilities(scores):
    way, p = choose_calibration(*scores)
    assert way in ("sigmoid", "piecewise")
    np.testing.assert_array_equal(p, calibrated(way, *scores))


def test_one_slope_is_kept_where_slopes_are_equal(rng):
    score = rng.normal(0, 1, (800, 5))
    labels = rng.random(score.shape) < expit(score - 3)
    assert choose_calibration(score, labels, rng.integers(0, 5, 800))[0] == "shared"


def test_a_rare_organelles_slope_is_shrunk_towards_the_others(rng):
    score = rng.normal(0, 1, (4000, 4))
    labels = rng.random(score.shape) < expit(2 * score - 2)
    labels[:, 3] = False
    labels[np.argsort(-score[:, 3])[:4], 3] = True
    slope = fit_calibration("sigmoid", score, labels).slope
    assert slope[:3] == pytest.approx(2, abs=0.3)
    assert slope[3] < 8, "four perfectly ranked fields alone would ask for an infinite slope"


def test_a_fold_is_calibrated_without_its_labels(scores):
    score, labels, fold = scores
    turned = np.where((fold == 2)[:, None], ~labels, labels)
    before, after = (calibrated("piecewise", score, which, fold) for which in (labels, turned))
    np.testing.assert_array_equal(before[fold == 2], after[fold == 2])
