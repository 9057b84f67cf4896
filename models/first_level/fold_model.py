"""The files of one first-level model (organelle, fold, member), the model, and the data that it is trained on."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from engine.files import content_hash, read_json
from engine.running.arrays import taken
from models.first_level.members import COLUMN_SETS, column_sets_of, member
from models.first_level.tree_checks import Remedy, unusable
from store.classes import folder_name
from store.stamp import array_hash, stamp_of


@dataclass(frozen=True)
class FoldModel:
    """The model of one class (its number among `names`), fold and member."""

    folder: Path
    organelle: int
    member: str
    fold: int
    names: tuple[str, ...]

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

    @property
    def shared(self) -> Path | None:
        """What the fold's models of a kind share with each other, if the kind has such a file."""
        path = self.folder / "shared" / f"{self.member}_fold{self.fold}.npy"
        return path if hasattr(member(self.member), "save_shared") else None

    def is_finished(self, mark: str) -> bool:
        """Whether all files are there and carry this stamp."""
        files = [self.note, self.scores, self.model, *([self.shared] if self.shared else [])]
        return all(path.is_file() for path in files) and stamp_of(self.note) == mark


@dataclass(frozen=True)
class TrainedModel:
    """A model and the columns that it uses.

    Attributes
    ----------
    member : str
    model
        As the member's module takes it.
    columns : ndarray of int or None, shape (n_used,)
        Their numbers in the matrix, rising; None for all.
    n_columns : int
        Of the matrix.
    """

    member: str
    model: Any
    columns: np.ndarray | None
    n_columns: int

    @property
    def n_used(self) -> int:
        """The number of its columns."""
        return self.n_columns if self.columns is None else len(self.columns)

    def used(self, values: np.ndarray) -> np.ndarray:
        """The model's columns of a matrix."""
        return values if self.columns is None else values[:, self.columns]

    def widened(self, values: np.ndarray) -> np.ndarray:
        """Numbers of its columns (last axis) as numbers of all columns: 0 for the others."""
        if self.columns is None:
            return values
        wide = np.zeros((*values.shape[:-1], self.n_columns), values.dtype)
        wide[..., self.columns] = values
        return wide

    def score(self, values: np.ndarray) -> np.ndarray:
        """One score a row of the matrix: float32, shape (n,)."""
        return member(self.member).score(self.model, self.used(values))


def member_scores(models: Sequence[TrainedModel], matrix: np.ndarray) -> list[np.ndarray]:
    """The scores of one member's models of a fold; what they share is computed once."""
    kind = member(models[0].member)
    if hasattr(kind, "score_several"):
        return kind.score_several([one.model for one in models], models[0].used(matrix))
    return [one.score(matrix) for one in models]


def load_models(fold_models: Sequence[FoldModel], n_columns: int) -> list[TrainedModel]:
    """Load the models of one member and fold for a matrix with this many columns.

    Raises
    ------
    InputError
        If a file is missing, has changed since the fit, or is damaged.
    """
    kind = member(fold_models[0].member)
    notes = [_read_note(fold_model, n_columns) for fold_model in fold_models]
    shared = fold_models[0].shared
    extra: tuple = ()
    if shared is not None:
        extra = (kind.load_shared(shared, len(notes[0]["columns"] or range(n_columns))),)
    loaded = []
    for fold_model, note in zip(fold_models, notes, strict=True):
        columns = None if note["columns"] is None else np.array(note["columns"], np.int64)
        model = kind.load(fold_model.model, n_columns if columns is None else len(columns), *extra)
        loaded.append(TrainedModel(fold_model.member, model, columns, n_columns))
    for fold_model, note in zip(fold_models, notes, strict=True):
        if note["model"] != content_hash(fold_model.model):
            raise unusable(fold_model.model, "has changed since it was fitted (its hash is not the one in its note)")
    if shared is not None and any(note["shared"] != content_hash(shared) for note in notes):
        raise unusable(shared, "has changed since it was fitted (its hash is not the one in the models' notes)")
    return loaded


def _read_note(fold_model: FoldModel, n_columns: int) -> dict[str, Any]:
    """The note of a model, its columns checked."""
    note = read_json(fold_model.note, Remedy(fold_model.note))
    if not isinstance(note, dict) or not {"model", "columns", "shared"} <= set(note):
        raise unusable(fold_model.model, "has no note as fit writes it")
    columns = note["columns"]
    if columns is None:
        return note
    whole = isinstance(columns, list) and columns and all(type(column) is int for column in columns)
    if not whole or columns[0] < 0 or columns[-1] >= n_columns or (np.diff(columns) <= 0).any():
        raise unusable(fold_model.model, f"is said to use columns that are not among {n_columns}")
    return note


@dataclass(frozen=True)
class Training:
    """Training data of the first level.

    Attributes
    ----------
    values : ndarray of float32, shape (n_fields, n_columns)
    labels : ndarray of bool, shape (n_fields, n_classes)
    groups : ndarray of int, shape (n_fields,)
    fold : ndarray of int8, shape (n_fields,)
        Fold in which the field is held out; -1 for a field that no model is trained on.
    column_set : ndarray of int8, shape (n_columns,)
        Number of each column's set in `members.COLUMN_SETS`; -1 for none.
    names : ndarray of str, shape (n_columns,)
        Written to the model files.
    """

    values: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    fold: np.ndarray
    column_set: np.ndarray
    names: np.ndarray

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @cached_property
    def unlabelled_hash(self) -> str:
        """A hash of values, groups, folds, names and sets of columns: of all but the labels."""
        return array_hash(*(array for name, array in self.arrays.items() if name != "labels"))

    def columns_of(self, name: str) -> np.ndarray | None:
        """The columns of a member's sets; None for all."""
        chosen = [COLUMN_SETS.index(one) for one in column_sets_of(name)]
        return np.flatnonzero(np.isin(self.column_set, chosen)) if chosen else None

    @classmethod
    def load(cls, folder: Path) -> "Training":
        """Open the arrays in a folder; they are memory-mapped and read when used."""
        return cls(*(taken(folder, name) for name in cls.__dataclass_fields__))

    def of(self, rows: np.ndarray, columns: np.ndarray | None = None) -> "Rows":
        """The values of some rows, and optionally some columns, read when used."""
        return Rows(self.values, rows, np.arange(self.values.shape[1]) if columns is None else columns)


@dataclass(frozen=True)
class Rows:
    """Some rows and columns of a matrix on disk; parts are read when indexed, never the whole.

    Attributes
    ----------
    values : ndarray of float32, shape (n_fields, n_columns)
    rows : ndarray of int, shape (n,)
    columns : ndarray of int, shape (n_used,)
    sets : ndarray of int, shape (n_used,), or None
        Number of each column's set, if sets are to count equally.
    """

    values: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    sets: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.rows), len(self.columns)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, part: slice | tuple[slice, slice]) -> np.ndarray:
        """A slice of the rows, and optionally of the columns, as a new array."""
        rows, columns = part if isinstance(part, tuple) else (part, slice(None))
        return self.values[np.ix_(self.rows[rows], self.columns[columns])]
