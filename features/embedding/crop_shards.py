"""Crops to train on, in shards: some cells of every field. A run that was stopped continues at the next shard."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.embedding.cell_crops import CropSettings, crop_cells
from features.extraction.batches import ReadField, read_one
from features.extraction.settings import ExtractSettings
from features.extraction.tables import fields_table
from features.reading.fields import FieldSource
from store.channels import CHANNELS
from store.schema import METADATA_ID
from store.shards import Shard, write_shard_table
from store.stamp import code_of


@dataclass(frozen=True)
class TrainingCropSettings:
    """Settings that crops to train on depend on.

    Attributes
    ----------
    reading : ExtractSettings
        How fields are read and segmented.
    crop : CropSettings
    cells_a_field : int
        Largest number of cells of each field.
    """

    reading: ExtractSettings
    crop: CropSettings
    cells_a_field: int

    @property
    def code(self) -> str:
        """Hash of the sources that read, segment and cut."""
        return code_of("features.embedding.crop_shards", "features.kernels.cpu.*")

    def content(self) -> dict[str, Any]:
        """All values that crops depend on, for JSON."""
        return asdict(self) | {"reading": self.reading.content()}


def write_crops(source: FieldSource, shard: Shard, shown: TrainingCropSettings) -> int:
    """Read and segment the fields of a shard and write the crops of some cells of each; gives its fields.

    The cells table has one row a crop, the planes one after the other as bytes; the fields table is as in extraction.
    """
    rows, ids, crops = [], [], []
    for field_id in shard.ids:
        field = read_one(source, field_id, shown.reading)
        rows.append(field.row)
        if isinstance(field, ReadField) and field.labels is not None:
            cells = _some_cells(field.labels[0], shown.cells_a_field)
            crops.append(crop_cells(field.pixels, *field.labels, shown.crop, cells))
            ids += [field_id] * len(cells)
    n_bytes = len(CHANNELS) * shown.crop.side**2
    flat = [crop.tobytes() for of_field in crops for crop in of_field]
    table = pa.table({METADATA_ID: pa.array(ids, pa.string()), "crop": pa.array(flat, pa.binary(n_bytes))})
    write_shard_table(shard.cells_path, table, shard.stamp)
    write_shard_table(shard.fields_path, fields_table(shard, rows), shard.stamp)
    return len(rows)


def read_crops(shard: Shard, crop: CropSettings) -> tuple[list[str], np.ndarray]:
    """The field of each crop of a shard, and the crops, uint8, shape (n, 4, side, side)."""
    table = pq.read_table(shard.cells_path)
    column = table.column("crop").combine_chunks()
    flat = np.frombuffer(column.buffers()[1], np.uint8) if len(column) else np.empty(0, np.uint8)
    shape = (len(column), len(CHANNELS), crop.side, crop.side)
    return table.column(METADATA_ID).to_pylist(), flat[: np.prod(shape)].reshape(shape)


def _some_cells(cell_labels: np.ndarray, most: int) -> np.ndarray:
    """Ids of at most `most` cells, evenly over the field; those at the border only if fewer than two are inside."""
    n = int(cell_labels.max(initial=0))
    edges = (cell_labels[0], cell_labels[-1], cell_labels[:, 0], cell_labels[:, -1])
    uncut = np.setdiff1d(np.arange(1, n + 1), np.concatenate(edges))
    ids = uncut if len(uncut) >= 2 else np.arange(1, n + 1)
    return ids[np.unique(np.linspace(0, len(ids) - 1, min(most, len(ids))).round().astype(int))]
