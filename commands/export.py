"""`export`: a run's cells or fields in one file that other tools read: AnnData, csv, parquet."""

import gzip
import json
import shlex
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from commands.h5ad import class_keys, write_h5ad
from engine.command_line import interpreter
from engine.counted import counted
from engine.errors import InputError, UsageError
from engine.files import whole
from engine.outcome import Outcome
from engine.running.progress import progress
from models.saved_fit import load, refuse_other_values
from store.flat_table import FlatTable
from store.prediction import PredictionFiles
from store.run_folder import RunFolder

GZIP_LEVEL = 4

Writer = Callable[[Path, FlatTable, Iterable[pa.Table]], None]


def write_parquet(path: Path, table: FlatTable, pieces: Iterable[pa.Table]) -> None:
    """Write one parquet file, with a row group for each piece."""
    dictionaries = [name for name in table.metadata if pa.types.is_string(table.schema.field(name).type)]
    with pq.ParquetWriter(
        path, table.schema, compression="zstd",
        use_dictionary=dictionaries,  # pyright: ignore[reportArgumentType] - a list of columns is documented too
    ) as writer:  # fmt: skip
        for piece in pieces:
            writer.write_table(piece, row_group_size=len(piece))


def write_csv(path: Path, table: FlatTable, pieces: Iterable[pa.Table]) -> None:
    """Write a csv with a header; a missing value is an empty field, a number has as many digits as float32 needs."""
    with csv.CSVWriter(path, table.schema) as writer:
        for piece in pieces:
            writer.write_table(_nan_as_null(piece))


def write_csv_gz(path: Path, table: FlatTable, pieces: Iterable[pa.Table]) -> None:
    """Write the same as gzip-compressed csv."""
    with (
        path.open("wb") as raw,
        gzip.GzipFile("", "wb", GZIP_LEVEL, raw, mtime=0) as file,
        csv.CSVWriter(file, table.schema) as writer,
    ):
        for piece in pieces:
            writer.write_table(_nan_as_null(piece))


WRITERS: dict[str, Writer] = {
    ".h5ad": write_h5ad, ".csv": write_csv, ".csv.gz": write_csv_gz, ".parquet": write_parquet,
}  # fmt: skip


def writer_of(path: Path) -> Writer:
    """The writer for a file's ending.

    Raises
    ------
    UsageError
        If the ending is unknown.
    """
    for ending, writer in WRITERS.items():
        if path.name.lower().endswith(ending):
            return writer
    raise UsageError(
        f"{path} ends in none of {', '.join(WRITERS)}, so its format is not known. Use one of these endings."
    )


def refuse_files_of_runs(path: Path) -> None:
    """Refuse to overwrite, or write among, the files of a run or a prediction.

    Raises
    ------
    UsageError
        If the path belongs to them.
    """
    for root in path.resolve().parents:
        if RunFolder(root).config.is_file() and _belongs(path.resolve(), root):
            raise UsageError(f"{path} lies among the own files of the run in {root}. Name another file.")


def refuse_fields_of_another_fit(table: FlatTable, writer: Writer) -> None:
    """Raise InputError if the file would hold out-of-fold probabilities beside values that they were not made from."""
    folder = table.folder
    if writer is write_h5ad and class_keys(table) and folder.fit.fit_file.is_file():
        refuse_other_values(folder, load(folder.root))


def _belongs(path: Path, root: Path) -> bool:
    prediction = PredictionFiles(root)
    return RunFolder(root).owns(path) or (prediction.predictions.is_file() and path in prediction.tables)


def reading(path: Path) -> str:
    """A command that reads the file in Python."""
    ending, file = path.suffix.lower(), json.dumps(str(path), ensure_ascii=False)
    shown = {
        ".h5ad": f'import anndata; print(anndata.read_h5ad({file}, backed="r"))',
        ".parquet": f"import pandas; print(pandas.read_parquet({file}))",
    }
    return shlex.join([interpreter(), "-c", shown.get(ending, f"import pandas; print(pandas.read_csv({file}))")])


def write_table(path: Path, table: FlatTable, writer: Writer, quiet: bool) -> None:
    """Write the file, whole or absent.

    Raises
    ------
    InputError
        If it cannot be written, e.g. no permission or no space.
    """
    with progress("export", table.n_rows, table.level, quiet) as bar:

        def advancing() -> Iterator[pa.Table]:
            for piece in table.pieces():
                yield piece
                bar.advance(len(piece))

        try:
            with whole(path) as temporary:
                writer(temporary, table, advancing())
        except OSError as error:
            raise InputError(f"{path} cannot be written ({error.strerror or error}). Name another file.") from error


def _nan_as_null(piece: pa.Table) -> pa.Table:
    columns = [_null_for_nan(column) if pa.types.is_floating(column.type) else column for column in piece.columns]
    return pa.table(columns, piece.schema)


def _null_for_nan(column: pa.ChunkedArray) -> pa.ChunkedArray:
    missing = pc.is_nan(column)  # pyright: ignore[reportAttributeAccessIssue] - pyarrow adds these functions on import
    return pc.if_else(missing, None, column)  # pyright: ignore[reportAttributeAccessIssue]


def outcome(file: Path, table: FlatTable) -> Outcome:
    """Report what is in the file, and how to read it."""
    facts = {"file": str(file), "level": table.level, "rows": table.n_rows, "columns": len(table.columns)}
    lines = (f"{counted(table.n_rows, table.level[:-1])}, {counted(len(table.columns), 'feature')} in {file}",)
    return Outcome(lines + _renamed(file, table), reading(file), facts)


def _renamed(file: Path, table: FlatTable) -> tuple[str, ...]:
    """Which classes have another name in the file, in a sentence, if any have."""
    keys = class_keys(table) if writer_of(file) is write_h5ad else {}
    renamed = [f"{name} is {key}" for name, key in keys.items() if name != key]
    if not renamed:
        return ()
    return (
        f'columns of labels and probabilities cannot hold a slash: {", ".join(renamed)}; uns["classes"] has the names',
    )
