"""Which fields are used for training, in which fold, and which organelles can be learnt."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.data.labels_per_field import ANY, AT_LEAST_ONE, AT_MOST_ONE, ONE
from models.data.trainability import trainable
from models.first_level.fold_model import Training
from models.first_level.members import COLUMN_SETS
from models.folds import HELD_OUT, keep_folds, make_folds, split_off
from models.settings import FitSettings
from store.channels import PROTEIN
from store.matrix import EMBEDDING

LEAST_GROUPS_TO_HOLD_OUT = 200
_MOST = 0.5  # of the fields


@dataclass(frozen=True)
class Design:
    """Which fields are used for training, in which fold, and which organelles are trainable.

    Attributes
    ----------
    training : Training
    kind : str
        "grouped" if groups were given, even if each has one field; otherwise "random".
    trainable : ndarray of bool, shape (n_classes,)
    """

    training: Training
    kind: str
    trainable: np.ndarray

    @property
    def in_folds(self) -> np.ndarray:
        """The fields that are not held out."""
        return self.training.fold >= 0

    def per_field(self, asked: str) -> str:
        """How many classes a field can be called for: perhaps none if most fields have a class that is never called.

        Parameters
        ----------
        asked : str
            How many classes a field has, one of `models.data.labels_per_field.PER_FIELD`.
        """
        share = self.training.labels[self.in_folds].mean(0)
        fewer = {ONE: AT_MOST_ONE, AT_LEAST_ONE: ANY}
        return fewer.get(asked, asked) if (share[~self.trainable] >= _MOST).any() else asked

    @property
    def organelles(self) -> list[int]:
        """The trainable ones."""
        return np.flatnonzero(self.trainable).tolist()


def make_design(
    matrix: np.ndarray, columns: pd.DataFrame, labels: np.ndarray, groups: np.ndarray, settings: FitSettings,
    named: bool = True, earlier: np.ndarray | None = None,
) -> Design:  # fmt: skip
    """Hold out whole groups, divide the rest into folds (or keep an earlier fit's), and find the trainable organelles.

    Parameters are those of `fit`; `earlier` is its `fold`.
    """
    if earlier is None:
        fold = np.full(len(labels), HELD_OUT, np.int8)
        kept = np.ones(len(labels), bool)
        if settings.held_out > 0 and len(np.unique(groups)) >= LEAST_GROUPS_TO_HOLD_OUT:
            kept = ~split_off(labels, groups, settings.held_out, settings.seed)
        fold[kept] = make_folds(labels[kept], groups[kept], settings.n_folds, settings.seed).fold
    else:
        fold = keep_folds(earlier, np.asarray(groups), settings.n_folds)
    values, sets = np.ascontiguousarray(matrix, np.float32), column_sets(columns)
    training = Training(values, labels, np.asarray(groups, np.int64), fold, sets, columns["name"].to_numpy(str))
    return Design(training, "grouped" if named else "random", trainable(labels, groups, fold))


def column_sets(columns: pd.DataFrame) -> np.ndarray:
    """The number of each column's set in `COLUMN_SETS`, int8; -1 for all without a description of the columns."""
    if not {"family", "channels"} <= set(columns):
        return np.full(len(columns), -1, np.int8)
    of_protein = np.array([PROTEIN.name in channels for channels in columns["channels"]], bool)
    sets = np.where(of_protein, COLUMN_SETS.index("protein"), COLUMN_SETS.index("landmarks"))
    return np.where(columns["family"] == EMBEDDING, COLUMN_SETS.index("embedding"), sets).astype(np.int8)
