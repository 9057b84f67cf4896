"""Screening: the columns that each organelle's boosters get, chosen on a fold's training part.

With thousands of columns a booster spends its time on columns that do not help. The 200 best of each organelle take a
fifth of the time; a booster alone loses 0.01 of average precision by it at most (docs/benchmarks.md, "Screening").
Columns are ranked by their correlation with the label and by their ridge weight, which counts what they add to the
others: each is divided by the median column's, and the larger of the two decides.
"""

from collections.abc import Sequence

import numpy as np

from models.first_level.linear import Prepared, correlations


def rank_columns(prepared: Prepared, labels: np.ndarray, organelles: Sequence[int]) -> np.ndarray:
    """The columns of each organelle, the best first.

    Parameters
    ----------
    prepared : Prepared
        The linear kind's, of the training part.
    labels : ndarray of bool, shape (n, n_classes)
        Of the training part.
    organelles : sequence of int

    Returns
    -------
    ndarray of int32, shape (n_classes, n_columns)
        Column numbers; -1 for the other organelles.
    """
    ranking = np.full((labels.shape[1], len(prepared.mean)), -1, np.int32)
    for j in organelles:
        alone = correlations(prepared, labels[:, j])
        beside_others = prepared.solve(alone)
        ranking[j] = np.argsort(-np.maximum(_relative(alone), _relative(beside_others)), kind="stable")
    return ranking


def best(ranking: np.ndarray, n_kept: int, among: np.ndarray | None) -> np.ndarray:
    """The best columns of one organelle, at most n_kept and only among some (None: all), in rising order."""
    mine = ranking if among is None else ranking[np.isin(ranking, among)]
    return np.sort(mine[:n_kept])


def _relative(values: np.ndarray) -> np.ndarray:
    size = abs(values)
    return size / max(float(np.median(size)), 1e-30)
