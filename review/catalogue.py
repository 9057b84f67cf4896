"""All extracted fields of a run, with what is known of each: one row a field, training fields first."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from engine.errors import InputError
from models.data.training_set import find_groups
from models.fitted import Fitted
from models.saved_fit import load
from models.trust.label_errors import find_label_errors
from review.extracted import read_extracted
from store.matrix import matrix_columns
from store.places import read_places
from store.run_folder import RunFolder
from store.untrusted_input import read_numbers


@dataclass(frozen=True)
class Catalogue:
    """The fields of a run.

    Attributes
    ----------
    ids : tuple of str
        n fields.
    kept : ndarray of bool
        Which rows of the splits' matrices, one after the other, they are.
    split : ndarray of str, shape (n,)
        "train" or "test".
    group : tuple of str
        The group of each training field, if groups are known, else "".
    plate : tuple of str
        The plate of each field, if it is known, else "".
    cells : ndarray of float, shape (n,)
        Cells in each field; NaN where they were not counted.
    classes : tuple of str
        k classes: those of the fit first.
    columns : DataFrame
        The structured columns of cells and fields.
    fitted : Fitted or None
    no_fit : str
        Why there is no fit, in a sentence; "" if there is one.
    fitted_row : ndarray of int, shape (n,)
        Row of the field in the fit; -1 where it was not fitted on.
    probabilities : ndarray of float32, shape (n, k)
        Of models that have not seen the field; NaN where none are known yet, and for classes that were not fitted.
    calls : ndarray of bool, shape (n, k)
    doubts : dict of int to list of (class number, labelled, probability, doubt)
        By row.
    """

    ids: tuple[str, ...]
    kept: np.ndarray
    split: np.ndarray
    group: tuple[str, ...]
    plate: tuple[str, ...]
    cells: np.ndarray
    classes: tuple[str, ...]
    columns: pd.DataFrame
    fitted: Fitted | None
    no_fit: str
    fitted_row: np.ndarray
    probabilities: np.ndarray
    calls: np.ndarray
    doubts: dict[int, list[tuple[int, bool, float, float]]]

    @cached_property
    def row(self) -> dict[str, int]:
        """The row of each id."""
        return {field: i for i, field in enumerate(self.ids)}

    def with_class(self, name: str) -> "Catalogue":
        """The same with one more class."""
        n = (len(self.ids), 1)
        return replace(
            self, classes=(*self.classes, name), calls=np.hstack([self.calls, np.zeros(n, bool)]),
            probabilities=np.hstack([self.probabilities, np.full(n, np.nan, np.float32)]),
        )  # fmt: skip


def read_catalogue(folder: RunFolder, data: Path, further: Callable[[tuple[str, ...]], tuple[str, ...]]) -> Catalogue:
    """Read the fields of a run, with its fit if there is one.

    Parameters
    ----------
    folder : RunFolder
    data : Path
    further : callable
        Given the classes of the fit, returns these and then all others that are used.

    Raises
    ------
    InputError
        If nothing was extracted.
    """
    extracted = read_extracted(folder, data)
    ids, columns, in_split = extracted.ids, extracted.columns, extracted.in_split
    fitted, no_fit = _fit(folder, data)
    fit_classes = fitted.classes.names if fitted else ()
    classes = further(fit_classes)
    rows = pd.Index(ids)
    fitted_row = np.full(len(ids), -1)
    probabilities = np.full((len(ids), len(classes)), np.nan, np.float32)
    calls = np.zeros(probabilities.shape, bool)
    doubts: dict[int, list[tuple[int, bool, float, float]]] = {}
    if fitted:
        at = rows.get_indexer(pd.Index(fitted.ids))
        mine = np.flatnonzero(at >= 0)
        fitted_row[at[mine]] = mine
        probabilities[at[mine], : len(fit_classes)] = fitted.probabilities[mine]
        calls[at[mine], : len(fit_classes)] = fitted.calls[mine]
        doubts = _doubts(fitted, at)
    groups = _groups(folder, data, in_split.get("train", ()), len(ids))
    cells, plates = _count_cells(folder, columns, in_split)[extracted.kept], _plates(folder, data, in_split, ids)
    return Catalogue(
        ids, extracted.kept, extracted.split, groups, plates, cells, classes, columns, fitted, no_fit, fitted_row,
        probabilities, calls, doubts,
    )  # fmt: skip


def _fit(folder: RunFolder, data: Path) -> tuple[Fitted | None, str]:
    if not folder.fit.fit_file.is_file():
        return None, f"Nothing was fitted yet. With labels, Refit does it, or: {folder.command('fit', data)}"
    try:
        return load(folder.root), ""
    except InputError as error:
        return None, str(error)


def _doubts(fitted: Fitted, at: np.ndarray) -> dict[int, list[tuple[int, bool, float, float]]]:
    """Labels that the held-out models contradict, by row of the catalogue."""
    inner = np.flatnonzero(fitted.fold >= 0)
    found: dict[int, list[tuple[int, bool, float, float]]] = {}
    for one in find_label_errors(fitted.labels[inner], fitted.probabilities[inner], fitted.trainable):
        row = int(at[inner[one.row]])
        if row >= 0:
            found.setdefault(row, []).append((one.organelle, one.labelled, one.probability, one.doubt))
    return found


def _groups(folder: RunFolder, data: Path, ids: Sequence[str], n: int) -> tuple[str, ...]:
    """Names of the groups as people know them: the number of each where the table names it."""
    if not ids:
        return ("",) * n
    try:
        groups, _ = find_groups(data, folder.noted_table("groups"), tuple(ids))
    except InputError:
        return ("",) * n
    named = [f"group {k + 1}" if known else "" for k, known in zip(groups.numbers, groups.named, strict=True)]
    return (*named, *([""] * (n - len(named))))


def _plates(folder: RunFolder, data: Path, in_split: dict[str, tuple[str, ...]], ids: Sequence[str]) -> tuple[str, ...]:
    """The plates as a table or the image names give them; "" where they do not, or the table cannot be used."""
    known: dict[str, str] = {}
    for split, fields in in_split.items():
        try:
            places = read_places(data, folder.measured(split), fields, folder.noted_table("fields"))
        except InputError:
            continue
        column = places.find("plate")
        known |= dict(zip(fields, places.columns[column], strict=True)) if column else {}
    return tuple(known.get(field, "") for field in ids)


def _count_cells(folder: RunFolder, columns: pd.DataFrame, in_split: dict[str, tuple[str, ...]]) -> np.ndarray:
    described = matrix_columns(columns)
    count = described[(described["family"] == "Count") & (described["feature"] == "Cells")]["name"].tolist()
    if not count:
        return np.full(sum(map(len, in_split.values())), np.nan)
    parts = [read_numbers(folder.matrix(split), count[:1])[:, 0] for split in in_split]
    return np.concatenate(parts).astype(np.float64)


def entropies(probabilities: np.ndarray) -> np.ndarray:
    """Entropy of each class's probability in bits, the shape of the input; NaN stays NaN."""
    p = np.clip(probabilities.astype(np.float64), 1e-9, 1 - 1e-9)
    return -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
