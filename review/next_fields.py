"""The most useful fields to label. The list stays while it is worked through."""

import threading

import numpy as np

from models.trust.label_next import most_useful
from review.catalogue import Catalogue
from review.labels import LabelTable

NEXT = 100
"""Fields that are proposed at a time."""


class NextFields:
    """The list that was proposed last."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._proposed: tuple[object, np.ndarray] = ((), np.empty(0, np.int64))

    def rows(
        self, catalogue: Catalogue, placed: np.ndarray, labels: LabelTable, probabilities: np.ndarray, stage: str
    ) -> np.ndarray:
        """Training fields without a label, most useful first.

        The list is made anew when most of its fields are labelled, or after a refit.

        Parameters
        ----------
        catalogue : Catalogue
        placed : ndarray, shape (n, n_directions)
            Where the fields lie.
        labels : LabelTable
        probabilities : ndarray, shape (n, k)
            As far as they are known.
        stage : str
            How far the predictions are: another stage makes another list.
        """
        mark = (id(placed), id(catalogue), stage)
        with self._guard:
            before, rows = self._proposed
            left = ~labels.labelled[rows] & ~labels.unusable[rows]
            if before != mark or left.sum() < NEXT // 4:
                rows = _choose(catalogue, placed, labels, probabilities)
                self._proposed = (mark, rows)
            return rows


def _choose(catalogue: Catalogue, placed: np.ndarray, labels: LabelTable, probabilities: np.ndarray) -> np.ndarray:
    open_to = (catalogue.split == "train") & ~labels.labelled & ~labels.unusable
    prior = (labels.matrix[labels.labelled].sum(0) + 0.5) / (labels.labelled.sum() + 1)
    known = None if catalogue.fitted is None else probabilities
    return most_useful(placed, labels.labelled, open_to, known, prior, NEXT)
