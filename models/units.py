"""The unit of work of the first level and the arrays it reads: all on disk, so that any worker can do any unit."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.arrays import taken
from engine.files import content_hash, made_from, read_json
from models.labels import ORGANELLES, folder_name
from models.members import member
from models.trees import REMEDY, unusable


@dataclass(frozen=True)
class Unit:
    """The model of one organelle, fold and member."""

    folder: Path
    organelle: int
    member: str
    fold: int
    names: tuple[str, ...] = ORGANELLES

    def file(self, suffix: str) -> Path:
        """A file of this unit, e.g. 08_Peroxisomes/xgboost_fold3.ubj."""
        return self.folder / folder_name(self.organelle, self.names) / f"{self.member}_fold{self.fold}{suffix}"

    @property
    def note(self) -> Path:
        """What it was made from; written last."""
        return self.file("_note.json")

    @property
    def scores(self) -> Path:
        """Scores of the fold's fields, in their order."""
        return self.file("_scores.npy")

    @property
    def model(self) -> Path:
        """The model in its library's own format."""
        return self.file(member(self.member).SUFFIX)

    def is_finished(self, key: str) -> bool:
        """Whether all is on disk and was made from the same."""
        if not (self.note.is_file() and self.scores.is_file() and self.model.is_file()):
            return False
        return made_from(self.note) == key

    def load(self, n_columns: int) -> Any:
        """The model, to score values of this many columns.

        Raises
        ------
        InputError
            If its file is missing, not the one that was fitted, or not as its member writes it.
        """
        model = member(self.member).load(self.model, n_columns)
        note = read_json(self.note, REMEDY)
        if not isinstance(note, dict) or note.get("model") != content_hash(self.model):
            raise unusable(self.model, "has changed since it was fitted (its hash is not the one in its note)")
        return model


@dataclass(frozen=True)
class Training:
    """What the first level learns from.

    Attributes
    ----------
    values : ndarray of float32, shape (n_fields, n_columns)
    labels : ndarray of bool, shape (n_fields, 28)
    groups : ndarray of int, shape (n_fields,)
    fold : ndarray of int8, shape (n_fields,)
        Fold that tests the field; -1 for a field that no model may see.
    """

    values: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    fold: np.ndarray

    def key(self) -> str:
        """A hash of all of it."""
        sha = hashlib.sha256()
        for array in (self.values, self.labels, self.groups, self.fold):
            sha.update(f"{array.dtype.str}{array.shape}".encode())
            sha.update(np.ascontiguousarray(array).data)
        return sha.hexdigest()

    @classmethod
    def load(cls, folder: Path) -> "Training":
        """Read what was handed over in a folder; the values stay on disk until they are used."""
        return cls(*(taken(folder, name) for name in cls.__dataclass_fields__))

    def of(self, rows: np.ndarray) -> "Rows":
        """The values of some rows, none of them read yet."""
        return Rows(self.values, rows)


@dataclass(frozen=True)
class Rows:
    """Some rows of a matrix on disk; copied part by part where they are used, never as a whole.

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
        """A slice of the rows, and perhaps columns of it: an array of its own."""
        rows, columns = part if isinstance(part, tuple) else (part, slice(None))
        numbers = np.arange(self.values.shape[1])[columns] if isinstance(columns, slice) else columns
        return self.values[np.ix_(self.rows[rows], numbers)]
