"""Local explanations: what each block of columns adds to a field's calibrated log-odds.

A block is one player of the Shapley values of groups, as in the importances: its columns become known together, and the
unknown ones have the values of training fields without the class. Members and folds count as in the ensemble:
standardised, averaged over folds and weighted by the stack. The calibration is not linear, so each field's
contributions are scaled to add up to the difference between its calibrated log-odds and those of the training fields
that it is compared with.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from models.explanation.stacked_models import Stacked
from models.fitted import Fitted
from models.second_level.calibration import Calibration

PAIRS = 4
"""Precision for one field, as of `group_contributions`: more than for the importances, which are means over fields."""

_SAMPLE = 200
_SEED = 0


@dataclass(frozen=True)
class Background:
    """A sample of the training fields, with which fields are compared.

    Attributes
    ----------
    values : ndarray of float32, shape (n, n_columns)
        The columns of the fit, in order.
    labels : ndarray of bool, shape (n, n_classes)
    """

    values: np.ndarray
    labels: np.ndarray

    @classmethod
    def of(cls, fitted: Fitted, values: np.ndarray) -> "Background":
        """Draw the sample from the training fields' values, shape (n_training_fields, n_columns)."""
        rows = np.sort(np.random.default_rng(_SEED).permutation(len(values))[:_SAMPLE])
        return cls(values[rows], fitted.labels[rows])

    def without(self, organelle: int) -> np.ndarray:
        """The values of the fields without a class; of all, if each carries it."""
        rows = ~self.labels[:, organelle]
        return self.values[rows] if rows.any() else self.values


@dataclass(frozen=True)
class Explanation:
    """What moved the log-odds of some fields.

    Attributes
    ----------
    blocks : tuple of str
    added : ndarray of float64, shape (n_fields, n_blocks)
        Log-odds that each block adds.
    leading : ndarray of int, shape (n_fields, n_blocks)
        The column of the block that, by itself, moves the field most in the block's direction.
    """

    blocks: tuple[str, ...]
    added: np.ndarray
    leading: np.ndarray

    def largest(self, field: int, n: int) -> list[tuple[str, float, int]]:
        """The blocks that move a field most, in either direction, n at most: block, log-odds, leading column."""
        order = np.argsort(-abs(self.added[field]), kind="stable")[:n]
        found = [(self.blocks[b], float(self.added[field, b]), int(self.leading[field, b])) for b in order]
        return [one for one in found if one[1] != 0]


def explain(
    fitted: Fitted, organelle: int, values: np.ndarray, blocks: Sequence[str], background: Background
) -> Explanation:
    """How far each block of columns moves each field's calibrated log-odds of a class.

    Parameters
    ----------
    fitted : Fitted
    organelle : int
        Number of a trainable class.
    values : ndarray of float32, shape (n_fields, n_columns)
        The columns of the fit, in order.
    blocks : sequence of str
        The block of each column.
    background : Background
    """
    names, of_column = np.unique(np.asarray(blocks), return_inverse=True)
    members, absent = np.eye(len(names), dtype=bool)[of_column], background.without(organelle)
    stacked, n_folds = Stacked.of(fitted).only(organelle), fitted.settings.n_folds
    score, single, added = np.zeros(len(values)), np.zeros(values.shape), np.zeros((len(values), len(names)))
    for k in range(n_folds):
        fold = stacked.load(k, values.shape[1])
        score += fold.scores(values)[0] / n_folds
        single += fold.contributions(values) / n_folds
        rng = np.random.default_rng([_SEED, k])
        added += fold.group_contributions(values, absent, members, rng, PAIRS, alike=True) / n_folds
    added *= _steepness(fitted.second_level.calibration, int(fitted.trainable[:organelle].sum()), score, added)
    return Explanation(tuple(names.tolist()), added, _leading(single, added, of_column))


def _leading(single: np.ndarray, added: np.ndarray, of_column: np.ndarray) -> np.ndarray:
    """Of each field and block the column with the largest contribution of its own, in the direction of the block's."""
    leading = np.empty(added.shape, np.int64)
    for b in range(added.shape[1]):
        mine = np.flatnonzero(of_column == b)
        leading[:, b] = mine[np.argmax(np.sign(added[:, [b]]) * single[:, mine], axis=1)]
    return leading


def _steepness(calibration: Calibration, i: int, score: np.ndarray, added: np.ndarray) -> np.ndarray:
    """Mean slope of the calibration between the score of what a field is compared with and its own: shape (n, 1)."""
    moved = added.sum(1)
    mine = replace(calibration, **{k: v[i : i + 1] for k, v in vars(calibration).items() if k != "way"})
    gained = np.diff(mine.log_odds(np.stack([score - moved, score], axis=1).reshape(-1, 1)).reshape(-1, 2))[:, 0]
    return (gained / np.where(moved == 0, 1.0, moved))[:, None]


def percentile(value: float, training: np.ndarray) -> float:
    """Percentile of a value among the training fields' (without NaN); ties count half; NaN if unknown."""
    known = training[~np.isnan(training)]
    if not len(known) or np.isnan(value):
        return np.nan
    return float(100 * ((known < value).mean() + (known == value).mean() / 2))
