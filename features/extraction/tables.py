"""The two tables of a shard: one row a cell, and one row a field, also for fields that failed."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from features.extraction.batches import MeasuredCells, Row, cell_columns
from features.extraction.field_level import field_columns, field_metadata
from features.extraction.settings import ExtractSettings
from store.schema import (
    CELLS,
    FIELDS,
    METADATA_ERROR,
    METADATA_ID,
    METADATA_MASK_ID,
    METADATA_MAX_LEVEL,
    METADATA_PIXEL_SIZE,
    METADATA_SPLIT,
    PLACE,
)
from store.shards import Shard, write_shard_table

Written = Callable[[Shard, pa.Table, pa.Table], object]
"""What is done with a shard and its tables of cells and fields once they are on disk."""


def write_shard(
    shard: Shard, unread: list[Row], measured: list[MeasuredCells], settings: ExtractSettings, then: Written | None
) -> tuple[int, int]:
    """Write the two files of a shard.

    Parameters
    ----------
    shard : Shard
    unread : list of dict
        The rows of fields that could not be read.
    measured : list of MeasuredCells
        All others, in the order of the fields.
    settings : ExtractSettings
        What they were measured with.
    then : callable or None
        Called at the end.

    Returns
    -------
    n_fields, n_failed : int
    """
    cells = _cells_table(shard, measured, settings)
    write_shard_table(shard.cells_path, cells, shard.stamp)
    rows = {row[METADATA_ID]: row for row in (*unread, *(row for batch in measured for row in batch.rows))}
    fields = fields_table(shard, [rows[field_id] for field_id in shard.ids])
    write_shard_table(shard.fields_path, fields, shard.stamp)
    if then is not None:
        then(shard, cells, fields)
    return len(rows), sum(METADATA_ERROR in row for row in rows.values())


def _cells_table(shard: Shard, measured: list[MeasuredCells], settings: ExtractSettings) -> pa.Table:
    names = [column.name for column in cell_columns(settings)]
    places = [[batch.rows[f].get(name) for batch in measured for f in batch.field] for name in PLACE]
    numbers = [_ranks(batch.field) for batch in measured]
    metadata = (
        *(pa.array(column, pa.string()) for column in places),
        pa.array([shard.split] * len(places[0]), pa.string()),
        _joined(numbers, np.int32),
        _joined([batch.centres[:, 1] for batch in measured], np.float32),
        _joined([batch.centres[:, 0] for batch in measured], np.float32),
        pa.array(_joined([batch.at_border for batch in measured], bool)),
    )
    values = [batch.values for batch in measured]
    by_column = np.ascontiguousarray(np.concatenate([np.empty((0, len(names)), np.float32), *values]).T)
    described = dict(zip(CELLS, metadata, strict=True))
    if settings.masks is not None:
        described[METADATA_MASK_ID] = pa.array(
            _joined([batch.mask_ids for batch in measured if batch.mask_ids is not None], np.int64)
        )
    return pa.table(described | {name: by_column[k] for k, name in enumerate(names)})


def _ranks(field: np.ndarray) -> np.ndarray:
    """The number of each cell in its field, from 1; cells are sorted by field."""
    return np.arange(1, len(field) + 1) - np.searchsorted(field, field)


def _joined(parts: list[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate([np.empty(0, dtype), *parts]).astype(dtype)


def fields_table(shard: Shard, rows: list[Row]) -> pa.Table:
    """One row a field of a shard: what was measured of it as a whole, or why it failed."""
    types = dict.fromkeys(FIELDS, pa.string()) | {METADATA_PIXEL_SIZE: pa.float32(), METADATA_MAX_LEVEL: pa.int32()}
    types |= field_metadata()
    types |= {column.name: pa.float32() for column in field_columns()}
    return pa.Table.from_pylist([row | {METADATA_SPLIT: shard.split} for row in rows], pa.schema(list(types.items())))
