"""Model selection for each step of the second level, by the one-standard-error rule on held-out folds."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np

from models.evaluation.metrics import macro

Fitted = TypeVar("Fitted")
FitEach = Callable[[np.ndarray, np.ndarray], Iterable[Fitted]]
"""Fits each way to inputs and labels."""
Score = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Scores outputs, one number an organelle; higher is better, NaN where it is not defined."""


def choose_way(
    ways: Sequence[str],
    fit_each: FitEach[Fitted],
    apply: Callable[[Fitted, np.ndarray], np.ndarray],
    score: Score,
    inputs: np.ndarray,
    labels: np.ndarray,
    fold: np.ndarray,
) -> tuple[str, np.ndarray]:
    """The simplest way that no more complex one beats by more than a standard error over folds.

    Parameters
    ----------
    ways : sequence of str
        Simplest first.
    fit_each, apply
        Fit the ways on some fields, and give the outputs of one for others: shape (n, n_organelles).
    score
        What is compared: its mean over organelles within each fold.
    inputs : ndarray, shape (n_fields, n_organelles, ...)
    labels : ndarray of bool, shape (n_fields, n_organelles)
    fold : ndarray of int, shape (n_fields,)

    Returns
    -------
    way : str
    outputs : ndarray, shape (n_fields, n_organelles)
        Its cross-fitted outputs.
    """

    def apply_each(fitted: Iterable[Fitted], unseen: np.ndarray) -> np.ndarray:
        return np.stack([apply(one, unseen) for one in fitted], axis=-1)

    outputs = cross_fit(fit_each, apply_each, inputs, labels, fold)
    scores = [
        np.array([macro(score(labels[fold == k], outputs[fold == k, :, way])) for k in np.unique(fold)])
        for way in range(len(ways))
    ]
    chosen = 0
    for way in range(1, len(ways)):
        if is_better(scores[way] - scores[chosen]):
            chosen = way
    return ways[chosen], outputs[:, :, chosen]


def cross_fit(
    fit: Callable[[np.ndarray, np.ndarray], Fitted],
    apply: Callable[[Fitted, np.ndarray], np.ndarray],
    inputs: np.ndarray,
    labels: np.ndarray,
    fold: np.ndarray,
) -> np.ndarray:
    """Outputs of each fold from a fit on the other folds: n_fields rows, each of the shape that `apply` gives."""
    order = np.argsort(fold, kind="stable")
    outputs = [apply(fit(inputs[fold != k], labels[fold != k]), inputs[fold == k]) for k in np.unique(fold)]
    return np.concatenate(outputs)[np.argsort(order)]


def is_better(gains: np.ndarray) -> bool:
    """Whether the gains' mean exceeds its standard error over folds."""
    gains = gains[~np.isnan(gains)]
    return len(gains) > 1 and gains.mean() > gains.std(ddof=1) / np.sqrt(len(gains))
