"""Why a field is called for an organelle: what each column adds to the calibrated log-odds, told by groups of columns.

A booster's columns are weighed by TreeSHAP, the linear member's are its terms (`models.explain`). Members and folds
count as they do in the ensemble: aligned, averaged over folds, standardised and weighted by the stack. The calibration
bends the sum; each field's contributions are scaled by how much it does, so that they add up to the difference between
the field's log-odds and those of the average training field, with nothing left over.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.calibrate import Calibration
from models.explain import contributions
from models.fitted import Fitted
from models.members import member
from models.units import Unit


def log_odds_contributions(fitted: Fitted, organelle: int, values: np.ndarray) -> np.ndarray:
    """How far each column moves each field's calibrated log-odds of an organelle from the average training field's.

    Parameters
    ----------
    fitted : Fitted
    organelle : int
        0 to 27; one that could be learnt.
    values : ndarray of float32, shape (n_fields, n_columns)
        The columns of the fit, in order.

    Returns
    -------
    ndarray of float64, shape (n_fields, n_columns)
    """
    i = int(fitted.evaluable[:organelle].sum())
    stack, alignment, n_folds = fitted.chain.stack, fitted.alignment, fitted.settings.n_folds
    total, score = np.zeros(values.shape), np.zeros(len(values))
    for m, name in enumerate(fitted.settings.members):
        weight = stack.weight[i, m] / stack.spread[i, m]
        for k in range(n_folds):
            model, spread = Unit(fitted.folder, organelle, name, k).load(values.shape[1]), alignment.spread[k, i, m]
            total += weight / n_folds / spread * contributions(name, model, values)
            score += weight / n_folds / spread * (member(name).score(model, values) - alignment.centre[k, i, m])
        score -= weight * stack.centre[i, m]
    return total * _steepness(fitted.chain.calibration, i, score, total.sum(1))[:, None]


def _steepness(calibration: Calibration, i: int, score: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Log-odds gained a unit of score, on the way that each field has moved from the average."""
    mine = replace(calibration, **{k: v[i : i + 1] for k, v in vars(calibration).items() if k != "way"})
    gained = np.diff(mine.log_odds(np.stack([score - moved, score], axis=1).reshape(-1, 1)).reshape(-1, 2))[:, 0]
    return gained / np.where(moved == 0, 1.0, moved)


def leading_blocks(contributed: np.ndarray, blocks: Sequence[str], n: int) -> list[tuple[str, float, int]]:
    """The blocks of columns that move one field most, in either direction, and the column that leads each.

    Parameters
    ----------
    contributed : ndarray of float64, shape (n_columns,)
        A row of `log_odds_contributions`.
    blocks : sequence of str
        The block of each column.
    n : int
        At most so many.

    Returns
    -------
    list of (block, contribution, column)
        A block's contribution is the sum of its columns'; its leading column has the largest of the sum's sign.
    """
    names, of_column = np.unique(np.asarray(blocks), return_inverse=True)
    summed = np.bincount(of_column, contributed, len(names))
    found = []
    for b in np.argsort(-abs(summed), kind="stable")[:n]:
        mine = np.flatnonzero(of_column == b)
        leading = int(mine[np.argmax(np.sign(summed[b]) * contributed[mine])])
        found.append((str(names[b]), float(summed[b]), leading))
    return [one for one in found if one[1] != 0]


def percentile(value: float, training: np.ndarray) -> float:
    """Where a value stands among the training fields' (NaN left out), in percent; ties count half; NaN if unknown."""
    known = training[~np.isnan(training)]
    if not len(known) or np.isnan(value):
        return np.nan
    return float(100 * ((known < value).mean() + (known == value).mean() / 2))
