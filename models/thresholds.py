"""From probabilities to calls: the threshold of each organelle that should give the best F1 on new fields.

With calibrated probabilities p the expected F1 of calling the k most probable fields is
2 sum(p of those) / (k + sum(p)) (Lipton, Elkan, Naryanaswamy 2014); with labels it is the same, labels standing for p.
The first is blind to what the calibration misses, the second overfits a rare organelle's few positives: the two are
blended.
"""

from dataclasses import dataclass

import numpy as np

from models.logistic import log_odds, probability
from models.metrics import f1, macro
from models.stack import is_better

WAYS: tuple[str, ...] = ("expected", "blended")
"""From the simplest on: from the probabilities alone; blended with the labels where positives are many."""

PRIOR_POSITIVES = 50.0


@dataclass(frozen=True)
class Thresholds:
    """Fitted thresholds.

    Attributes
    ----------
    way : str
        One of `WAYS`.
    threshold : ndarray of float64, shape (n_organelles,)
        A field is called where its probability is at least this.
    """

    way: str
    threshold: np.ndarray


def fit_thresholds(way: str, probabilities: np.ndarray, labels: np.ndarray) -> Thresholds:
    """Choose each organelle's threshold.

    Parameters
    ----------
    way : str
        One of `WAYS`.
    probabilities : ndarray of float, shape (n_fields, n_organelles)
        Calibrated and cross-fitted.
    labels : ndarray of bool, shape (n_fields, n_organelles)
    """
    share = labels.sum(0) / (labels.sum(0) + PRIOR_POSITIVES) if way == "blended" else np.zeros(labels.shape[1])
    target = share * labels + (1 - share) * probabilities
    columns = range(labels.shape[1])
    return Thresholds(way, np.array([best_threshold(probabilities[:, j], target[:, j]) for j in columns]))


def best_threshold(probabilities: np.ndarray, target: np.ndarray) -> float:
    """The threshold with the highest F1 against soft targets, halfway (in log-odds) to the next probability below.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n,)
    target : ndarray of float, shape (n,)
        How much of a positive each field is: its label, its probability, or between.
    """
    order = np.argsort(-probabilities, kind="stable")
    p = probabilities[order]
    ends = np.flatnonzero(np.append(np.diff(p) != 0, True))
    score = 2 * np.cumsum(target[order])[ends] / (ends + 1 + target.sum())
    best = int(np.argmax(score))
    below = p[ends[best + 1]] if best + 1 < len(ends) else p[-1] / 2
    return float(probability((log_odds(p[ends[best]]) + log_odds(below)) / 2))


def call(probabilities: np.ndarray, threshold: np.ndarray, at_least_one: bool = True) -> np.ndarray:
    """Which organelles a field is called for; a field above no threshold gets its most probable organelle.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n_fields, n_organelles)
    threshold : ndarray of float, shape (n_organelles,)
        NaN for an organelle that has none.
    at_least_one : bool
        False leaves a field above no threshold without a call.

    Returns
    -------
    ndarray of bool, shape (n_fields, n_organelles)
        At least one True a row, unless that was not asked for.
    """
    calls = probabilities >= threshold
    empty = np.flatnonzero(~calls.any(1))
    if at_least_one and calls.shape[1]:
        calls[empty, np.argmax(probabilities[empty], axis=1)] = True
    return calls


def choose_way(probabilities: np.ndarray, labels: np.ndarray, fold: np.ndarray, at_least_one: bool = True) -> str:
    """The simplest way that no richer one beats by more than a standard error over folds, in cross-fitted macro F1."""
    way, scores = WAYS[0], _by_fold(WAYS[0], probabilities, labels, fold, at_least_one)
    for rival in WAYS[1:]:
        rivals = _by_fold(rival, probabilities, labels, fold, at_least_one)
        if is_better(rivals - scores):
            way, scores = rival, rivals
    return way


def _by_fold(
    way: str, probabilities: np.ndarray, labels: np.ndarray, fold: np.ndarray, at_least_one: bool
) -> np.ndarray:
    scores = []
    for k in np.unique(fold):
        threshold = fit_thresholds(way, probabilities[fold != k], labels[fold != k]).threshold
        calls = call(probabilities[fold == k], threshold, at_least_one)
        scores.append(macro([f1(labels[fold == k, j], calls[:, j]) for j in range(labels.shape[1])]))
    return np.array(scores)
