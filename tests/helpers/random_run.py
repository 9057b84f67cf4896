"""A run folder with random features, written by the functions that extraction uses; no image is measured."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from commands import pooling
from features.extraction.batches import MeasuredCells, cell_columns
from features.extraction.field_level import field_columns, field_metadata
from features.extraction.settings import ExtractSettings
from features.extraction.tables import write_shard
from store.classes import ORGANELLES
from store.fit_folder import write_class_table
from store.run_folder import RunFolder
from store.schema import METADATA_ID
from store.shards import Shard

SETTINGS = ExtractSettings(masks=None, device="cpu")


FEW = cell_columns(SETTINGS)[::40]


def make_run(
    root: Path, rng: np.random.Generator, fields: dict[str, int], shard_fields: int = 4,
    hashes: Mapping[str, np.ndarray] | None = None,
) -> RunFolder:  # fmt: skip
    """The given numbers of fields, one to five cells each; every 40th feature, a twentieth of the values missing.

    `hashes` are those of fields that have images; all others are random.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("features.extraction.tables.cell_columns", lambda settings: FEW)
        patch.setattr("commands.pooling.cell_columns", lambda settings: FEW)
        return _written(RunFolder(root), rng, fields, shard_fields, hashes or {})


def _written(
    folder: RunFolder, rng: np.random.Generator, fields: dict[str, int], shard_fields: int,
    hashes: Mapping[str, np.ndarray],
) -> RunFolder:  # fmt: skip
    columns = pooling.write_columns(folder, SETTINGS)
    for split, n in fields.items():
        ids = [f"{split}-{i:03d}" for i in range(n)]
        chunks = [tuple(ids[i : i + shard_fields]) for i in range(0, n, shard_fields)]
        shards = [Shard(split, k, chunk, f"{split} {k}", folder.features) for k, chunk in enumerate(chunks)]
        for shard in shards:
            write_shard(shard, [], [_cells(tuple(_field_row(i, rng, hashes) for i in shard.ids), rng)], SETTINGS, None)
        pooling.pool_split(folder, shards, columns, workers=1, quiet=True)
    folder.note("extract", {"no_er": False})
    return folder


def _field_row(field: str, rng: np.random.Generator, hashes: Mapping[str, np.ndarray]) -> dict[str, object]:
    values = {column.name: float(rng.normal()) for column in field_columns()}
    metadata = {name: int(rng.integers(2**63)) for name in field_metadata()}
    if field in hashes:
        metadata |= zip((name for name in metadata if "Hash" in name), hashes[field].tolist(), strict=True)
    return {METADATA_ID: field} | values | metadata


def _cells(rows: tuple[dict[str, object], ...], rng: np.random.Generator) -> MeasuredCells:
    field = np.repeat(np.arange(len(rows), dtype=np.int32), rng.integers(1, 6, len(rows)))
    values = rng.normal(size=(len(field), len(FEW))).astype(np.float32)
    values[rng.random(values.shape) < 0.05] = np.nan
    return MeasuredCells(rows, field, rng.uniform(0, 512, (len(field), 2)), rng.random(len(field)) < 0.3, values)


def add_fit(folder: RunFolder, rng: np.random.Generator) -> None:
    """The tables of labels and out-of-fold probabilities that a fit writes, the fields in another order."""
    ids = pq.read_table(folder.matrix("train"), columns=[METADATA_ID]).column(0).to_pylist()[::-1]
    shape = len(ids), len(ORGANELLES)
    write_class_table(folder.fit.labels, ids, ORGANELLES, rng.random(shape) < 0.2)
    write_class_table(folder.fit.probabilities, ids, ORGANELLES, rng.random(shape).astype(np.float32))
