"""Model selection for each step of the second level, by the one-standard-error rule on held-out folds."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

import numpy as np

from models.evaluation.metrics import macro

Fitted = TypeVar("Fitted")
Fit = Callable[[str, np.ndarray, np.ndarray], Fitted]
"""Fits one way, by its name, to inputs and labels."""
Score = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Scores outputs, one number an organelle; higher is better, NaN where it is not defined."""


def choose_way(
    ways: Sequence[str],
    fit: Fit[Fitted],
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
    fit, apply
        Fit a way on some fields, and give its outputs for others: shape (n, n_organelles).
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

    def attempt(way: str) -> tuple[np.ndarray, np.ndarray]:
        outputs = cross_fit(partial(fit, way), apply, inputs, labels, fold)
        return outputs, np.array([macro(score(labels[fold == k], outputs[fold == k])) for k in np.unique(fold)])

    chosen, (outputs, scores) = ways[0], attempt(ways[0])
    for way in ways[1:]:
        rival, rival_scores = attempt(way)
        if is_better(rival_scores - scores):
            chosen, outputs, scores = way, rival, rival_scores
    return chosen, outputs


def cross_fit(
    fit: Callable[[np.ndarray, np.ndarray], Fitted],
    apply: Callable[[Fitted, np.ndarray], np.ndarray],
    inputs: np.ndarray,
    labels: np.ndarray,
    fold: np.ndarray,
) -> np.ndarray:
    """Outputs of each fold from a fit on the other folds: shape (n_fields, n_organelles)."""
    order = np.argsort(fold, kind="stable")
    outputs = [apply(fit(inputs[fold != k], labels[fold != k]), inputs[fold == k]) for k in np.unique(fold)]
    return np.concatenate(outputs)[np.argsort(order)]


def is_better(gains: np.ndarray) -> bool:
    """Whether the gains' mean exceeds its standard error over folds."""
    gains = gains[~np.isnan(gains)]
    return len(gains) > 1 and gains.mean() > gains.std(ddof=1) / np.sqrt(len(gains))
