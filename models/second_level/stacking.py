"""Stacking: combines the members' scores of one organelle into one score.

It has few parameters, shared by the organelles or shrunk towards shared ones: with six organelles under 200 fields,
larger models (all organelles' scores as inputs, a booster) do worse on held-out fields.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from models.evaluation.metrics import average_precision, each
from models.row_sums import row_sums
from models.second_level.logistic import fit_shared, fit_with_prior
from models.second_level.selection import choose_way

WAYS: tuple[str, ...] = ("mean", "shared", "shrunk")
"""Simplest first: equal weights; one set of weights for all organelles; weights for each, shrunk towards those."""

L2 = 30.0
"""Penalty of an organelle's own weights, towards the shared ones."""


@dataclass(frozen=True)
class Stack:
    """A fitted stack: score = sum over members of weight x (score - centre) / spread.

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
        l2 = np.append(np.full(m, L2), 1e-3)
        for j in range(n_organelles):
            prior_mean = np.append(shared, intercepts[j])
            weight[j] = fit_with_prior(np.hstack([standard[:, j], ones]), labels[:, j], prior_mean, l2)[:m]
    return Stack(way, centre, spread, weight)


def choose_stack(members: np.ndarray, labels: np.ndarray, fold: np.ndarray) -> tuple[str, np.ndarray]:
    """The way of stacking, by macro average precision, and its cross-fitted scores; see `choose_way`."""
    ways = WAYS if members.shape[2] > 1 else WAYS[:1]
    return choose_way(ways, fit_stack, Stack.score, partial(each, average_precision), members, labels, fold)
