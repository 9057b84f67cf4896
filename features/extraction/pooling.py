"""From cells to fields: each feature's mean over the cells, and for the protein also the mean of the top tenth.

An embedding has the mean weighted by each cell's protein instead.

Labels are per field, features per cell. The mean describes most cells; the top keeps patterns of one or two cells, such
as spindles and bridges. The standard deviation (`sd`) is available too, but is not in the matrix.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from engine.running.compiled import njit
from store.channels import IMAGE
from store.columns import values_by_column
from store.matrix import POOLS, is_mass, kept_pools
from store.schema import METADATA, METADATA_ERROR, METADATA_ID
from store.stamp import code_of

TOP_SHARE = 0.1
"""The top is the mean over this share of a field's cells, rounded up: one cell of up to 10, two of up to 20, ..."""


def pool(
    values: np.ndarray,
    field_index: np.ndarray,
    n_fields: int,
    pools: Sequence[str] = POOLS,
    mass: np.ndarray | None = None,
) -> np.ndarray:
    """Pool the cells of each field.

    Parameters
    ----------
    values : ndarray of float32, shape (n_cells, n_features)
        NaN where a value does not exist; such cells do not count for that feature.
    field_index : ndarray of int, shape (n_cells,)
        The field of each cell, from 0; in any order.
    n_fields : int
        Fields, also those without a cell.
    pools : sequence of str
        Which pools, from `POOLS`.
    mass : ndarray of float32, shape (n_cells,), or None
        Weights of the cells, positive, for the pool "mass"; None weighs them equally.

    Returns
    -------
    ndarray of float32, shape (n_fields, len(pools) * n_features)
        One block of columns a pool. NaN where no cell has the value, and for the standard deviation (n - 1 in the
        denominator) where fewer than two have it.

    Raises
    ------
    ValueError
        If a pool is unknown or the shapes do not fit.
    """
    unknown = [name for name in pools if name not in POOLS]
    if unknown:
        raise ValueError(f"unknown pool {unknown[0]!r}; there are {', '.join(POOLS)}")
    if values.ndim != 2 or field_index.shape != (len(values),):
        raise ValueError(f"values {values.shape} and field_index {field_index.shape} do not fit")
    order = np.argsort(field_index, kind="stable")
    starts = np.searchsorted(field_index[order], np.arange(n_fields + 1))
    blocks = np.full((len(pools), n_fields, values.shape[1]), np.nan, np.float32)
    wanted = np.array([POOLS.index(name) for name in pools], np.int64)
    weights = np.ones(len(values)) if mass is None else mass.astype(np.float64)
    by_column = np.ascontiguousarray(values.T, np.float32)
    _pool_sorted(by_column, weights, order, starts, wanted, TOP_SHARE, blocks)
    return np.concatenate(blocks, axis=1)


def pooling_code() -> str:
    """Hash of the sources that pool."""
    return code_of("features.extraction.pooling")


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
    def _of_field(self) -> np.ndarray:
        return (self.columns["compartment"] == IMAGE).to_numpy()

    @property
    def _field_index(self) -> np.ndarray:
        """The row in `fields` of each cell."""
        return pd.Index(self.fields[METADATA_ID]).get_indexer(self.cells.column(METADATA_ID).to_pandas())

    def pooled(self) -> tuple[pd.DataFrame, np.ndarray]:
        """Metadata and values as `pool_shard` gives them, one row a field."""
        metadata = self.fields.loc[:, [name for name in self.fields.columns if name.startswith(METADATA)]]
        return metadata, self._matrix(self._field_index, np.arange(len(self.fields)))

    def each_cell(self) -> tuple[pd.DataFrame, np.ndarray]:
        """The same with one row a cell, as if its field had this cell only."""
        metadata = self.cells.select([name for name in self.cells.column_names if name.startswith(METADATA)])
        return metadata.to_pandas(), self._matrix(np.arange(self.cells.num_rows), self._field_index)

    def _matrix(self, pool_of_cell: np.ndarray, field_of_row: np.ndarray) -> np.ndarray:
        of_cell = self.columns.loc[~self._of_field]
        by_column = values_by_column(self.cells.select(of_cell["name"].tolist()))
        n, weight = len(field_of_row), is_mass(of_cell)
        mass = by_column[np.argmax(weight)] if weight.any() else None
        pooled = [pool(by_column[kept].T, pool_of_cell, n, [name], mass) for name, kept in kept_pools(of_cell)]
        whole_field = self.fields[list(self.columns.loc[self._of_field, "name"])].to_numpy(np.float32)
        return np.concatenate([*pooled, whole_field[field_of_row]], axis=1)


def usable_fields(paths: Iterable[Path]) -> pd.DataFrame:
    """The rows of tables of fields without those that failed: their missing values would make the hashes floats."""
    return usable(pa.concat_tables([pq.read_table(path) for path in paths]))


def usable(fields: pa.Table) -> pd.DataFrame:
    """The rows of one table of fields without those that failed."""
    return fields.filter(fields[METADATA_ERROR].is_null()).to_pandas()


def read_shard(cells_path: Path, fields_path: Path, columns: pd.DataFrame) -> ShardTables:
    """Read the tables of a shard; parameters as for `pool_shard`."""
    fields = usable_fields([fields_path])
    metadata = [name for name in pq.read_schema(cells_path).names if name.startswith(METADATA)]
    names = [*metadata, *columns.loc[columns["compartment"] != IMAGE, "name"]]
    return ShardTables(columns, fields, pq.read_table(cells_path, columns=names))


@njit(nogil=True)
def _pool_sorted(by_column, weights, order, starts, wanted, top_share, blocks):
    """Fill a block for each wanted pool; cells of field f are order[starts[f]:starts[f + 1]]."""
    column = np.empty(len(order), np.float64)
    for j in range(len(by_column)):
        for f in range(len(starts) - 1):
            n = 0
            total, weighted, weight = 0.0, 0.0, 0.0
            for i in range(starts[f], starts[f + 1]):
                value = by_column[j, order[i]]
                if not np.isnan(value):
                    column[n] = value
                    total += value
                    weighted += weights[order[i]] * value
                    weight += weights[order[i]]
                    n += 1
            if n == 0:
                continue
            for b in range(len(wanted)):
                if wanted[b] == 0:
                    blocks[b, f, j] = total / n
                elif wanted[b] == 1:
                    blocks[b, f, j] = _spread(column[:n], total / n)
                elif wanted[b] == 3:
                    blocks[b, f, j] = weighted / weight
                else:
                    blocks[b, f, j] = _mean_of_top(column[:n], int(np.ceil(top_share * n - 1e-9)))


@njit(nogil=True)
def _spread(column, mean):
    """Standard deviation about the mean, n - 1 in the denominator; NaN of fewer than two values."""
    if len(column) < 2:
        return np.nan
    squares = 0.0
    for value in column:
        squares += (value - mean) ** 2
    return np.sqrt(squares / (len(column) - 1))


@njit(nogil=True)
def _mean_of_top(column, n_top):
    """Mean of the n_top largest values, which are sorted into the first places of the column."""
    for i in range(len(column)):
        value, k = column[i], min(i, n_top)
        if k == n_top:
            if value <= column[k - 1]:
                continue
            k -= 1
        while k > 0 and column[k - 1] < value:
            column[k] = column[k - 1]
            k -= 1
        column[k] = value
    total = 0.0
    for k in range(n_top):
        total += column[k]
    return total / n_top
