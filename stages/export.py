"""A run's cells or fields in one file of a kind that others read: AnnData, csv, parquet."""

import gzip
import json
import shlex
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pyarrow import csv

from engine.errors import InputError, UsageError
from engine.files import whole
from engine.progress import progress
from engine.run_folder import RunFolder
from stages.h5ad import write_h5ad
from stages.predicting import PredictionFiles
from stages.tables import FlatTable

GZIP_LEVEL = 4

Writer = Callable[[Path, FlatTable, Iterable[pa.Table]], None]


def write_parquet(path: Path, table: FlatTable, pieces: Iterable[pa.Table]) -> None:
    """Write one parquet file, a row group a piece."""
    dictionaries = [name for name in table.metadata if pa.types.is_string(table.schema.field(name).type)]
    with pq.ParquetWriter(path, table.schema, compression="zstd", use_dictionary=dictionaries) as writer:
        for piece in pieces:
            writer.write_table(piece, row_group_size=len(piece))


def write_csv(path: Path, table: FlatTable, pieces: Iterable[pa.Table]) -> None:
    """Write a csv with a header; a missing value is an empty field, a number has as many digits as float32 needs."""
    with csv.CSVWriter(path, table.schema) as writer:
        for piece in pieces:
            writer.write_table(_nan_as_null(piece))


def write_csv_gz(path: Path, table: FlatTable, pieces: Iterable[pa.Table]) -> None:
    """Write the same, compressed."""
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
    """The writer that a file's ending tells.

    Raises
    ------
    UsageError
        If it tells none.
    """
    for ending, writer in WRITERS.items():
        if path.name.lower().endswith(ending):
            return writer
    raise UsageError(
        f"{path} ends in none of {', '.join(WRITERS)}, so its kind is not known. Name it with one of them."
    )


def refuse_files_of_runs(path: Path) -> None:
    """Refuse to write over, or among, what a run or a prediction is made of.

    Raises
    ------
    UsageError
        If the path is one of theirs.
    """
    for root in path.resolve().parents:
        if RunFolder(root).config.is_file() and _belongs(path.resolve(), root):
            raise UsageError(f"{path} lies among the own files of the run in {root}. Name another file.")


def _belongs(path: Path, root: Path) -> bool:
    prediction = PredictionFiles(root)
    return RunFolder(root).owns(path) or (prediction.predictions.is_file() and path in prediction.tables)


def reading(path: Path) -> str:
    """The command that shows a file again."""
    ending, file = path.suffix.lower(), json.dumps(str(path), ensure_ascii=False)
    shown = {
        ".h5ad": f'import anndata; print(anndata.read_h5ad({file}, backed="r"))',
        ".parquet": f"import pandas; print(pandas.read_parquet({file}))",
    }
    return shlex.join(["python", "-c", shown.get(ending, f"import pandas; print(pandas.read_csv({file}))")])


def write_table(path: Path, table: FlatTable, writer: Writer, quiet: bool) -> None:
    """Write the file, whole or absent.

    Raises
    ------
    InputError
        If it cannot be written: no permission, no space.
    """
    with progress("export", table.n_rows, table.level, quiet) as bar:

        def counted() -> Iterator[pa.Table]:
            for piece in table.pieces():
                yield piece
                bar.advance(len(piece))

        try:
            with whole(path) as temporary:
                writer(temporary, table, counted())
        except OSError as error:
            raise InputError(f"{path} cannot be written ({error.strerror or error}). Name another file.") from error


def _nan_as_null(piece: pa.Table) -> pa.Table:
    columns = [
        pc.if_else(pc.is_nan(column), None, column) if pa.types.is_floating(column.type) else column
        for column in piece.columns
    ]
    return pa.table(columns, piece.schema)
