"""Reading csv tables that users supply, one row a field; an error names the line that is wrong."""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.counted import counted
from engine.errors import InputError
from engine.ids import shown, why_no_id

LARGEST = 2**28  # bytes; Kaggle's train.csv has 1.3 million


@dataclass(frozen=True)
class CsvTable:
    """Rows of a csv table.

    Attributes
    ----------
    lines : tuple of int
        The line on which each row ends.
    cells : dict of str to tuple of str
        The requested columns, stripped of spaces.
    """

    lines: tuple[int, ...]
    cells: dict[str, tuple[str, ...]]


def read_csv_table(path: Path, columns: tuple[str, ...], form: str) -> CsvTable:
    """Read a table whose first requested column holds the ids of fields.

    A byte-order mark, Windows line ends, empty lines, spaces around cells and further columns are accepted.

    Parameters
    ----------
    path : Path
    columns : tuple of str
        Those to read, "Id" first.
    form : str
        What the table should look like, for error messages.

    Raises
    ------
    InputError
        If the file is missing or not a UTF-8 csv file, a column is missing, a row has too few or too many cells, or an
        id is invalid or appears twice.
    """
    rows = read_rows(path, form)
    header = [name.strip() for name in rows[0][1]] if rows else []
    places = [_place(path, header, name, form) for name in columns]
    rows = rows[1:]
    cells = {name: tuple(row[at].strip() for _, row in rows) for name, at in zip(columns, places, strict=True)}
    table = CsvTable(tuple(line for line, _ in rows), cells)
    _check_ids(path, table, columns[0])
    return table


def read_header(path: Path, form: str) -> list[str]:
    """The names of a table's columns; raises as `read_csv_table` does."""
    rows = read_rows(path, form)
    return [name.strip() for name in rows[0][1]] if rows else []


def read_rows(path: Path, form: str) -> list[tuple[int, list[str]]]:
    """All rows that are not empty, the header first, each with the line on which it ends; raises as above."""
    if not path.is_file():
        raise InputError(f"{path} does not exist. Name the folder that holds it with --data DIR; {form}.")
    if path.stat().st_size > LARGEST:
        raise InputError(f"{path} has {path.stat().st_size:,} bytes (at most {LARGEST:,} are read); {form}.")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(_rows(path, file, form))
    except (UnicodeDecodeError, csv.Error) as error:
        reason = f"not UTF-8: {error.reason}" if isinstance(error, UnicodeDecodeError) else str(error)
        raise InputError(f"{path} cannot be read as a csv table ({reason}); {form}. Save it anew as UTF-8.") from error


def _rows(path: Path, lines: Iterable[str], form: str) -> Iterator[tuple[int, list[str]]]:
    """Every row that is not empty, with its line number; all have as many cells as the first."""
    reader, width = csv.reader(lines, strict=True, skipinitialspace=True), 0
    for row in reader:
        width = width or len(row)
        if row and len(row) != width:
            raise InputError(
                f"{path}, line {reader.line_num}: found {counted(len(row), 'cell')}, expected {width} as in "
                f"the first line; {form}. Put quotes around a cell that holds a comma."
            )
        if row:
            yield reader.line_num, row


def _place(path: Path, header: list[str], name: str, form: str) -> int:
    if not header:
        raise InputError(f"{path} cannot be read as a csv table (it is empty); {form}.")
    if header.count(name) != 1:
        found = shown(", ".join(header), 200)
        lack = "comes more than once" if name in header else "is missing"
        remedy = "Rename the columns" if len(header) > 1 else "Separate the columns by commas, with one name each"
        raise InputError(f"{path}: column {name} {lack} (found {found}); {form}. {remedy}.")
    return header.index(name)


def _check_ids(path: Path, table: CsvTable, name: str) -> None:
    seen: dict[str, int] = {}
    for line, field in zip(table.lines, table.cells[name], strict=True):
        if reason := why_no_id(field):
            remedy = "Give the field another id"
            if "/" in field and field[0].isalnum():
                remedy = f"Ids of images in subfolders are joined with _: {shown(field.replace('/', '_'))}"
            raise InputError(f"{path}, line {line}: {name} {shown(field)!r} {reason}. {remedy}.")
        if field in seen:
            raise InputError(
                f"{path}: {name} {field} comes more than once (lines {seen[field]}, {line}). Keep one row per field."
            )
        seen[field] = line
