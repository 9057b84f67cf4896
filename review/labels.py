"""Labels as they stand now, for all fields of a run: train.csv, then every correction that anybody has saved."""

import getpass
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import InputError
from engine.files import FileMark, file_mark
from engine.ids import shown
from models.data.corrected_labels import CORRECTED, TRAIN
from models.data.labels import Labels, read_labels
from store.classes import ORGANELLES
from store.corrections import BETWEEN, Correction, Journal, Standing, as_they_stand


@dataclass(frozen=True)
class LabelTable:
    """Labels of n fields and k classes.

    Attributes
    ----------
    version : int
        Number of corrections; another number means other labels.
    matrix : ndarray of bool, shape (n, k)
    labelled, corrected, unusable : ndarray of bool, shape (n,)
        Labelled fields may carry no class at all.
    notes : dict of int to str
    further : tuple of str
        Other classes, which others have added in train.csv or by labelling a field.
    """

    version: int
    matrix: np.ndarray
    labelled: np.ndarray
    corrected: np.ndarray
    unusable: np.ndarray
    notes: dict[int, str]
    further: tuple[str, ...] = ()


class GivenLabels:
    """The labels of train.csv, read again when the file changes."""

    def __init__(self, data: Path, own_classes: bool) -> None:
        self._path, self._own = data / TRAIN, own_classes
        self._read: tuple[FileMark, Labels] | None = None

    def read(self) -> Labels | None:
        """All of them; None without that file."""
        if not self._path.is_file():
            return None
        mark = file_mark(self._path)
        if self._read is None or self._read[0] != mark:
            self._read = mark, read_labels(self._path, self._own)
        return self._read[1]


class LabelBook:
    """The labels of a data folder; every question reads what others have saved meanwhile."""

    def __init__(self, data: Path, ids: Sequence[str], classes: tuple[str, ...], given: GivenLabels) -> None:
        self.data, self.classes, self._given = data, classes, given
        self.ids, self.row = tuple(ids), {field: i for i, field in enumerate(ids)}
        self.journal = Journal(data / CORRECTED)
        self._guard = threading.RLock()
        self._before: tuple[Labels | None, dict[str, frozenset[str]]] = (None, {})
        self._table: tuple[object, LabelTable] | None = None

    def before(self) -> dict[str, frozenset[str]]:
        """The classes of each field in train.csv; empty without that file."""
        with self._guard:
            labels = self._given.read()
            if self._before[0] is not labels:
                self._before = labels, _named(labels) if labels else {}
            return self._before[1]

    def standing(self) -> dict[str, Standing]:
        """The corrected fields as they stand."""
        return as_they_stand(self.journal.rows(), self.before())

    def table(self) -> LabelTable:
        """The labels of the run's fields as they stand."""
        with self._guard:
            rows, before = self.journal.rows(), self.before()
            mark = (rows, id(before), len(self.classes))
            if self._table is None or self._table[0] != mark:
                self._table = (mark, self._fill(rows, before))
            return self._table[1]

    def _fill(self, rows: tuple[Correction, ...], before: dict[str, frozenset[str]]) -> LabelTable:
        at = {name: j for j, name in enumerate(self.classes)}
        n = len(self.ids)
        matrix = np.zeros((n, len(self.classes)), bool)
        labelled, corrected, unusable = np.zeros((3, n), bool)
        notes: dict[int, str] = {}
        standing = as_they_stand(rows, before)
        for field, i in self.row.items():
            now = standing.get(field)
            names = now.classes if now else before.get(field)
            if names is not None:
                labelled[i] = True
                matrix[i, [at[name] for name in names if name in at]] = True
            if now:
                corrected[i], unusable[i] = now.relabelled, now.unusable
                if now.note:
                    notes[i] = now.note
        given = self._given.read()
        carried = {name for now in standing.values() for name in now.classes or ()}
        further = sorted(carried.union(given.classes.names if given else ()).difference(self.classes))
        return LabelTable(len(rows), matrix, labelled, corrected, unusable, notes, tuple(further))

    def save(self, entries: Sequence[Any], by: str) -> tuple[str, ...]:
        """Save changes that the page sent; returns the names of the entries that are on the disk now.

        Parameters
        ----------
        entries : sequence
            Mappings with entry, id, action and value, all text.
        by : str
            Who.

        Raises
        ------
        InputError
            If one is not valid: nothing is saved then.
        """
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        standing = self.standing()
        corrections = [self._checked(one, now, by, standing) for one in entries]
        self.journal.append(corrections)
        return tuple(one.entry for one in corrections)

    def _checked(self, one: Any, now: str, by: str, standing: Mapping[str, Standing]) -> Correction:
        names = ("entry", "id", "action", "value")
        if not isinstance(one, dict) or not all(isinstance(one.get(name), str) for name in names):
            raise InputError("a change needs an entry, an id, an action and a value, all text. It was not saved.")
        if one["id"] not in self.row:
            raise InputError(f"field {shown(one['id'])} is not among those of this run. Its change was not saved.")
        value = " ".join(one["value"].split()) if one["action"] == "note" else one["value"]
        classes = {"add": [value], "remove": [value], "set": [name for name in value.split(BETWEEN) if name]}
        for name in classes.get(one["action"], ()):
            if name not in self.classes:
                raise InputError(f"{shown(name)!r} is no class of this run. The change was not saved.")
        if one["action"] == "set":  # classes that others have added stay, as the page does not know them yet
            carried = standing.get(one["id"], Standing(None)).classes or frozenset()
            further = sorted(carried.difference(self.classes))
            value = BETWEEN.join([*classes["set"], *further])
        return Correction(now, by, one["entry"], one["id"], one["action"], value)

    def history(self, field: str) -> tuple[Correction, ...]:
        """The corrections of one field, oldest first."""
        return tuple(one for one in self.journal.rows() if one.field == field)


def class_names(data: Path, of_fit: tuple[str, ...], labels: Labels | None) -> tuple[str, ...]:
    """The classes that fields may be labelled with: of the fit, of train.csv (`labels`), and of corrections.

    Without any of them, those of the Human Protein Atlas in Kaggle's order.
    """
    given = labels.classes.names if labels else ()
    corrected = {
        name for now in as_they_stand(Journal(data / CORRECTED).rows(), {}).values() for name in now.classes or ()
    }
    return tuple(dict.fromkeys([*(of_fit or given or ORGANELLES), *given, *sorted(corrected)]))


def _named(labels: Labels) -> dict[str, frozenset[str]]:
    return {field: frozenset(labels.classes.named(row)) for field, row in zip(labels.ids, labels.matrix, strict=True)}


def user_name() -> str:
    """Who is at the keyboard, for the column By."""
    try:
        return shown(getpass.getuser())
    except (OSError, KeyError, ImportError):
        return "unknown"
