"""The field matrix: the cells of each field pooled, beside what is measured on the field as a whole."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engine.errors import InputError
from engine.files import whole
from engine.stored import check_ids, read_names, read_numbers, read_table
from models.pool import pool, pooled_columns

ROWS_A_GROUP = 4096  # of the matrix on disk: 65 MB
_METADATA = "Metadata_"
_ID = f"{_METADATA}Id"
_REMEDY = "Remove it, and run python cli.py extract again."


@dataclass(frozen=True)
class FieldMatrix:
    """One row a field that could be measured.

    Attributes
    ----------
    metadata : DataFrame
        Metadata_Id and the perceptual hashes; sorted by id.
    values : ndarray of float32, shape (n_fields, n_columns)
        NaN where a value does not exist.
    columns : DataFrame
        One row a column of `values`: name, compartment, family, feature, channels, parameters, covariate, pool.
    """

    metadata: pd.DataFrame
    values: np.ndarray
    columns: pd.DataFrame

    @property
    def ids(self) -> tuple[str, ...]:
        """The fields, in row order."""
        return tuple(self.metadata["Metadata_Id"])

    def rows(self, keep: np.ndarray) -> "FieldMatrix":
        """The fields where `keep` (bool or indices) says so."""
        return FieldMatrix(self.metadata.iloc[keep].reset_index(drop=True), self.values[keep], self.columns)

    def select(self, keep: np.ndarray) -> "FieldMatrix":
        """The columns where `keep` (bool) is true."""
        if keep.all():
            return self
        return FieldMatrix(self.metadata, self.values[:, keep], self.columns[keep].reset_index(drop=True))

    def named(self, names: Sequence[str]) -> np.ndarray:
        """The values of these columns, in this order.

        Raises
        ------
        InputError
            If there is no such column.
        """
        at = pd.Index(self.columns["name"]).get_indexer(list(names))
        if (at < 0).any():
            raise InputError(
                f"column {names[int(np.argmax(at < 0))]} is missing among the {len(self.columns)} of the matrix: it "
                "was extracted with other settings than the fit. Run python cli.py extract and fit again."
            )
        return self.values if np.array_equal(at, np.arange(len(self.columns))) else self.values[:, at]


def pool_shard(cells_path: Path, fields_path: Path, columns: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Pool one shard of extraction.

    Parameters
    ----------
    cells_path, fields_path : Path
        The shard's tables: one row a cell, and one row a field with `Metadata_Error` where it failed.
    columns : DataFrame
        The structured columns; those of compartment "Image" stand in the fields table, the others in the cells table.

    Returns
    -------
    metadata : DataFrame
        One row a field that did not fail.
    values : ndarray of float32
        Its pooled cell features, then its field-level features.
    """
    return read_shard(cells_path, fields_path, columns).pooled()


@dataclass(frozen=True)
class ShardTables:
    """The tables of a shard, without the fields that failed. Made by `read_shard`.

    Attributes
    ----------
    columns : DataFrame
        The structured columns of both tables.
    fields : DataFrame
        One row a field.
    cells : Table
        One row a cell.
    """

    columns: pd.DataFrame
    fields: pd.DataFrame
    cells: pa.Table

    @property
    def _of_field(self) -> pd.Series:
        return self.columns["compartment"] == "Image"

    @property
    def _field_index(self) -> np.ndarray:
        """The row in `fields` of each cell."""
        return pd.Index(self.fields["Metadata_Id"]).get_indexer(self.cells.column("Metadata_Id").to_pandas())

    def pooled(self) -> tuple[pd.DataFrame, np.ndarray]:
        """Metadata and values as `pool_shard` gives them, one row a field."""
        metadata = self.fields[[name for name in self.fields.columns if name.startswith(_METADATA)]]
        return metadata, self._matrix(self._field_index, np.arange(len(self.fields)))

    def each_cell(self) -> tuple[pd.DataFrame, np.ndarray]:
        """The same with one row a cell, as if it stood for its whole field: pools of this one cell."""
        metadata = self.cells.select([name for name in self.cells.column_names if name.startswith(_METADATA)])
        return metadata.to_pandas(), self._matrix(np.arange(self.cells.num_rows), self._field_index)

    def _matrix(self, pool_of_cell: np.ndarray, field_of_row: np.ndarray) -> np.ndarray:
        of_cell = self.columns[~self._of_field]
        values = _values(self.cells.select(list(of_cell["name"])))
        n = len(field_of_row)
        pooled = [pool(values[:, kept], pool_of_cell, n, [name]) for name, kept in _kept(of_cell)]
        whole_field = self.fields[list(self.columns.loc[self._of_field, "name"])].to_numpy(np.float32)
        return np.concatenate([*pooled, whole_field[field_of_row]], axis=1)


def usable_fields(paths: Iterable[Path]) -> pd.DataFrame:
    """The rows of tables of fields but for those that failed, whose gaps would make the hashes floats."""
    fields = pa.concat_tables([pq.read_table(path) for path in paths])
    return fields.filter(pc.is_null(fields["Metadata_Error"])).to_pandas()


