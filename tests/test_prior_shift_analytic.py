"""Shares that differ between training and use, where the truth is known."""

import numpy as np
import pytest

from models.logistic import log_odds, probability
from models.prior_shift import adjust, estimate_prior


def shifted(rng, share, n=20000):
    """Scores N(1.5, 1) of positives and N(0, 1) of negatives; probabilities for a training share of 0.1."""
    labels = rng.random(n) < share
    score = rng.normal(0, 1, n) + 1.5 * labels
    return probability(1.5 * score - 1.5**2 / 2 + log_odds(0.1))[:, None], labels


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
