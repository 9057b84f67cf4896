"""Thresholds that maximise each organelle's F1 on new fields, and the calls from them.

With calibrated probabilities p the expected F1 of calling the k most probable fields is 2 sum(p of those) / (k +
sum(p)) (Lipton, Elkan, Naryanaswamy 2014); with labels in place of p it is the observed F1. The first ignores errors of
the calibration, the second overfits the few positives of a rare organelle, so the two are blended.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.special import expit

from models.data.labels_per_field import ANY, AT_LEAST_ONE, ONE
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
    order = np.argsort(-probabilities)
    p = probabilities[order]
    ends = np.flatnonzero(np.append(np.diff(p) != 0, True))
    score = 2 * np.cumsum(target[order])[ends] / (ends + 1 + target.sum())
    best = int(np.argmax(score))
    below = p[ends[best + 1]] if best + 1 < len(ends) else p[-1] / 2
    return float(expit((log_odds(p[ends[best]]) + log_odds(below)) / 2))


def call(probabilities: np.ndarray, threshold: np.ndarray, per_field: str = AT_LEAST_ONE) -> np.ndarray:
    """The organelles that each field is called for: those that reach their thresholds, as many as a field can have.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n_fields, n_organelles)
    threshold : ndarray of float, shape (n_organelles,)
        NaN for an organelle that has none; it is never called, unless none has any.
    per_field : str
        One of `models.data.labels_per_field.PER_FIELD`. "at least one": a field without any gets its most probable
        one. "at most one": of several, only the one furthest above its threshold, in log-odds. "one": that one, or else
        the nearest below its threshold.

    Returns
    -------
    ndarray of bool, shape (n_fields, n_organelles)
    """
    calls = probabilities >= threshold
    if not calls.shape[1] or per_field == ANY:
        return calls
    if per_field == AT_LEAST_ONE:
        has_none = np.broadcast_to(np.isnan(threshold), calls.shape)
        ranked = np.where(has_none & ~has_none.all(1, keepdims=True), -np.inf, probabilities)
        empty = np.flatnonzero(~calls.any(1))
        calls[empty, np.argmax(ranked[empty], axis=1)] = True
        return calls
    above = np.nan_to_num(log_odds(probabilities) - log_odds(threshold), nan=-np.inf)
    first = np.arange(calls.shape[1]) == np.argmax(above, axis=1)[:, None]
    return first if per_field == ONE else first & calls


def choose_thresholds(
    probabilities: np.ndarray, labels: np.ndarray, fold: np.ndarray, per_field: str = AT_LEAST_ONE
) -> str:
    """The way of choosing thresholds, by macro F1 of cross-fitted calls; see `choose_way`."""

    def fit_each(seen: np.ndarray, labels: np.ndarray) -> list[Thresholds]:
        return [fit_thresholds(way, seen, labels) for way in WAYS]

    def calls(thresholds: Thresholds, unseen: np.ndarray) -> np.ndarray:
        return call(unseen, thresholds.threshold, per_field)

    return choose_way(WAYS, fit_each, calls, partial(each, f1), probabilities, labels, fold)[0]
