"""The second level: stack, calibration and thresholds, fitted on out-of-fold scores and cross-fitted to evaluate it."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from engine.running.arrays import handed_over, taken
from engine.running.parallel import run_tasks
from models.data.labels_per_field import AT_LEAST_ONE
from models.second_level.calibration import Calibration, choose_calibration, fit_calibration
from models.second_level.selection import cross_fit
from models.second_level.stacking import Stack, fit_stack, stack_way
from models.second_level.thresholds import Thresholds, choose_thresholds, fit_thresholds


@dataclass(frozen=True)
class SecondLevel:
    """A fitted stack, calibration and thresholds, for the trainable organelles."""

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
class CrossFitted:
    """Cross-fitted predictions: those of each fold come from a second level fitted on the other folds.

    Attributes
    ----------
    mean, scores, probabilities : ndarray of float64, shape (n_fields, n_organelles)
        Plain mean of the members' scores, stacked scores, calibrated probabilities.
    threshold : ndarray of float64, shape (n_fields, n_organelles)
        The threshold used for the field's fold.
    chosen : tuple of tuple of str
        The ways of stack, calibration and thresholds in each fold.
    """

    mean: np.ndarray
    scores: np.ndarray
    probabilities: np.ndarray
    threshold: np.ndarray
    chosen: tuple[tuple[str, str, str], ...]


def fit_second_level(
    members: np.ndarray, labels: np.ndarray, fold: np.ndarray, per_field: str = AT_LEAST_ONE
) -> SecondLevel:
    """Fit all steps, each on the cross-fitted outputs of the step before; chooses the calibration and the thresholds.

    Parameters
    ----------
    members : ndarray of float, shape (n_fields, n_organelles, n_members)
        Out-of-fold scores, finite.
    labels : ndarray of bool, shape (n_fields, n_organelles)
    fold : ndarray of int, shape (n_fields,)
        At least two different folds.
    per_field : str
        How many classes a field can be called for, see `call`.
    """
    way = stack_way(members.shape[2])
    scores = cross_fit(partial(fit_stack, way), Stack.score, members, labels, fold)
    calibration_way, p = choose_calibration(scores, labels, fold)
    threshold_way = choose_thresholds(p, labels, fold, per_field)
    return SecondLevel(
        fit_stack(way, members, labels),
        fit_calibration(calibration_way, scores, labels),
        fit_thresholds(threshold_way, p, labels),
    )


def fit_and_cross_fit(
    members: np.ndarray,
    labels: np.ndarray,
    fold: np.ndarray,
    inputs: Path,
    workers: int = 1,
    per_field: str = AT_LEAST_ONE,
) -> tuple[SecondLevel, CrossFitted]:
    """Fit a second level on all fields, and one without each fold in turn, which is applied to that fold.

    Parameters
    ----------
    members, labels, fold, per_field
        As for `fit_second_level`.
    inputs : Path
        Temporary folder that passes the arrays to the workers.
    workers : int
        Processes.
    """
    folds = np.unique(fold).tolist()
    with handed_over(inputs, members=members, labels=labels, fold=fold):
        fitted = dict(run_tasks(_fit_without, [(inputs, k, per_field) for k in (None, *folds)], workers))
    mean = cross_fit(partial(fit_stack, "mean"), Stack.score, members, labels, fold)
    scores, p, threshold = (np.empty(labels.shape) for _ in range(3))
    for k in folds:
        mine, second_level = fold == k, fitted[k]
        scores[mine] = second_level.stack.score(members[mine])
        p[mine] = second_level.calibration.apply(scores[mine])
        threshold[mine] = second_level.thresholds.threshold
    chosen = tuple((fitted[k].stack.way, fitted[k].calibration.way, fitted[k].thresholds.way) for k in folds)
    return fitted[None], CrossFitted(mean, scores, p, threshold, chosen)


def _fit_without(inputs: Path, k: int | None, per_field: str) -> tuple[int | None, SecondLevel]:
    """A worker's task: a second level without fold k, or of all fields."""
    members, labels, fold = (taken(inputs, name) for name in ("members", "labels", "fold"))
    rest = fold != k if k is not None else np.full(len(fold), True)
    return k, fit_second_level(members[rest], labels[rest], fold[rest], per_field)
