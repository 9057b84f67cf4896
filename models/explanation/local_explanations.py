"""Local explanations: what each column, and each block of columns, adds to a field's calibrated log-odds.

Contributions are SHAP values of the boosters, and what takes their place in the other members (see `shap_values`).
Members and folds count as in the ensemble: standardised, averaged over folds and weighted by the stack. The calibration
is not linear, so each field's contributions are scaled to add up to the difference between its calibrated log-odds and
those of the average training field.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.explanation.shap_values import contributions
from models.first_level.fold_model import FoldModel, load_models
from models.fitted import Fitted
from models.second_level.calibration import Calibration


def log_odds_contributions(fitted: Fitted, organelle: int, values: np.ndarray) -> np.ndarray:
    """How far each column moves each field's calibrated log-odds of an organelle from the average training field's.

    Parameters
    ----------
    fitted : Fitted
    organelle : int
        0 to 27; a trainable one.
    values : ndarray of float32, shape (n_fields, n_columns)
        The columns of the fit, in order.

    Returns
    -------
    ndarray of float64, shape (n_fields, n_columns)
    """
    i = int(fitted.trainable[:organelle].sum())
    stack, standardisation, n_folds = fitted.second_level.stack, fitted.standardisation, fitted.settings.n_folds
    total, score = np.zeros(values.shape), np.zeros(len(values))
    for m, name in enumerate(fitted.settings.members):
        weight = stack.weight[i, m] / stack.spread[i, m]
        for k in range(n_folds):
            (model,) = load_models(
                [FoldModel(fitted.folder.models, organelle, name, k, fitted.classes.names)], values.shape[1]
            )
            spread = standardisation.spread[k, i, m]
            total += weight / n_folds / spread * contributions(model, values)
            score += weight / n_folds / spread * (model.score(values) - standardisation.centre[k, i, m])
        score -= weight * stack.centre[i, m]
    return total * _steepness(fitted.second_level.calibration, i, score, total.sum(1))[:, None]


def _steepness(calibration: Calibration, i: int, score: np.ndarray, moved: np.ndarray) -> np.ndarray:
    """Mean slope of the calibration between the average training field's score and each field's."""
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
        Number of blocks, at most.

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
    """Percentile of a value among the training fields' (without NaN); ties count half; NaN if unknown."""
    known = training[~np.isnan(training)]
    if not len(known) or np.isnan(value):
        return np.nan
    return float(100 * ((known < value).mean() + (known == value).mean() / 2))
