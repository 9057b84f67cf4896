"""Scores single cells: the stack's score of a field whose features are those of one cell.

Every pooled feature of the field is replaced by the cell's value; features of the whole field stay. The score is the
stack's, before calibration, minus that of the field's median cell. It ranks the cells of one field and is not a
probability, because the models were trained on fields of many cells.
"""

from dataclasses import replace

import numpy as np

from models.ensemble import ensemble_scores
from models.fitted import Fitted
from models.second_level.standardisation import FoldStandardisation

PROBABLE = 3
"""Cells are scored for a field's calls, and for this many of its most probable organelles."""


def scored_organelles(probabilities: np.ndarray, calls: np.ndarray, trainable: np.ndarray) -> np.ndarray:
    """The organelles that each field's cells are scored for, its calls and most probable ones: bool, (n, n_classes).

    Parameters
    ----------
    probabilities : ndarray of float64, shape (n, n_classes)
    calls : ndarray of bool, shape (n, n_classes)
    trainable : ndarray of bool, shape (n_classes,)
        Other organelles have no models to score cells.
    """
    ranks = np.argsort(np.argsort(np.where(trainable, -probabilities, np.inf), axis=1, kind="stable"), axis=1)
    return (calls | (ranks < PROBABLE)) & trainable


def stacked_score(fitted: Fitted, organelle: int, values: np.ndarray) -> np.ndarray:
    """The stack's score of one organelle: float64, shape (n,).

    Parameters
    ----------
    fitted : Fitted
    organelle : int
        0 to 27; a trainable one.
    values : ndarray of float32, shape (n, n_columns)
        The columns of the fit, in order.
    """
    alone = np.arange(len(fitted.trainable)) == organelle
    mine = alone[fitted.trainable]
    standardisation = FoldStandardisation(
        fitted.standardisation.centre[:, mine], fitted.standardisation.spread[:, mine]
    )
    members = ensemble_scores(fitted.folder.models, fitted.settings, alone, standardisation, values)
    stack = fitted.second_level.stack
    return replace(stack, **{k: v[mine] for k, v in vars(stack).items() if k != "way"}).score(members)[:, 0]


def above_median(scores: np.ndarray, field: np.ndarray) -> np.ndarray:
    """Scores minus that of their field's median cell; `field` (int, shape (n_cells,)) is each cell's field."""
    out = np.empty_like(scores)
    for one in np.unique(field):
        mine = field == one
        out[mine] = scores[mine] - np.median(scores[mine])
    return out
