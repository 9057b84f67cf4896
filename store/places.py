"""Where fields come from: plate, well, cell line and the like, from a table of the user's and from the image names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.csv_table import read_csv_table, read_header
from engine.errors import InputError, UsageError
from engine.ids import no_match, shown
from store.schema import FIELD_PLACES, METADATA, METADATA_ID
from store.untrusted_input import read_names

TABLES = ("fields.csv", "groups.csv")
"""Tables in the data folder that may have columns beside Id and Group, the first one there is read."""

_IMAGES = "the names of the images"
_FORM = "a table of fields has the column Id, and others such as Plate, Well and Line"
_NOT_A_PLACE = ("Id", "Group", "Target")
_ALIKE = {"line": ("line", "cellline", "cell line", "cell_line")}


@dataclass(frozen=True)
class Places:
    """Plates, wells and the like of some fields.

    Attributes
    ----------
    source : str
        Where they were read, for messages.
    columns : mapping of str to tuple of str
        By column name, e.g. "Plate": one text a field, "" where it is not known.
    """

    source: str
    columns: Mapping[str, tuple[str, ...]]

    def find(self, name: str) -> str | None:
        """The column that a user means, in any case; "line" is also CellLine. None if there is none."""
        wanted = _ALIKE.get(name.casefold(), (name.casefold(),))
        return next((column for column in self.columns if column.casefold() in wanted), None)

    def of(self, name: str) -> np.ndarray:
        """The values of a column, all of them known: text, shape (n_fields,).

        Raises
        ------
        UsageError
            If there is no such column, or a value is missing.
        """
        column = self.find(name)
        if column is None:
            found = ", ".join(self.columns) or "none"
            raise UsageError(
                f"no column {shown(name)!r} in {self.source} (found {found}). Name one of these, or write the table "
                f"{TABLES[0]} into the data folder with the columns Id and {shown(name)}."
            )
        values = self.columns[column]
        if "" in values:
            raise UsageError(
                f"the {column} of {values.count('')} of {len(values)} fields is not known (read from {self.source}). "
                "Fill the column in, or leave the option out."
            )
        return np.array(values, str)


NOWHERE = Places("no table", {})


def read_places(data: Path | None, measured: Sequence[Path], ids: Sequence[str], table: Path | None = None) -> Places:
    """Read the places of fields: plate, well and site that a table of the user's lacks are of the image names.

    Parameters
    ----------
    data : Path or None
        Folder that may hold one of `TABLES`.
    measured : sequence of Path
        Tables of measured fields (features/fields/*.parquet).
    ids : sequence of str
        The fields wanted, in this order.
    table : Path, optional
        Another table of the user's.

    Returns
    -------
    Places
        The table's columns, in any case, stand before those of the image names.

    Raises
    ------
    InputError
        If a table cannot be used, or names none of the fields.
    """
    if table is not None:
        check_table(table)
    beside = [data / name for name in TABLES if (data / name).is_file()] if data is not None else []
    named = [table] if table is not None else beside
    given = Places(str(named[0]), _of_table(named[0], ids)) if named else NOWHERE
    lacking = [name for name in FIELD_PLACES if given.find(name) is None]
    of_images = _of_images(measured, ids, lacking)
    sources = [given.source] * bool(given.columns) + [_IMAGES] * bool(of_images)
    return Places(" and ".join(sources) or _IMAGES, {**given.columns, **of_images})


def check_table(path: Path) -> None:
    """Raise InputError if the table that --fields names is not there."""
    if not path.is_file():
        raise InputError(
            f"{path} does not exist. Name a table with the columns Id and others such as Plate, Well and Line, or "
            "leave --fields out."
        )


def _of_table(path: Path, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    header = read_header(path, _FORM)
    names = tuple(name for name in header if name and name not in _NOT_A_PLACE and header.count(name) == 1)
    called = {name: name.removeprefix(METADATA) for name in names}  # as in the tables of a run
    if len(set(called.values())) < len(called):
        called = dict(zip(names, names, strict=True))
    cells = read_csv_table(path, ("Id", *names), _FORM).cells
    row = {field: i for i, field in enumerate(cells["Id"])}
    if ids and row and set(row).isdisjoint(ids):
        example = no_match(next(iter(row)), ids, path)
        raise InputError(
            f"{path} names none of the {len(ids)} fields ({example}). Give the table that belongs to these fields."
        )
    return {called[name]: tuple(cells[name][row[field]] if field in row else "" for field in ids) for name in names}


def _of_images(paths: Sequence[Path], ids: Sequence[str], wanted: Sequence[str]) -> dict[str, tuple[str, ...]]:
    names = [f"{METADATA}{name}" for name in wanted]
    known: dict[str, dict[str, str]] = {name: {} for name in names}
    for path in paths if names else ():
        there = [name for name in read_names(path) if name in names]
        if not there:
            continue
        rows = pq.read_table(path, columns=[METADATA_ID, *there])
        for name in there:
            values = rows.column(name).cast(pa.string()).to_pylist()
            known[name] |= {field: value for field, value in zip(rows.column(METADATA_ID).to_pylist(), values) if value}
    return {
        name.removeprefix(METADATA): tuple(of_field.get(field, "") for field in ids)
        for name, of_field in known.items()
        if of_field
    }
