"""Folds whose models stand on different levels rank together after standardisation, without a look at the labels."""

import numpy as np
import pytest

from models.evaluation.metrics import average_precision
from models.second_level.standardisation import fit_standardisation


@pytest.fixture
def folds(rng):
    """Scores of one organelle by five folds' models with different offsets and scales, with labels and folds."""
    labels = rng.random(2000) < 0.1
    fold = np.arange(2000) % 5
    true = rng.normal(0, 1, 2000) + 2 * labels
    shifted = true * np.array([1, 2, 1, 0.5, 1])[fold] + np.array([0, 3, -2, 0, 1])[fold]
    return true, shifted, labels, fold


def test_offsets_and_scales_of_folds_are_taken_out(folds):
    true, shifted, labels, fold = folds
    scores = shifted[:, None, None]
    aligned = fit_standardisation(scores, fold, 5).apply(scores, fold)[:, 0, 0]
    best = average_precision(labels, true)
    assert average_precision(labels, shifted) < best - 0.15
    assert average_precision(labels, aligned) > best - 0.02


def test_order_within_a_fold_is_kept_and_one_fold_alone_is_the_same(folds):
    _, shifted, _, fold = folds
    scores = shifted[:, None, None]
    standardisation = fit_standardisation(scores, fold, 5)
    aligned = standardisation.apply(scores, fold)
    for k in range(5):
        mine = fold == k
        assert (np.diff(aligned[mine, 0, 0][np.argsort(shifted[mine])]) >= 0).all()
        np.testing.assert_array_equal(standardisation.apply(scores[mine], k), aligned[mine])


def test_small_folds_stay_near_the_common_level(rng):
    scores = rng.normal(0, 1, (20, 1, 1))
    fold = np.arange(20) % 5
    assert np.ptp(fit_standardisation(scores, fold, 5).centre) < 0.2 * np.ptp(
        [scores[fold == k].mean() for k in range(5)]
    )


def test_equal_scores_stay_finite():
    scores, fold = np.full((10, 2, 3), 4.0), np.arange(10) % 5
    assert (fit_standardisation(scores, fold, 5).apply(scores, fold) == 0).all()
