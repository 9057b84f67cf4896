"""From scores to probabilities that mean what they say, without changing any ranking.

Sigmoids (Platt 1999) and beta curves (Kull, Silva Filho, Flach 2017) rise strictly, so average precision stays what it
was; isotonic steps would tie the rare organelles' fields. Each organelle's curve is pulled towards the shared one.
"""

from dataclasses import dataclass

import numpy as np

from models.logistic import fit_shared, fit_towards, log_odds, probability
from models.metrics import log_loss, macro
from models.stack import is_better

WAYS: tuple[str, ...] = ("shared", "sigmoid", "beta")
"""From the simplest on: one slope for all organelles; each organelle's own; a curve bent at both ends."""

PULL_SLOPE = 30.0
PULL_BEND = 20.0
LEAST_SLOPE = 1e-3
FIXED = 1e9


@dataclass(frozen=True)
class Calibration:
    """Fitted curves: p = sigmoid(a ln q - b ln(1 - q) + c) with q = sigmoid(slope x score + intercept).

    Attributes
    ----------
    way : str
        One of `WAYS`.
    slope, intercept : ndarray of float64, shape (n_organelles,)
        Slopes are positive.
    bend : ndarray of float64, shape (n_organelles, 3)
        a, b > 0 and c; (1, 1, 0) leaves q as it is.
    """

    way: str
    slope: np.ndarray
    intercept: np.ndarray
    bend: np.ndarray

    def apply(self, scores: np.ndarray) -> np.ndarray:
        """Probabilities: float64, the shape of `scores` (n_fields, n_organelles)."""
        x = self.slope * scores + self.intercept
        a, b, c = self.bend.T
        return probability(-a * np.logaddexp(0, -x) + b * np.logaddexp(0, x) + c)


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
    bend = np.tile([1.0, 1.0, 0.0], (scores.shape[1], 1))
    ones = np.ones(len(scores))
    for j in range(scores.shape[1]):
        pull = np.array([FIXED if way == "shared" else PULL_SLOPE, 1e-3])
        start = np.array([slope[j], intercept[j]])
        slope[j], intercept[j] = fit_towards(np.column_stack([scores[:, j], ones]), labels[:, j], start, pull)
        slope[j] = max(slope[j], LEAST_SLOPE)
        if way == "beta":
            bend[j] = _fit_bend(slope[j] * scores[:, j] + intercept[j], labels[:, j])
    return Calibration(way, slope, intercept, bend)


def _fit_bend(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    inputs = np.column_stack([-np.logaddexp(0, -x), np.logaddexp(0, x), np.ones(len(x))])
    centre, pull = np.array([1.0, 1.0, 0.0]), np.array([PULL_BEND, PULL_BEND, 1e-3])
    bend = fit_towards(inputs, labels, centre, pull)
    for end in (0, 1):  # A curve that would fall at one end is flat there instead.
        if bend[end] < LEAST_SLOPE:
            centre[end], pull[end] = LEAST_SLOPE, FIXED
            bend = fit_towards(inputs, labels, centre, pull)
    return np.maximum(bend, [LEAST_SLOPE, LEAST_SLOPE, -np.inf])


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
