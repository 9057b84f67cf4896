"""Stacking: combines the members' scores of one organelle into one score.

One weight a member, the same for all organelles: with six organelles under 200 fields, larger models (own weights for
each organelle, all organelles' scores as inputs, a booster) do worse on held-out fields.
"""

from dataclasses import dataclass

import numpy as np

from models.row_sums import row_sums
from models.second_level.logistic import fit_shared

WAYS: tuple[str, ...] = ("mean", "shared")
"""Equal weights, for a single member; fitted weights."""

PRIOR_ROWS = 200.0
"""Equal weights count the more the fewer fields there are: their penalty is 1 + PRIOR_ROWS / n_fields."""


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
    weight = np.full(centre.shape, 1 / centre.shape[1])
    if way != "mean":
        weight[:], _ = fit_shared(standard, labels, l2=1 + PRIOR_ROWS / len(members))
    return Stack(way, centre, spread, weight)


def stack_way(n_members: int) -> str:
    """The way for this number of members."""
    return "shared" if n_members > 1 else "mean"
