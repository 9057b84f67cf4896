"""Shares that differ between training and use, where the truth is known."""

import numpy as np
import pytest
from scipy.special import expit

from models.data.labels_per_field import AT_MOST_ONE, ONE
from models.evaluation.metrics import f1
from models.second_level.logistic import log_odds
from models.trust.prior_shift import adjust, estimate_prior, shift


def shifted(rng, share, n=20000):
    """Scores N(1.5, 1) of positives and N(0, 1) of negatives; probabilities for a training share of 0.1."""
    labels = rng.random(n) < share
    score = rng.normal(0, 1, n) + 1.5 * labels
    return expit(1.5 * score - 1.5**2 / 2 + log_odds(0.1))[:, None], labels


@pytest.mark.parametrize("share", [0.02, 0.1, 0.4])
def test_the_true_share_is_found(rng, share):
    p, _ = shifted(rng, share)
    assert estimate_prior(p, np.array([0.1]))[0] == pytest.approx(share, abs=0.012)


def test_adjusted_probabilities_are_calibrated_and_keep_their_order(rng):
    p, labels = shifted(rng, 0.4)
    better = adjust(p, np.array([0.1]), np.array([0.4]))
    assert abs(p.mean() - labels.mean()) > 0.1
    assert better.mean() == pytest.approx(labels.mean(), abs=0.01)
    assert (np.diff(better[np.argsort(p[:, 0]), 0]) >= 0).all()


def test_equal_shares_change_nothing(rng):
    p, _ = shifted(rng, 0.1, 100)
    np.testing.assert_allclose(adjust(p, np.array([0.1]), np.array([0.1])), p, rtol=1e-5)


def called(p, threshold):
    """Two organelles: the one given, and one that every field has, so that no call is forced."""
    both = np.column_stack([p, np.full(len(p), 0.9)])
    return both, both >= [threshold, 0.5], np.array([0.1, 0.9]), np.array([True, True])


def test_none_leaves_everything(rng):
    both, calls, prior, able = called(shifted(rng, 0.4, 500)[0], 0.3)
    p, same = shift("none", both, calls, prior, able)
    assert p is both
    assert same is calls


def test_em_calls_better_where_shares_differ(rng):
    p, labels = shifted(rng, 0.4)
    both, calls, prior, able = called(p, 0.24)
    moved, better = shift("em", both, calls, prior, able)
    assert moved[:, 0].mean() == pytest.approx(0.4, abs=0.012)
    assert f1(labels, better[:, 0]) > f1(labels, calls[:, 0]) + 0.03
    best = max(f1(labels, moved[:, 0] >= cut) for cut in np.linspace(0.05, 0.95, 91))
    assert f1(labels, better[:, 0]) == pytest.approx(best, abs=0.005)


def test_match_calls_the_training_share_of_the_most_probable(rng):
    both, calls, prior, able = called(shifted(rng, 0.4, 5000)[0], 0.24)
    p, matched = shift("match", both, calls, prior, able)
    np.testing.assert_array_equal(p, both)
    assert matched[:, 0].sum() == 500
    assert p[matched[:, 0], 0].min() > p[~matched[:, 0], 0].max()


@pytest.mark.parametrize("way", ["em", "match"])
def test_organelles_without_models_are_not_called_and_no_field_is_left_without(way, rng):
    p = np.column_stack([shifted(rng, 0.02, 300)[0], np.full(300, 0.004)])
    moved, calls = shift(way, p, p >= 0.2, np.array([0.1, 0.004]), np.array([True, False]))
    np.testing.assert_allclose(moved[:, 1], 0.004, rtol=1e-5)
    forced = calls[:, 1]
    assert not calls[forced, 0].any()
    assert (moved[forced, 1] > moved[forced, 0]).all()
    assert calls.any(1).all()


@pytest.mark.parametrize("way", ["em", "match"])
def test_classes_that_exclude_each_other_still_do(way, rng):
    """A field has exactly one class, or at most one, however the shares are adapted."""
    p = rng.dirichlet([1.0, 0.6, 0.3], 400)
    prior, able = np.array([0.5, 0.3, 0.2]), np.ones(3, bool)
    exactly = shift(way, p, p >= 0.3, prior, able, ONE)[1].sum(1)
    at_most = shift(way, p, p >= 0.3, prior, able, AT_MOST_ONE)[1].sum(1)
    as_many_as_reach_it = shift(way, p, p >= 0.3, prior, able)[1].sum(1)
    assert set(exactly) == {1}
    assert set(at_most) <= {0, 1}
    assert as_many_as_reach_it.max() > 1


def test_an_unknown_way_is_refused():
    with pytest.raises(ValueError, match="way 'guess' is not one of none, em, match"):
        shift("guess", *[np.ones((1, 1))] * 2, np.ones(1), np.ones(1, bool))
