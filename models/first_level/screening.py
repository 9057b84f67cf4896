"""Screening: the columns that each organelle's boosters get, chosen on a fold's training part.

With thousands of columns a booster spends its time on columns that do not help: its own 200 cost a fifth of the time
and lose nothing (docs/benchmarks.md, "Screening"). A column counts if it goes with the label alone, or beside the
others: its correlation and its ridge weight, each relative to the median column's; the larger of the two decides.
"""

from collections.abc import Sequence

import numpy as np
from scipy.linalg import cho_solve

from models.first_level.linear import Prepared, covariance


def screen(prepared: Prepared, labels: np.ndarray, organelles: Sequence[int], n_kept: int) -> np.ndarray:
    """The best columns of each organelle.

    Parameters
    ----------
    prepared : Prepared
        The linear kind's, of the training part.
    labels : ndarray of bool, shape (n, 28)
        Of the training part.
    organelles : sequence of int
    n_kept : int
        How many columns to keep.

    Returns
    -------
    ndarray of int32, shape (28, n_kept)
        Column numbers, rising; -1 for the other organelles.
    """
    n_kept = min(n_kept, len(prepared.mean))
    kept = np.full((labels.shape[1], n_kept), -1, np.int32)
    for j in organelles:
        alone = covariance(prepared, labels[:, j])
        beside_others = cho_solve(prepared.system, alone)
        merit = np.maximum(_relative(alone), _relative(beside_others))
        kept[j] = np.sort(np.argsort(-merit, kind="stable")[:n_kept])
    return kept


def _relative(values: np.ndarray) -> np.ndarray:
    size = abs(values)
    return size / max(float(np.median(size)), 1e-30)
