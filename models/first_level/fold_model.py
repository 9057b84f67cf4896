"""The files of one first-level model (organelle, fold, member), and the data that it is trained on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.files import content_hash, read_json
from engine.running.arrays import taken
from models.data.labels import ORGANELLES, folder_name
from models.first_level.members import member
from models.first_level.tree_checks import REMEDY, unusable
from store.stamp import array_hash, stamp_of


@dataclass(frozen=True)
class FoldModel:
    """The model of one organelle, fold and member."""

    folder: Path
    organelle: int
    member: str
    fold: int
    names: tuple[str, ...] = ORGANELLES

    def file(self, suffix: str) -> Path:
        """A file of this fold model, e.g. 08_Peroxisomes/xgboost_fold3.ubj."""
        return self.folder / folder_name(self.organelle, self.names) / f"{self.member}_fold{self.fold}{suffix}"

    @property
    def note(self) -> Path:
        """Its stamp and the hash of the model file; written last."""
        return self.file("_note.json")

    @property
    def scores(self) -> Path:
        """Scores of the fold's fields, in their order."""
        return self.file("_scores.npy")

    @property
    def model(self) -> Path:
        """The model in its library's own format."""
        return self.file(member(self.member).SUFFIX)

    def is_finished(self, mark: str) -> bool:
        """Whether all files are there and carry this stamp."""
        if not (self.note.is_file() and self.scores.is_file() and self.model.is_file()):
            return False
        return stamp_of(self.note) == mark

    def load(self, n_columns: int) -> Any:
        """Load the model for values with this many columns.

        Raises
        ------
        InputError
            If its file is missing, has changed since the fit, or is damaged.
        """
        model = member(self.member).load(self.model, n_columns)
        note = read_json(self.note, REMEDY)
        if not isinstance(note, dict) or note.get("model") != content_hash(self.model):
            raise unusable(self.model, "has changed since it was fitted (its hash is not the one in its note)")
        return model


@dataclass(frozen=True)
class Training:
    """Training data of the first level.

    Attributes
    ----------
    values : ndarray of float32, shape (n_fields, n_columns)
    labels : ndarray of bool, shape (n_fields, 28)
    groups : ndarray of int, shape (n_fields,)
    fold : ndarray of int8, shape (n_fields,)
        Fold in which the field is held out; -1 for a field that no model is trained on.
    """

    values: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    fold: np.ndarray

    def content_hash(self) -> str:
        """A hash of values, labels, groups and folds."""
        return array_hash(self.values, self.labels, self.groups, self.fold)

    @classmethod
    def load(cls, folder: Path) -> "Training":
        """Open the arrays in a folder; they are memory-mapped and read when used."""
        return cls(*(taken(folder, name) for name in cls.__dataclass_fields__))

    def of(self, rows: np.ndarray) -> "Rows":
        """The values of some rows, read when used."""
        return Rows(self.values, rows)


@dataclass(frozen=True)
class Rows:
    """Some rows of a matrix on disk; parts are read when indexed, never the whole.

    Attributes
    ----------
    values : ndarray of float32, shape (n_fields, n_columns)
    rows : ndarray of int, shape (n,)
    """

    values: np.ndarray
    rows: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.rows), self.values.shape[1]

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, part: slice | tuple[slice, slice | np.ndarray]) -> np.ndarray:
        """A slice of the rows and optionally some columns, as a new array."""
        rows, columns = part if isinstance(part, tuple) else (part, slice(None))
        numbers = np.arange(self.values.shape[1])[columns] if isinstance(columns, slice) else columns
        return self.values[np.ix_(self.rows[rows], numbers)]
