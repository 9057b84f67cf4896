"""The field matrix: the cells of each field pooled, beside what is measured on the field as a whole."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import InputError
from engine.files import whole
from models.pool import pool, pooled_columns

ROWS_A_GROUP = 4096  # of the matrix on disk: 65 MB
COLUMNS_AT_ONCE = 512  # that are read
_METADATA = "Metadata_"


@dataclass(frozen=True)
class FieldMatrix:
    """One row a field that could be measured.

    Attributes
    ----------
    metadata : DataFrame
        Metadata_Id, Metadata_Split, hashes and the like; sorted by id.
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
    of_field = columns["compartment"] == "Image"
    fields = pq.read_table(fields_path).to_pandas()
    fields = fields[fields["Metadata_Error"].isna()].reset_index(drop=True)
    cells = pq.read_table(cells_path, columns=["Metadata_Id", *columns.loc[~of_field, "name"]])
    index = pd.Index(fields["Metadata_Id"]).get_indexer(cells.column("Metadata_Id").to_pandas())
    values = _values(cells.drop_columns("Metadata_Id"))
    pooled = [pool(values[:, kept], index, len(fields), [name]) for name, kept in _kept(columns[~of_field])]
    whole_field = fields[list(columns.loc[of_field, "name"])].to_numpy(np.float32)
    metadata = fields[[name for name in fields.columns if name.startswith(_METADATA)]]
    return metadata, np.concatenate([*pooled, whole_field], axis=1)


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
    _fill(values, table)
    return values


def _fill(values: np.ndarray, table: pa.Table) -> None:
    for k, column in enumerate(table.columns):
        values[:, k] = column.to_numpy()


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


def read_matrix(path: Path, columns: pd.DataFrame, covariates: bool = True) -> FieldMatrix:
    """Read a matrix, piece by piece, so that it is in memory once.

    Parameters
    ----------
    path : Path
    columns : DataFrame
        The structured columns of the run (columns.parquet).
    covariates : bool
        Read the columns that depend on how a field was acquired, too.

    Raises
    ------
    InputError
        If there is none.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing: no features have been extracted for it. Run python cli.py extract first.")
    described = matrix_columns(columns)
    if not covariates:
        described = described[~described["covariate"].to_numpy(bool)].reset_index(drop=True)
    names = list(described["name"])
    with pq.ParquetFile(path) as file:
        metadata = file.read([name for name in file.schema.names if name.startswith(_METADATA)]).to_pandas()
        values = np.empty((len(metadata), len(names)), np.float32)
        start = 0
        for group in range(file.num_row_groups):
            stop = start + file.metadata.row_group(group).num_rows
            for k in range(0, len(names), COLUMNS_AT_ONCE):
                some = names[k : k + COLUMNS_AT_ONCE]
                _fill(values[start:stop, k : k + COLUMNS_AT_ONCE], file.read_row_group(group, some).select(some))
            start = stop
    return FieldMatrix(metadata, values, described)