def read_shard(cells_path: Path, fields_path: Path, columns: pd.DataFrame) -> ShardTables:
    """Read the tables of a shard; parameters as for `pool_shard`."""
    fields = usable_fields([fields_path])
    metadata = [name for name in pq.read_schema(cells_path).names if name.startswith(_METADATA)]
    names = [*metadata, *columns.loc[columns["compartment"] != "Image", "name"]]
    return ShardTables(columns, fields, pq.read_table(cells_path, columns=names))


def matrix_columns(columns: pd.DataFrame) -> pd.DataFrame:
    """Describe the matrix that `pool_shard` makes from these structured columns."""
    of_field = columns["compartment"] == "Image"
    of_cell = columns[~of_field]
    pooled = [pooled_columns(of_cell[kept], [name]) for name, kept in _kept(of_cell)]
    return pd.concat([*pooled, columns[of_field].assign(pool="")], ignore_index=True)


def _kept(of_cell: pd.DataFrame) -> tuple[tuple[str, np.ndarray], ...]:
    """Which pools of which columns go into the matrix: every mean, the top cells of what the protein takes part in.

    The classified stain shows an organelle in a few cells of a field; how landmarks vary from cell to cell tells the
    cell line. Measured: docs/benchmarks.md, "Which features tell".
    """
    of_protein = of_cell["channels"].str.split().map(lambda channels: "Protein" in channels)
    return ("mean", np.ones(len(of_cell), bool)), ("top", of_protein.to_numpy(bool))


def _values(table: pa.Table) -> np.ndarray:
    values = np.empty((table.num_rows, table.num_columns), np.float32)
    for k, column in enumerate(table.columns):
        values[:, k] = column.to_numpy()
    return values


def write_matrix(
    path: Path, parts: Iterable[tuple[pd.DataFrame, np.ndarray]], columns: pd.DataFrame, made_of: str
) -> None:
    """Write pooled shards as one table, some thousand rows at a time; `made_of` says from what, for `matrix_made_of`.

    Parameters
    ----------
    parts : iterable
        What `pool_shard` gives, in the order of the ids.
    columns : DataFrame
        As given to `pool_shard`.
    """
    names = list(matrix_columns(columns)["name"])
    with whole(path) as temporary, ExitStack() as stack:
        writer = None
        for metadata, values in _gathered(parts):
            table = pa.Table.from_pandas(metadata, preserve_index=False)
            by_column = np.ascontiguousarray(values.T)
            named = pa.Table.from_arrays([pa.array(column) for column in by_column], names)
            table = pa.Table.from_arrays([*table.columns, *named.columns], [*table.column_names, *names])
            if writer is None:
                schema = table.schema.with_metadata({b"made of": made_of})
                writer = stack.enter_context(pq.ParquetWriter(temporary, schema, use_dictionary=False))
            writer.write_table(table.cast(writer.schema))


def _gathered(parts: Iterable[tuple[pd.DataFrame, np.ndarray]]) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
    """Parts put together to some thousand rows each; one without rows if there are none at all."""
    waiting: list[tuple[pd.DataFrame, np.ndarray]] = []
    written = 0
    for part in parts:
        waiting.append(part)
        n_rows = sum(len(metadata) for metadata, _ in waiting)
        if n_rows >= ROWS_A_GROUP:
            yield _joined(waiting)
            written, waiting = written + n_rows, []
    if waiting and (not written or any(len(metadata) for metadata, _ in waiting)):
        yield _joined(waiting)


def _joined(parts: list[tuple[pd.DataFrame, np.ndarray]]) -> tuple[pd.DataFrame, np.ndarray]:
    metadata = pd.concat([metadata for metadata, _ in parts], ignore_index=True)
    return metadata, np.concatenate([values for _, values in parts])


def matrix_made_of(path: Path) -> str | None:
    """What a matrix on disk was made from, or None where there is none."""
    try:
        return (pq.read_schema(path).metadata or {}).get(b"made of", b"").decode()
    except (OSError, pa.ArrowInvalid):
        return None


def read_matrix(
    path: Path, columns: pd.DataFrame, covariates: bool = True, extract: str = "python cli.py extract"
) -> FieldMatrix:
    """Read a matrix, piece by piece, so that it is in memory once.

    Parameters
    ----------
    path : Path
    columns : DataFrame
        The structured columns of the run (columns.parquet).
    covariates : bool
        Read the columns that depend on how a field was acquired, too.
    extract : str
        The command that writes such a matrix, for the error where there is none.

    Raises
    ------
    InputError
        If there is none.
    """
    if not path.is_file():
        raise InputError(
            f"{path} is missing: no {path.stem} fields have been extracted. Run {extract} first, with "
            f"{path.stem}/ or {path.stem}.zip in its data folder."
        )
    described = matrix_columns(columns)
    if not covariates:
        described = described[~described["covariate"].to_numpy(bool)].reset_index(drop=True)
    metadata = read_hashes(path)
    return FieldMatrix(metadata, read_numbers(path, list(described["name"]), _REMEDY), described)


def read_hashes(path: Path) -> pd.DataFrame:
    """The ids of a matrix's fields and their perceptual hashes, without the features; raises as `read_matrix` does."""
    hashes = [name for name in read_names(path, _REMEDY) if name.startswith(f"{_METADATA}Hash")]
    table = read_table(path, {_ID: "text"} | dict.fromkeys(hashes, "whole number"), _REMEDY).to_pandas()
    check_ids(path, table[_ID].tolist(), _REMEDY)
    return table
