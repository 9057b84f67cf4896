"""Calibrated probabilities from scores, without changing any ranking.

Sigmoids (Platt 1999) and increasing piecewise linear curves in log-odds (as Lucena 2018, "Spline-Based Probability
Calibration", with straight pieces) increase strictly, so average precision stays the same; the steps of isotonic
regression would tie fields of rare organelles. If some fields labelled with an organelle do not show it, the log-odds
level off at the low end and jump in the middle: the pieces can follow this, a sigmoid cannot. Each curve is shrunk
towards the simpler one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import expit

from models.evaluation.metrics import each, log_loss
from models.row_sums import row_sums
from models.second_level.logistic import fit_shared, fit_with_prior, log_odds
from models.second_level.selection import choose_way

WAYS: tuple[str, ...] = ("shared", "sigmoid", "piecewise")
"""Simplest first: one slope for all organelles; a slope for each; a piecewise linear curve for each."""

PIECES = 6
L2_SLOPE = 30.0
"""Penalty of an organelle's slope, towards the shared one."""
L2_PIECE = 3.0
"""Penalty of a piece's rise, towards 1."""
FIXED = 1e9
"""A penalty that fixes a parameter."""
LEAST_SLOPE = 1e-3


@dataclass(frozen=True)
class Calibration:
    """Fitted curves: p = sigmoid(level + sum over pieces of rise x distance), on x = slope x score + intercept.

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
        return expit(self.log_odds(scores))

    def log_odds(self, scores: np.ndarray) -> np.ndarray:
        """Calibrated log-odds: float64, the shape of `scores`."""
        x = self.slope * scores + self.intercept
        curved = np.empty_like(x)
        for j, (knots, rise, level) in enumerate(zip(self.knots, self.rise, self.level)):
            curved[:, j] = row_sums(_pieces(x[:, j], knots), rise) + level
        return curved


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
    return next(fitted for fitted in _fit_each(scores, labels) if fitted.way == way)


def _fit_each(scores: np.ndarray, labels: np.ndarray) -> Iterator[Calibration]:
    """Fit the ways in the order of `WAYS`, of which each starts from a simpler one."""
    n, (weight, intercept) = scores.shape[1], fit_shared(scores[:, :, None], labels)
    slope, no_knots = np.full(n, max(float(weight[0]), LEAST_SLOPE)), np.zeros((n, PIECES - 1))
    shared = Calibration("shared", slope, intercept, no_knots, np.ones((n, PIECES)), np.zeros(n))
    yield _with_slopes(shared, "shared", FIXED, scores, labels)
    sigmoid = _with_slopes(shared, "sigmoid", L2_SLOPE, scores, labels)
    yield sigmoid
    yield _with_pieces(sigmoid, scores, labels)


def _with_slopes(start: Calibration, way: str, l2: float, scores: np.ndarray, labels: np.ndarray) -> Calibration:
    """A slope for each organelle, with this penalty towards the slope at the start, and an intercept."""
    slope, intercept, ones = start.slope.copy(), start.intercept.copy(), np.ones(len(scores))
    for j in range(scores.shape[1]):
        inputs, prior_mean = np.column_stack([scores[:, j], ones]), np.array([slope[j], intercept[j]])
        slope[j], intercept[j] = fit_with_prior(inputs, labels[:, j], prior_mean, np.array([l2, 1e-3]))
    return replace(start, way=way, slope=np.maximum(slope, LEAST_SLOPE), intercept=intercept)


def _with_pieces(sigmoid: Calibration, scores: np.ndarray, labels: np.ndarray) -> Calibration:
    """A curve for each organelle, on its sigmoid's log-odds."""
    knots, rise, level = sigmoid.knots.copy(), sigmoid.rise.copy(), sigmoid.level.copy()
    for j in range(scores.shape[1]):
        x = sigmoid.slope[j] * scores[:, j] + sigmoid.intercept[j]
        knots[j], rise[j], level[j] = _fit_pieces(x, labels[:, j])
    return replace(sigmoid, way="piecewise", knots=knots, rise=rise, level=level)


def _fit_pieces(x: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Knots, rises and level of one organelle's curve; a piece that would fall is almost flat instead."""
    knots = _knots(x, labels)
    inputs = np.column_stack([_pieces(x, knots), np.ones(len(x))])
    prior_mean, l2 = np.append(np.ones(PIECES), knots[0]), np.append(np.full(PIECES, L2_PIECE), 1e-3)
    curve = fit_with_prior(inputs, labels, prior_mean, l2)
    while (falls := np.append((curve[:-1] < LEAST_SLOPE) & (l2[:-1] < FIXED), False)).any():
        prior_mean[falls], l2[falls] = LEAST_SLOPE, FIXED
        curve = fit_with_prior(inputs, labels, prior_mean, l2)
    return knots, np.maximum(curve[:-1], LEAST_SLOPE), float(curve[-1])


def _knots(x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Quantiles of x with equal total weight for positives and negatives, so that knots lie where both are."""
    n_positive = max(int(labels.sum()), 1)
    weight = np.where(labels, 1 / n_positive, 1 / max(len(labels) - n_positive, 1))
    order = np.argsort(x)
    share = np.cumsum(weight[order]) / weight.sum()
    return x[order][np.searchsorted(share, np.arange(1, PIECES) / PIECES)]


def _pieces(x: np.ndarray, knots: np.ndarray) -> np.ndarray:
    """The distance of each x on each piece: shape (n, len(knots) + 1); the sum over pieces is x - knots[0]."""
    lower, upper = np.append(-np.inf, knots), np.append(knots, np.inf)
    return np.clip(x[:, None], lower, upper) - np.append(knots[0], knots)


def choose_calibration(scores: np.ndarray, labels: np.ndarray, fold: np.ndarray) -> tuple[str, np.ndarray]:
    """The way of calibrating, by log loss, and its cross-fitted probabilities; see `choose_way`.

    Each organelle's loss is divided by the loss of its prior, so that common organelles do not dominate.
    """
    prior = (labels.sum(0) + 0.5) / (len(labels) + 1)
    prior_loss = -prior * log_odds(prior) - np.log1p(-prior)

    def score(labels: np.ndarray, p: np.ndarray) -> np.ndarray:
        return -each(log_loss, labels, p) / prior_loss

    return choose_way(WAYS, _fit_each, Calibration.apply, score, scores, labels, fold)
