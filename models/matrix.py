"""The field matrix: the cells of each field pooled, beside what is measured on the field as a whole."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import InputError
from engine.files import whole
from models.pool import pool, pooled_columns

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
        return self.values[:, at]


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
    for k, column in enumerate(table.columns):
        values[:, k] = column.to_numpy()
    return values


def write_matrix(
    path: Path, parts: Iterable[tuple[pd.DataFrame, np.ndarray]], columns: pd.DataFrame, made_of: str
) -> None:
    """Write pooled shards as one table, sorted by id; `made_of` says from what, for `matrix_made_of`."""
    parts = list(parts)
    metadata = pd.concat([part for part, _ in parts], ignore_index=True)
    order = np.argsort(metadata["Metadata_Id"].to_numpy(str), kind="stable")
    values = np.ascontiguousarray(np.concatenate([values for _, values in parts])[order].T)
    fields = pa.Table.from_pandas(metadata.iloc[order], preserve_index=False)
    named = dict(zip(fields.column_names, fields.columns, strict=True))
    table = pa.table(named | {name: values[k] for k, name in enumerate(matrix_columns(columns)["name"])})
    with whole(path) as temporary:
        pq.write_table(table.replace_schema_metadata({b"made of": made_of}), temporary, use_dictionary=False)


def matrix_made_of(path: Path) -> str | None:
    """What a matrix on disk was made from, or None where there is none."""
    try:
        return (pq.read_schema(path).metadata or {}).get(b"made of", b"").decode()
    except (OSError, pa.ArrowInvalid):
        return None


def read_matrix(path: Path, columns: pd.DataFrame) -> FieldMatrix:
    """Read a matrix.

    Parameters
    ----------
    path : Path
    columns : DataFrame
        The structured columns of the run (columns.parquet).

    Raises
    ------
    InputError
        If there is none.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing: no features have been extracted for it. Run python cli.py extract first.")
    described = matrix_columns(columns)
    table = pq.read_table(path)
    metadata = table.select([name for name in table.column_names if name.startswith(_METADATA)]).to_pandas()
    return FieldMatrix(metadata, _values(table.select(list(described["name"]))), described)
