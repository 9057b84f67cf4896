"""Stack, calibration and thresholds as one: fitted on out-of-fold scores, and judged on folds it has not seen."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.arrays import handed_over, taken
from engine.parallel import run_units
from models import calibrate, stack, thresholds
from models.calibrate import Calibration, fit_calibration
from models.stack import Stack, fit_stack
from models.thresholds import Thresholds, fit_thresholds


@dataclass(frozen=True)
class Chain:
    """All that follows the first level, for the organelles that could be learnt."""

    stack: Stack
    calibration: Calibration
    thresholds: Thresholds

    def probabilities(self, members: np.ndarray) -> np.ndarray:
        """Calibrated probabilities from members' scores.

        Parameters
        ----------
        members : ndarray of float, shape (n_fields, n_organelles, n_members)

        Returns
        -------
        ndarray of float64, shape (n_fields, n_organelles)
        """
        return self.calibration.apply(self.stack.score(members))

    def to_json(self) -> dict[str, Any]:
        """The parameters as JSON."""
        parts = {"stack": self.stack, "calibration": self.calibration, "thresholds": self.thresholds}
        return {name: {k: v if isinstance(v, str) else v.tolist() for k, v in vars(part).items()}
                for name, part in parts.items()}  # fmt: skip


@dataclass(frozen=True)
class Nested:
    """What the chain gives for fields that it was not fitted on: each fold by a chain fitted on the other folds.

    Attributes
    ----------
    mean, scores, probabilities : ndarray of float64, shape (n_fields, n_organelles)
        Members' plain mean, stack, calibrated.
    threshold : ndarray of float64, shape (n_fields, n_organelles)
        The threshold that held for the field's fold.
    chosen : tuple of tuple of str
        The ways of stack, calibration and thresholds in each fold.
    """

    mean: np.ndarray
    scores: np.ndarray
    probabilities: np.ndarray
    threshold: np.ndarray
    chosen: tuple[tuple[str, str, str], ...]


def fit_chain(members: np.ndarray, labels: np.ndarray, fold: np.ndarray, at_least_one: bool = True) -> Chain:
    """Choose and fit all steps; each is chosen and fitted on what the step before gives for unseen folds.

    Parameters
    ----------
    members : ndarray of float, shape (n_fields, n_organelles, n_members)
        Out-of-fold scores, finite.
    labels : ndarray of bool, shape (n_fields, n_organelles)
    fold : ndarray of int, shape (n_fields,)
        At least two different.
    at_least_one : bool
        Whether a field without a call gets its most probable organelle.
    """
    way, scores = stack.choose_way(members, labels, fold)
    curve, p = calibrate.choose_way(scores, labels, fold)
    cut = thresholds.choose_way(p, labels, fold, at_least_one)
    return Chain(
        fit_stack(way, members, labels), fit_calibration(curve, scores, labels), fit_thresholds(cut, p, labels)
    )


def fit_nested(
    members: np.ndarray, labels: np.ndarray, fold: np.ndarray, inputs: Path, workers: int = 1, at_least_one: bool = True
) -> Nested:
    """Fit a chain without each fold in turn and apply it to that fold.

    Parameters
    ----------
    members, labels, fold, at_least_one
        As for `fit_chain`.
    inputs : Path
        Folder in which they are handed to the workers.
    workers : int
        Processes.
    """
    folds = np.unique(fold).tolist()
    with handed_over(inputs, members=members, labels=labels, fold=fold):
        chains = dict(run_units(_fit_without, [(inputs, k, at_least_one) for k in folds], workers))
    mean, scores, p, threshold = (np.empty(labels.shape) for _ in range(4))
    for k in folds:
        rest, mine, chain = fold != k, fold == k, chains[k]
        mean[mine] = fit_stack("mean", members[rest], labels[rest]).score(members[mine])
        scores[mine] = chain.stack.score(members[mine])
        p[mine] = chain.calibration.apply(scores[mine])
        threshold[mine] = chain.thresholds.threshold
    chosen = tuple((chains[k].stack.way, chains[k].calibration.way, chains[k].thresholds.way) for k in folds)
    return Nested(mean, scores, p, threshold, chosen)


def _fit_without(inputs: Path, k: int, at_least_one: bool) -> tuple[int, Chain]:
    members, labels, fold = (taken(inputs, name) for name in ("members", "labels", "fold"))
    rest = fold != k
    return k, fit_chain(members[rest], labels[rest], fold[rest], at_least_one)
