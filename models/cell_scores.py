"""Which cells of a field speak for a call: the ensemble's score with one cell standing for the whole field.

Every pool of the field's features becomes the cell's own value; what is measured on the field as a whole stays. The
score is that of the stack, before calibration, less that of the field's median cell. It orders the cells of one field;
it is no probability: the models have learnt from fields of many cells, and a single cell is unlike any of them.
"""

from dataclasses import replace

import numpy as np

from models.align import Alignment
from models.fitted import Fitted, ensemble_scores


def stacked_score(fitted: Fitted, organelle: int, values: np.ndarray) -> np.ndarray:
    """The stack's score of one organelle: float64, shape (n,).

    Parameters
    ----------
    fitted : Fitted
    organelle : int
        0 to 27; one that could be learnt.
    values : ndarray of float32, shape (n, n_columns)
        The columns of the fit, in order.
    """
    alone = np.arange(len(fitted.evaluable)) == organelle
    mine = alone[fitted.evaluable]
    alignment = Alignment(fitted.alignment.centre[:, mine], fitted.alignment.spread[:, mine])
    members = ensemble_scores(fitted.folder, fitted.settings, alone, alignment, values)
    stack = fitted.chain.stack
    return replace(stack, **{k: v[mine] for k, v in vars(stack).items() if k != "way"}).score(members)[:, 0]


def above_median(scores: np.ndarray, field: np.ndarray) -> np.ndarray:
    """Scores less that of their field's median cell: the shape of `scores`; `field` (int, (n_cells,)) says whose."""
    out = np.empty_like(scores)
    for one in np.unique(field):
        mine = field == one
        out[mine] = scores[mine] - np.median(scores[mine])
    return out
