"""The second level: how the members' scores of one organelle become one score.

Few parameters, shared by the organelles or pulled towards what they share: with six organelles under 200 fields
anything richer (all organelles' scores, a booster) loses on fields it has not seen.
"""

from dataclasses import dataclass

import numpy as np

from models.logistic import fit_shared, fit_towards
from models.metrics import average_precision, macro
from models.row_sums import row_sums

WAYS: tuple[str, ...] = ("mean", "shared", "shrunk")
"""From the simplest on: nothing fitted; one set of weights for all organelles; each organelle's own, near those."""

PULL = 30.0


@dataclass(frozen=True)
class Stack:
    """A fitted second level: score = sum over members of weight x (score - centre) / spread.

    Attributes
    ----------
    way : str
        One of `WAYS`.
    centre, spread, weight : ndarray of float64, shape (n_organelles, n_members)
    """

    way: str
    centre: np.ndarray
    spread: np.ndarray
    weight: np.ndarray

    def score(self, members: np.ndarray) -> np.ndarray:
        """One score an organelle.

        Parameters
        ----------
        members : ndarray of float, shape (n_fields, n_organelles, n_members)

        Returns
        -------
        ndarray of float64, shape (n_fields, n_organelles)
        """
        return row_sums((members - self.centre) / self.spread, self.weight)


def fit_stack(way: str, members: np.ndarray, labels: np.ndarray) -> Stack:
    """Fit one way of stacking.

    Parameters
    ----------
    way : str
        One of `WAYS`.
    members : ndarray of float, shape (n_fields, n_organelles, n_members)
        Out-of-fold scores.
    labels : ndarray of bool, shape (n_fields, n_organelles)
    """
    members = members.astype(np.float64)
    centre, spread = members.mean(0), members.std(0)
    spread = np.where(spread > 1e-9, spread, 1.0)
    standard = (members - centre) / spread
    n_organelles, m = centre.shape
    weight = np.full((n_organelles, m), 1 / m)
    if way != "mean":
        shared, intercepts = fit_shared(standard, labels)
        weight[:] = shared
    if way == "shrunk":
        ones = np.ones((len(labels), 1))
        pull = np.append(np.full(m, PULL), 1e-3)
        for j in range(n_organelles):
            start = np.append(shared, intercepts[j])
            weight[j] = fit_towards(np.hstack([standard[:, j], ones]), labels[:, j], start, pull)[:m]
    return Stack(way, centre, spread, weight)


def cross_fit(way: str, members: np.ndarray, labels: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Scores of each fold from a stack that was fitted on the others: float64, shape (n_fields, n_organelles)."""
    scores = np.empty(labels.shape)
    for k in np.unique(fold):
        scores[fold == k] = fit_stack(way, members[fold != k], labels[fold != k]).score(members[fold == k])
    return scores


def choose_way(members: np.ndarray, labels: np.ndarray, fold: np.ndarray) -> tuple[str, np.ndarray]:
    """The simplest way that no richer one beats by more than a standard error over folds and organelles.

    Returns
    -------
    way : str
    scores : ndarray of float64, shape (n_fields, n_organelles)
        Its cross-fitted scores.
    """
    way, scores = WAYS[0], cross_fit(WAYS[0], members, labels, fold)
    if members.shape[2] == 1:
        return way, scores
    for rival in WAYS[1:]:
        rivals = cross_fit(rival, members, labels, fold)
        if is_better(_by_fold(rivals, labels, fold) - _by_fold(scores, labels, fold)):
            way, scores = rival, rivals
    return way, scores


def is_better(gains: np.ndarray) -> bool:
    """Whether the gains' mean exceeds its standard error over folds."""
    gains = gains[~np.isnan(gains)]
    return len(gains) > 1 and gains.mean() > gains.std(ddof=1) / np.sqrt(len(gains))


def _by_fold(scores: np.ndarray, labels: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Macro average precision within each fold."""
    return np.array([
        macro([average_precision(labels[fold == k, j], scores[fold == k, j]) for j in range(labels.shape[1])])
        for k in np.unique(fold)
    ])  # fmt: skip
