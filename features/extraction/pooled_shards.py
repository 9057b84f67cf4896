"""Pooled rows of shards on disk: written while the cells are at hand, read when the matrix is put together."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from features.extraction.pooling import ShardTables, pool_shard, pooling_code, usable
from store.shards import Shard, write_shard_table
from store.stamp import stamp, stamp_of

_VALUES, _MADE_BY = "values", b"pooling"  # the column of rows, and where the file says what they were pooled by


def is_pooled(shard: Shard, columns: pd.DataFrame) -> bool:
    """Whether the file of pooled rows is of these images, settings and columns, pooled by today's sources."""
    return _read(shard, columns, []) is not None


def pooled_shard(shard: Shard, columns: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """What `pool_shard` gives: read from the file of pooled rows, which is written anew if it is out of date."""
    table = _read(shard, columns)
    if table is None:
        pooled = pool_shard(shard.cells_path, shard.fields_path, columns)
        _write(shard, columns, *pooled)
        return pooled
    rows = table.column(_VALUES)
    values = np.frombuffer(b"".join(rows.to_pylist()), np.float32)
    values = values.reshape(len(rows), rows.type.byte_width // values.itemsize)
    return table.drop_columns([_VALUES]).to_pandas(), values


def _read(shard: Shard, columns: pd.DataFrame, wanted: list[str] | None = None) -> pa.Table | None:
    """The file of pooled rows, or some of its columns; None where it is missing, damaged or out of date."""
    try:
        if stamp_of(shard.pooled_path) != shard.stamp:
            return None
        table = pq.read_table(shard.pooled_path, columns=wanted)
    except (pa.ArrowException, OSError):
        return None
    made_by = (table.schema.metadata or {}).get(_MADE_BY, b"").decode()
    return table if made_by == _mark(columns) else None


def pool_again(shard: Shard, columns: pd.DataFrame) -> None:
    """For a worker: write the file of pooled rows anew if it is out of date, and send nothing back."""
    pooled_shard(shard, columns)


def store_pooled(columns: pd.DataFrame, shard: Shard, cells: pa.Table, fields: pa.Table) -> None:
    """Pool a shard whose tables are at hand, because reading thousands of columns of a few fields takes longer.

    The rows go into a file beside the two tables. It is not part of them: they stay as they are when pooling changes.
    """
    _write(shard, columns, *ShardTables(columns, usable(fields), cells).pooled())


def _write(shard: Shard, columns: pd.DataFrame, metadata: pd.DataFrame, values: np.ndarray) -> None:
    rows = pa.array([row.tobytes() for row in values], pa.binary(4 * values.shape[1]))
    table = pa.Table.from_pandas(metadata, preserve_index=False).append_column(_VALUES, rows)
    made_by = {**(table.schema.metadata or {}), _MADE_BY: _mark(columns)}
    write_shard_table(shard.pooled_path, table.replace_schema_metadata(made_by), shard.stamp)


def _mark(columns: pd.DataFrame) -> str:
    """The stamp of pooled rows beside that of their shard."""
    return stamp(columns["name"].tolist(), [], pooling_code())
