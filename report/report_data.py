"""The data of a report page, gathered from the run folder."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from report.leading_cells import LeadingReason
from store.classes import Classes

PICTURE_SIDE = 224
"""Width and height of a picture, px."""


@dataclass(frozen=True)
class Failure:
    """A field that could not be used."""

    field: str
    stage: str
    error: str


@dataclass(frozen=True)
class Picture:
    """A picture of a field on an organelle's card.

    Attributes
    ----------
    row : int
        Row of the training field.
    kind : str
        "hit", "missed" or "false call".
    jpeg : bytes
    """

    row: int
    kind: str
    jpeg: bytes


@dataclass(frozen=True)
class Wells:
    """Where fields are on plates: one text a field, "" where it is not known."""

    plate: tuple[str, ...]
    well: tuple[str, ...]


@dataclass(frozen=True)
class ReportData:
    """The results of a run.

    Attributes
    ----------
    name : str
        Of the run.
    simulated : bool
    folds_kind : str
        "grouped" or "random".
    groups_from : str
        Where the groups come from, in words.
    facts : mapping of str to str
        Counts of the data, shown as they are.
    ids : tuple of str
        The training fields, n of them.
    classes : Classes
    labels, calls : ndarray of bool, shape (n, n_classes)
    probabilities : ndarray of float, shape (n, n_classes)
        Out-of-fold: from models that have not seen the field.
    fold, groups : ndarray of int, shape (n,)
        Fold -1 for held-out fields.
    trainable : ndarray of bool, shape (n_classes,)
    leaderboard : DataFrame
        As in leaderboard.csv.
    columns : DataFrame
        The structured columns of the field matrix.
    importance : DataFrame
        As in importance.parquet.
    label_errors : DataFrame
        As in label_errors.csv.
    duplicates : DataFrame
        As in duplicates.csv.
    cells : ndarray of float, shape (n,), or None
        Cells of each field, if they were counted.
    failures : tuple of Failure
    pictures : mapping of int to tuple of Picture
        By organelle.
    wells : Wells or None
        Where the fields are on plates, if that is known.
    reasons : mapping of int to LeadingReason
        By organelle.
    n_relabelled : int
        Training fields that have other labels by now, or are marked as unusable.
    """

    name: str
    simulated: bool
    folds_kind: str
    groups_from: str
    facts: Mapping[str, str]
    ids: tuple[str, ...]
    classes: Classes
    labels: np.ndarray
    probabilities: np.ndarray
    calls: np.ndarray
    fold: np.ndarray
    groups: np.ndarray
    trainable: np.ndarray
    leaderboard: pd.DataFrame
    columns: pd.DataFrame
    importance: pd.DataFrame
    label_errors: pd.DataFrame
    duplicates: pd.DataFrame
    cells: np.ndarray | None = None
    failures: tuple[Failure, ...] = ()
    pictures: Mapping[int, tuple[Picture, ...]] = field(default_factory=dict)
    wells: Wells | None = None
    reasons: Mapping[int, LeadingReason] = field(default_factory=dict)
    n_relabelled: int = 0

    @property
    def scored(self) -> np.ndarray:
        """Which fields are scored, bool (n,): those in folds, not the held-out ones."""
        return self.fold >= 0
