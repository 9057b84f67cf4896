"""Reads the labels of fields from a table in the form of train.csv."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.csv_table import read_csv_table, read_header
from engine.errors import InputError
from engine.ids import no_match
from models.data.targets import Target, read_targets
from store.classes import Classes

_FORM = "a table of labels has the columns Id and Target"


@dataclass(frozen=True)
class Labels:
    """The labels of some fields.

    Attributes
    ----------
    path : Path
        Their table.
    ids : tuple of str
        Fields, in the order of the file.
    classes : Classes
    matrix : ndarray of bool, shape (n_fields, n_classes)
        True where the field carries the class.
    remarks : tuple of str
        How the labels were read, in sentences.
    own : bool
        Whether the classes are the lab's own.
    """

    path: Path
    ids: tuple[str, ...]
    classes: Classes
    matrix: np.ndarray
    remarks: tuple[str, ...]
    own: bool = False

    def of(self, ids: Sequence[str]) -> np.ndarray:
        """The label rows of these fields, in this order: bool, shape (len(ids), n_classes).

        Raises
        ------
        InputError
            If a field has no labels.
        """
        row = {field: i for i, field in enumerate(self.ids)}
        unknown = [field for field in ids if field not in row]
        if unknown and self.ids:
            wanted = set(ids)
            spare = [field for field in self.ids if field not in wanted] or [self.ids[0]]
            zeros = {field.lstrip("0") for field in unknown}
            listed = next((field for field in spare if field.lstrip("0") in zeros), spare[0])
            raise InputError(
                f"{len(unknown)} of {len(ids)} fields have no labels (the first is {unknown[0]}). "
                f"{no_match(listed, unknown, self.path)}. Add the rows of these fields to {self.path.name}, or take "
                "their images out of the train folder."
            )
        if unknown:
            raise InputError(f"{self.path} has no rows; expected one for each of the {len(ids)} fields.")
        return self.matrix[[row[field] for field in ids]]


def read_labels(path: Path, own: bool = False) -> Labels:
    """Read a table in the form of Kaggle's train.csv.

    Parameters
    ----------
    path : Path
        A csv with columns Id and Target, or ID and Label as in Kaggle's 2021 competition, whose label numbers are
        others; a byte-order mark, Windows line ends and further columns are accepted.
    own : bool
        Take every text as the name of a class of the lab's own (see `read_targets`).

    Raises
    ------
    InputError
        If the file or a column is missing, an Id comes twice, or a label cannot be used.
    """
    id_column, target = _columns(read_header(path, _FORM))
    table = read_csv_table(path, (id_column, target), _FORM)
    ids = table.cells[id_column]
    rows = [Target(*row) for row in zip(table.lines, ids, table.cells[target], strict=True)]
    found = read_targets(path, rows, of_2021=target.casefold() == "label", own=own)
    matrix = np.zeros((len(ids), len(found.classes.names)), bool)
    for i, numbers in enumerate(found.numbers):
        matrix[i, list(numbers)] = True
    return Labels(path, ids, found.classes, matrix, found.remarks, found.own)


def _columns(header: Sequence[str]) -> tuple[str, str]:
    """The columns of ids and of labels as this table writes them."""
    by_plain = {name.casefold(): name for name in header}
    target = by_plain.get("target") or by_plain.get("label") or "Target"
    return by_plain.get("id", "Id"), target
