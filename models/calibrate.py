"""From scores to probabilities that mean what they say, without changing any ranking.

Sigmoids (Platt 1999) and rising broken lines in log-odds (as Lucena 2018, "Spline-Based Probability Calibration",
but of straight pieces) rise strictly, so average precision stays what it was; isotonic steps would tie the rare
organelles' fields. A sigmoid cannot say that some fields of an organelle do not show it: then the log-odds level off at
the low end and jump in the middle, which the pieces follow. Each curve is pulled towards the simpler one.
"""

from dataclasses import dataclass

import numpy as np

from models.logistic import fit_shared, fit_towards, log_odds, probability
from models.metrics import log_loss, macro
from models.row_sums import row_sums
from models.stack import is_better

WAYS: tuple[str, ...] = ("shared", "sigmoid", "bent")
"""From the simplest on: one slope for all organelles; each organelle's own; that line broken into pieces."""

PIECES = 6
PULL_SLOPE = 30.0
PULL_PIECE = 3.0
LEAST_SLOPE = 1e-3
FIXED = 1e9


@dataclass(frozen=True)
class Calibration:
    """Fitted curves: p = sigmoid(level + sum over pieces of rise x way on the piece), on x = slope x score + intercept.

    Attributes
    ----------
    way : str
        One of `WAYS`.
    slope, intercept : ndarray of float64, shape (n_organelles,)
        Slopes are positive.
    knots : ndarray of float64, shape (n_organelles, PIECES - 1)
        Where the pieces meet, on x, rising.
    rise : ndarray of float64, shape (n_organelles, PIECES)
        Positive; 1 leaves the slope as it is.
    level : ndarray of float64, shape (n_organelles,)
        Log-odds at the first knot.
    """

    way: str
    slope: np.ndarray
    intercept: np.ndarray
    knots: np.ndarray
    rise: np.ndarray
    level: np.ndarray

    def apply(self, scores: np.ndarray) -> np.ndarray:
        """Probabilities: float64, the shape of `scores` (n_fields, n_organelles)."""
        return probability(self.log_odds(scores))

    def log_odds(self, scores: np.ndarray) -> np.ndarray:
        """The same as log-odds."""
        x = self.slope * scores + self.intercept
        bent = np.empty_like(x)
        for j, (knots, rise, level) in enumerate(zip(self.knots, self.rise, self.level)):
            bent[:, j] = row_sums(_pieces(x[:, j], knots), rise) + level
        return bent


def fit_calibration(way: str, scores: np.ndarray, labels: np.ndarray) -> Calibration:
    """Fit one way of calibrating.

    Parameters
    ----------
    way : str
        One of `WAYS`.
    scores : ndarray of float, shape (n_fields, n_organelles)
        Cross-fitted.
    labels : ndarray of bool, shape (n_fields, n_organelles)
    """
    shared, intercept = fit_shared(scores[:, :, None], labels)
    slope = np.full(scores.shape[1], max(float(shared[0]), LEAST_SLOPE))
    knots, rise, level = np.zeros((len(slope), PIECES - 1)), np.ones((len(slope), PIECES)), np.zeros(len(slope))
    ones = np.ones(len(scores))
    for j in range(scores.shape[1]):
        pull = np.array([FIXED if way == "shared" else PULL_SLOPE, 1e-3])
        start = np.array([slope[j], intercept[j]])
        slope[j], intercept[j] = fit_towards(np.column_stack([scores[:, j], ones]), labels[:, j], start, pull)
        slope[j] = max(slope[j], LEAST_SLOPE)
        if way == "bent":
            knots[j], rise[j], level[j] = _fit_pieces(slope[j] * scores[:, j] + intercept[j], labels[:, j])
    return Calibration(way, slope, intercept, knots, rise, level)


def _fit_pieces(x: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Knots, rises and level of one organelle's broken line; a piece that would fall is all but flat instead."""
    knots = _knots(x, labels)
    inputs = np.column_stack([_pieces(x, knots), np.ones(len(x))])
    centre, pull = np.append(np.ones(PIECES), knots[0]), np.append(np.full(PIECES, PULL_PIECE), 1e-3)
    line = fit_towards(inputs, labels, centre, pull)
    while (falls := np.append((line[:-1] < LEAST_SLOPE) & (pull[:-1] < FIXED), False)).any():
        centre[falls], pull[falls] = LEAST_SLOPE, FIXED
        line = fit_towards(inputs, labels, centre, pull)
    return knots, np.maximum(line[:-1], LEAST_SLOPE), float(line[-1])


def _knots(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Quantiles of x where positives and negatives count the same in all, so that knots lie where both are."""
    n_positive = max(int(labels.sum()), 1)
    weight = np.where(labels, 1 / n_positive, 1 / max(len(labels) - n_positive, 1))
    order = np.argsort(x, kind="stable")
    share = np.cumsum(weight[order]) / weight.sum()
    return x[order][np.searchsorted(share, np.arange(1, PIECES) / PIECES)]


def _pieces(x: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """How far each x has come on each piece: shape (n, len(knots) + 1); the sum over pieces is x - knots[0]."""
    lower, upper = np.append(-np.inf, knots), np.append(knots, np.inf)
    return np.clip(x[:, None], lower, upper) - np.append(knots[0], knots)


def cross_fit(way: str, scores: np.ndarray, labels: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Probabilities of each fold from curves fitted on the others: float64, shape (n_fields, n_organelles)."""
    p = np.empty(scores.shape)
    for k in np.unique(fold):
        p[fold == k] = fit_calibration(way, scores[fold != k], labels[fold != k]).apply(scores[fold == k])
    return p


def choose_way(scores: np.ndarray, labels: np.ndarray, fold: np.ndarray) -> tuple[str, np.ndarray]:
    """The simplest way that no richer one beats by more than a standard error over folds.

    Returns
    -------
    way : str
    probabilities : ndarray of float64, shape (n_fields, n_organelles)
        Cross-fitted.
    """
    way, p = WAYS[0], cross_fit(WAYS[0], scores, labels, fold)
    for rival in WAYS[1:]:
        rivals = cross_fit(rival, scores, labels, fold)
        if is_better(_loss_by_fold(p, labels, fold) - _loss_by_fold(rivals, labels, fold)):
            way, p = rival, rivals
    return way, p


def _loss_by_fold(p: np.ndarray, labels: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Log loss within each fold, each organelle in units of what its prior alone would lose."""
    share = (labels.sum(0) + 0.5) / (len(labels) + 1)
    chance = -share * log_odds(share) - np.log1p(-share)
    return np.array([
        macro([log_loss(labels[fold == k, j], p[fold == k, j]) / chance[j] for j in range(labels.shape[1])])
        for k in np.unique(fold)
    ])  # fmt: skip
