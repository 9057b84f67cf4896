"""Extraction in shards: a shard is some fields turned into two finished files, so that a kill loses at most a shard."""

from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import FieldError
from engine.files import digest, digest_sources, whole
from features import columns, featurize
from features._cells import Cells, make_cells
from features._channels import ER
from features._device import open_device
from features._field import field_columns, field_metadata, measure_field
from features._images import FieldSource, read_field
from features._masks import read_masks
from features._segment import segment

_PROVENANCE = b"hpa-boost provenance"
LARGEST_SHARD, SMALLEST_SHARD, WANTED_SHARDS = 64, 4, 64


@dataclass(frozen=True)
class ExtractSettings:
    """What the tables depend on; another value makes another table.

    Attributes
    ----------
    no_er : bool
        The fields have no ER channel; what needs it is NaN.
    masks : str or None
        Folder of label images made elsewhere.
    device : str
        Where features are measured.
    code : str
        Hash of the sources that measure.
    """

    no_er: bool
    masks: str | None
    device: str
    code: str = digest_sources(Path(__file__).parent)


@dataclass(frozen=True)
class Shard:
    """Some fields of one split, and the two files they become.

    Attributes
    ----------
    split : str
        "train" or "test".
    number : int
    ids : tuple of str
    provenance : str
        Hash of settings, ids and image files; a file on disk counts only if it carries the same.
    folder : Path
        The run's features folder.
    """

    split: str
    number: int
    ids: tuple[str, ...]
    provenance: str
    folder: Path

    @property
    def cells_path(self) -> Path:
        """One row a cell."""
        return self.folder / "cells" / f"{self.split}-{self.number:05d}.parquet"

    @property
    def fields_path(self) -> Path:
        """One row a field, those that failed too; written last, so that its presence means the shard is finished."""
        return self.folder / "fields" / f"{self.split}-{self.number:05d}.parquet"

    def finished(self) -> bool:
        """Whether both files are there and were made from the same images with the same settings."""
        paths = (self.cells_path, self.fields_path)
        return all(path.is_file() and _provenance(path) == self.provenance for path in paths)


def _provenance(path: Path) -> str | None:
    try:
        stored = pq.read_schema(path).metadata or {}
    except (pa.ArrowInvalid, OSError):
        return None
    return stored.get(_PROVENANCE, b"").decode()


def plan_shards(source: FieldSource, split: str, settings: ExtractSettings, folder: Path) -> list[Shard]:
    """Cut the fields of a split into shards; the cut depends on the fields only, never on the number of workers."""
    size = int(np.clip(len(source.ids) // WANTED_SHARDS, SMALLEST_SHARD, LARGEST_SHARD))
    ids_of_all = source.ids
    chunks = [ids_of_all[i : i + size] for i in range(0, len(ids_of_all), size)]
    made_with = asdict(settings)
    return [
        Shard(split, number, ids, digest([made_with, _fingerprint(source, ids)]), folder)
        for number, ids in enumerate(chunks)
    ]


def _fingerprint(source: FieldSource, ids: tuple[str, ...]) -> list[list[object]]:
    """What tells whether an image file has changed: name, size, time; in a zip name, place, sizes."""
    members = [member for i in ids for member in source.files[i]]
    if source.path.is_dir():
        stats = [(source.path / member.name).stat() for member in members]
        return [[member.name, stat.st_size, stat.st_mtime_ns] for member, stat in zip(members, stats, strict=True)]
    return [[member.name, member.offset, member.packed, member.size] for member in members]


def measure_shard(source: FieldSource, shard: Shard, settings: ExtractSettings) -> tuple[int, int]:
    """Measure the fields of a shard and write its two files.

    Returns
    -------
    n_fields, n_failed : int
    """
    measured, rows = [], []
    for field_id in shard.ids:
        try:
            pixels, cells = _read_cells(source, field_id, settings)
        except FieldError as error:
            rows.append(_failed_row(field_id, error))
            continue
        measured.append((field_id, cells, _measure(cells, settings)))
        rows.append({"Metadata_Id": field_id} | measure_field(pixels, cells))
    _write(shard.cells_path, _cells_table(shard, measured), shard.provenance)
    _write(shard.fields_path, _fields_table(shard, rows), shard.provenance)
    return len(rows), len(rows) - len(measured)


def _read_cells(source: FieldSource, field_id: str, settings: ExtractSettings) -> tuple[np.ndarray, Cells]:
    pixels = read_field(source, field_id, no_er=settings.no_er)
    if settings.masks is None:
        found = segment(pixels, field_id)
    else:
        found = read_masks(Path(settings.masks), field_id, pixels.shape[1:])
    return pixels, make_cells(pixels[None], found.cells[None], found.nuclei[None], open_device(settings.device))


@lru_cache
def _er_columns() -> np.ndarray:
    return np.array([ER in column.channels for column in columns()])


def _measure(cells: Cells, settings: ExtractSettings) -> np.ndarray:
    values = featurize(cells, open_device(settings.device)).values
    if settings.no_er:
        values[:, _er_columns()] = np.nan
    return values


def _cells_table(shard: Shard, measured: list[tuple[str, Cells, np.ndarray]]) -> pa.Table:
    names = [column.name for column in columns()]
    ids = [field_id for field_id, cells, _ in measured for _ in range(cells.n)]
    position = [_positions(cells) for _, cells, _ in measured]
    metadata = {
        "Metadata_Id": pa.array(ids, pa.string()),
        "Metadata_Split": pa.array([shard.split] * len(ids), pa.string()),
        "Metadata_Cell": _joined([np.arange(1, cells.n + 1, dtype=np.int32) for _, cells, _ in measured], np.int32),
    }
    for k, name in enumerate(("Metadata_X", "Metadata_Y")):
        metadata[name] = _joined([p[k] for p in position], np.float32)
    metadata["Metadata_AtBorder"] = pa.array(_joined([p[2] for p in position], bool))
    values = np.concatenate([v for _, _, v in measured]) if measured else np.empty((0, len(names)), np.float32)
    by_column = np.ascontiguousarray(values.T)
    return pa.table(metadata | {name: by_column[k] for k, name in enumerate(names)})


def _joined(parts: list[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate(parts).astype(dtype) if parts else np.empty(0, dtype)


def _positions(cells: Cells) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Centre x and y in px of each cell, and whether it is cut by the image border."""
    get = cells.device.get
    height, width = cells.cell_labels.shape[1:]
    y_mean, x_mean = get(cells.centroids("Cells")).T
    top, left, bottom, right = get(cells.boxes).T
    return x_mean, y_mean, (top == 0) | (left == 0) | (bottom == height) | (right == width)


def _failed_row(field_id: str, error: FieldError) -> dict[str, object]:
    return {
        "Metadata_Id": field_id,
        "Metadata_Path": error.path,
        "Metadata_Stage": error.stage,
        "Metadata_Error": str(error),
    }


def _fields_table(shard: Shard, rows: list[dict[str, object]]) -> pa.Table:
    types = {"Metadata_Id": pa.string(), "Metadata_Path": pa.string(), "Metadata_Stage": pa.string()}
    types |= {"Metadata_Error": pa.string()} | field_metadata()
    types |= {column.name: pa.float32() for column in field_columns()}
    table = pa.Table.from_pylist(rows, pa.schema(list(types.items())))
    return table.add_column(1, "Metadata_Split", pa.array([shard.split] * len(rows), pa.string()))


def _write(path: Path, table: pa.Table, provenance: str) -> None:
    table = table.replace_schema_metadata({_PROVENANCE: provenance})
    with whole(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", use_dictionary=["Metadata_Id", "Metadata_Split"])
