"""Pooled rows of shards on disk: written while the cells are at hand, read when the matrix is put together."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.extraction.pooling import ShardTables, pool_shard, pooling_code, usable
from store.shards import Shard, write_shard_table
from store.stamp import stamp, stamp_of

_VALUES, _MADE_BY = "values", b"pooling"  # the column of rows, and where the file says what they were pooled by


def pooled_shard(shard: Shard, columns: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """What `pool_shard` gives: read from the file that `store_pooled` wrote, or pooled again if that is out of date."""
    table = _read(shard)
    if table is None or (table.schema.metadata or {}).get(_MADE_BY, b"").decode() != _mark(columns):
        return pool_shard(shard.cells_path, shard.fields_path, columns)
    rows = table.column(_VALUES)
    values = np.frombuffer(b"".join(rows.to_pylist()), np.float32)
    values = values.reshape(len(rows), rows.type.byte_width // values.itemsize)
    return table.drop_columns([_VALUES]).to_pandas(), values


def _read(shard: Shard) -> pa.Table | None:
    """The file of pooled rows; None where it is missing, damaged, or of other images or settings."""
    try:
        return pq.read_table(shard.pooled_path) if stamp_of(shard.pooled_path) == shard.stamp else None
    except (pa.ArrowException, OSError):
        return None


def store_pooled(columns: pd.DataFrame, shard: Shard, cells: pa.Table, fields: pa.Table) -> None:
    """Pool a shard whose tables are at hand, because reading thousands of columns of a few fields takes longer.

    The rows go into a file beside the two tables. It is not part of them: they stay as they are when pooling changes.
    """
    metadata, values = ShardTables(columns, usable(fields), cells).pooled()
    rows = pa.array([row.tobytes() for row in values], pa.binary(4 * values.shape[1]))
    table = pa.Table.from_pandas(metadata, preserve_index=False).append_column(_VALUES, rows)
    made_by = {**(table.schema.metadata or {}), _MADE_BY: _mark(columns)}
    write_shard_table(shard.pooled_path, table.replace_schema_metadata(made_by), shard.stamp)


def _mark(columns: pd.DataFrame) -> str:
    """The stamp of pooled rows beside that of their shard."""
    return stamp(list(columns["name"]), [], pooling_code())
