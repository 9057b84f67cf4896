"""Portraits to train on, in shards that a run may be stopped and started between: some cells of every field."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features._batches import read_one
from features._channels import CHANNELS
from features._images import FieldSource
from features._portraits import PortraitSettings, cut_portraits
from features._settings import ExtractSettings
from features._shards import Shard, fields_table, write_table


@dataclass(frozen=True)
class ShownCells:
    """What portraits depend on beside the images.

    Attributes
    ----------
    reading : ExtractSettings
        How fields are read and segmented.
    portrait : PortraitSettings
    cells_a_field : int
        At most so many of each field.
    """

    reading: ExtractSettings
    portrait: PortraitSettings
    cells_a_field: int

    def made_with(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return asdict(self) | {"reading": self.reading.made_with()}


def write_portraits(source: FieldSource, shard: Shard, shown: ShownCells) -> int:
    """Read and segment the fields of a shard and write the portraits of some cells of each; gives its fields.

    The cells table has one row a portrait, the planes one after the other as bytes; the fields table is extraction's.
    """
    rows, ids, portraits = [], [], []
    for field_id in shard.ids:
        field = read_one(source, field_id, shown.reading)
        rows.append(field.row)
        if field.pixels is not None:
            cells = _some_cells(field.labels[0], shown.cells_a_field)
            portraits.append(cut_portraits(field.pixels, *field.labels, shown.portrait, cells))
            ids += [field_id] * len(cells)
    n_bytes = len(CHANNELS) * shown.portrait.side**2
    flat = [portrait.tobytes() for of_field in portraits for portrait in of_field]
    table = pa.table({"Metadata_Id": pa.array(ids, pa.string()), "portrait": pa.array(flat, pa.binary(n_bytes))})
    write_table(shard.cells_path, table, shard.provenance)
    write_table(shard.fields_path, fields_table(shard, rows), shard.provenance)
    return len(rows)


def read_portraits(shard: Shard, portrait: PortraitSettings) -> tuple[list[str], np.ndarray]:
    """The field of each portrait of a shard, and the portraits, uint8, shape (n, 4, side, side)."""
    table = pq.read_table(shard.cells_path)
    column = table.column("portrait").combine_chunks()
    flat = np.frombuffer(column.buffers()[1], np.uint8) if len(column) else np.empty(0, np.uint8)
    shape = (len(column), len(CHANNELS), portrait.side, portrait.side)
    return table.column("Metadata_Id").to_pylist(), flat[: np.prod(shape)].reshape(shape)


def _some_cells(cell_labels: np.ndarray, most: int) -> np.ndarray:
    """Ids of at most so many cells, evenly over the field; those cut by the image border if fewer than two are not."""
    n = int(cell_labels.max(initial=0))
    edges = (cell_labels[0], cell_labels[-1], cell_labels[:, 0], cell_labels[:, -1])
    uncut = np.setdiff1d(np.arange(1, n + 1), np.concatenate(edges))
    ids = uncut if len(uncut) >= 2 else np.arange(1, n + 1)
    return ids[np.unique(np.linspace(0, len(ids) - 1, min(most, len(ids))).round().astype(int))]
