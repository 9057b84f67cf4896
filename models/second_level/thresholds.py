"""Thresholds that maximise each organelle's F1 on new fields, and the calls from them.

With calibrated probabilities p the expected F1 of calling the k most probable fields is 2 sum(p of those) / (k +
sum(p)) (Lipton, Elkan, Naryanaswamy 2014); with labels in place of p it is the observed F1. The first ignores errors of
the calibration, the second overfits the few positives of a rare organelle, so the two are blended.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import expit

from models.evaluation.metrics import each, f1
from models.second_level.logistic import log_odds
from models.second_level.selection import choose_way

WAYS: tuple[str, ...] = ("expected", "blended")
"""Simplest first: from the probabilities alone; blended with the labels, the more the more positives there are."""

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
        Each field's label, its probability, or a value between.
    """
    order = np.argsort(-probabilities, kind="stable")
    p = probabilities[order]
    ends = np.flatnonzero(np.append(np.diff(p) != 0, True))
    score = 2 * np.cumsum(target[order])[ends] / (ends + 1 + target.sum())
    best = int(np.argmax(score))
    below = p[ends[best + 1]] if best + 1 < len(ends) else p[-1] / 2
    return float(expit((log_odds(p[ends[best]]) + log_odds(below)) / 2))


def call(probabilities: np.ndarray, threshold: np.ndarray, at_least_one: bool = True) -> np.ndarray:
    """The organelles that each field is called for; without any, by default, its most probable one.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n_fields, n_organelles)
    threshold : ndarray of float, shape (n_organelles,)
        NaN for an organelle that has none.
    at_least_one : bool
        False leaves a field without a call if no probability reaches its threshold.

    Returns
    -------
    ndarray of bool, shape (n_fields, n_organelles)
        With `at_least_one`, at least one True a row.
    """
    calls = probabilities >= threshold
    empty = np.flatnonzero(~calls.any(1))
    if at_least_one and calls.shape[1]:
        calls[empty, np.argmax(probabilities[empty], axis=1)] = True
    return calls


def choose_thresholds(
    probabilities: np.ndarray, labels: np.ndarray, fold: np.ndarray, at_least_one: bool = True
) -> str:
    """The way of choosing thresholds, by macro F1 of cross-fitted calls; see `choose_way`."""

    def calls(thresholds: Thresholds, unseen: np.ndarray) -> np.ndarray:
        return call(unseen, thresholds.threshold, at_least_one)

    return choose_way(WAYS, fit_thresholds, calls, partial(each, f1), probabilities, labels, fold)[0]
