"""Extraction in shards: a shard is some fields turned into two finished files, so that a kill loses at most a shard."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.files import digest, whole
from features._batches import MeasuredCells, ReadField, batches, cell_columns, fetch, launch, read_one
from features._device import open_device
from features._field import field_columns, field_metadata
from features._images import FieldSource
from features._settings import ExtractSettings, MadeWith

_PROVENANCE = b"hpa-boost provenance"
LARGEST_SHARD, SMALLEST_SHARD, WANTED_SHARDS = 64, 8, 64
"""Fields of a shard at most, in large and in small data sets; how many shards there are before they become larger."""


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
        return self.folder / "cells" / self.name

    @property
    def fields_path(self) -> Path:
        """One row a field, those that failed too; written last, so that its presence means the shard is finished."""
        return self.folder / "fields" / self.name

    @property
    def name(self) -> str:
        """Of both files."""
        return f"{self.split}-{self.number:05d}.parquet"

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


def plan_shards(source: FieldSource, split: str, settings: MadeWith, folder: Path) -> list[Shard]:
    """Cut the fields of a split into shards; the cut depends on the fields only, never on the number of workers."""
    made_with = settings.made_with()
    return [
        Shard(split, number, ids, digest([made_with, _fingerprint(source, ids)]), folder)
        for number, ids in enumerate(_cut(source.ids))
    ]


def _cut(ids: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Pieces of sorted ids. Each ends where the hash of the next id says so, or when it is as long as it may be.

    So an id that comes or goes changes the piece it is in and few after it, not all that follow.
    """
    longest = SMALLEST_SHARD
    while longest < LARGEST_SHARD and 2 * longest * WANTED_SHARDS <= len(ids):
        longest *= 2
    shortest, piece = longest // 2, []
    for one in ids:
        if len(piece) == longest or (len(piece) >= shortest and crc32(one.encode()) % shortest == 0):
            yield tuple(piece)
            piece = []
        piece.append(one)
    yield tuple(piece)


def settle(shards: list[Shard]) -> list[Shard]:
    """Bring the finished shards of a split to their places, and remove those that have none any more.

    Parameters
    ----------
    shards : list of Shard
        All of the split.

    Returns
    -------
    list of Shard
        Those that are still to be measured.
    """
    todo = [shard for shard in shards if not shard.finished()]
    if todo:
        for part in ("cells", "fields"):
            _renumber(shards[0].folder / part, shards)
    places = {shard.name for shard in shards}
    for path in shards[0].folder.glob(f"*/{shards[0].split}-*.parquet"):
        if path.name not in places:
            path.unlink()
    return [shard for shard in todo if not shard.finished()]


def _renumber(folder: Path, shards: list[Shard]) -> None:
    """Give finished files the numbers that their fields have now: fields that came or went move those after them."""
    by_provenance = {shard.provenance: shard for shard in shards}
    moved = []
    for path in folder.glob(f"{shards[0].split}-*.parquet"):
        shard = by_provenance.get(_provenance(path) or "")
        if shard is not None and path.name != shard.name:
            aside = path.with_name(f"{shard.split}-{shard.provenance}.parquet")  # until its place is free
            moved.append((path.rename(aside), path.with_name(shard.name)))
    for aside, place in moved:
        aside.replace(place)


def measured_ids(folder: Path, split: str) -> set[str]:
    """The fields that files in a features folder tell of."""
    ids = set()
    for path in (folder / "fields").glob(f"{split}-*.parquet"):
        with suppress(pa.ArrowInvalid, OSError):  # a damaged file is measured again
            ids.update(pq.read_table(path, columns=["Metadata_Id"])["Metadata_Id"].to_pylist())
    return ids


def _fingerprint(source: FieldSource, ids: tuple[str, ...]) -> list[list[object]]:
    """What tells whether an image file has changed: name, size, time; in a zip name, place, sizes."""
    members = [member for i in ids for member in source.files[i]]
    if source.path.is_dir():
        return [[member.name, *_size_and_time(source.path / member.name)] for member in members]
    return [[member.name, member.offset, member.packed, member.size] for member in members]


def _size_and_time(path: Path) -> tuple[int, int]:
    """Of a file; of a link to nowhere -1, so that a file that comes to be there is noticed."""
    try:
        status = path.stat()
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


def measure_shard(source: FieldSource, shard: Shard, settings: ExtractSettings) -> tuple[int, int]:
    """Measure the fields of a shard on the CPU, one after the other, and write its two files.

    Returns
    -------
    n_fields, n_failed : int
    """
    device, unread = open_device("cpu"), []
    fields = readable((read_one(source, field_id, settings) for field_id in shard.ids), unread)
    measured = [fetch(launch(batch, device), settings, device) for batch in batches(fields, device)]
    return write_shard(shard, unread, measured, settings)


def readable(fields: Iterable[ReadField], unread: list[dict[str, object]]) -> Iterator[ReadField]:
    """The fields that could be read; the rows of others are appended to `unread`."""
    for field in fields:
        if field.pixels is None:
            unread.append(field.row)
        else:
            yield field


def write_shard(
    shard: Shard, unread: list[dict[str, object]], measured: list[MeasuredCells], settings: ExtractSettings
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

    Returns
    -------
    n_fields, n_failed : int
    """
    write_table(shard.cells_path, _cells_table(shard, measured, settings), shard.provenance)
    rows = {row["Metadata_Id"]: row for row in (*unread, *(row for batch in measured for row in batch.rows))}
    write_table(shard.fields_path, fields_table(shard, [rows[field_id] for field_id in shard.ids]), shard.provenance)
    return len(rows), sum("Metadata_Error" in row for row in rows.values())


def _cells_table(shard: Shard, measured: list[MeasuredCells], settings: ExtractSettings) -> pa.Table:
    names = [column.name for column in cell_columns(settings)]
    ids = [batch.rows[f]["Metadata_Id"] for batch in measured for f in batch.field]
    numbers = [_ranks(batch.field) for batch in measured]
    metadata = {
        "Metadata_Id": pa.array(ids, pa.string()),
        "Metadata_Split": pa.array([shard.split] * len(ids), pa.string()),
        "Metadata_Cell": _joined(numbers, np.int32),
        "Metadata_X": _joined([batch.centres[:, 1] for batch in measured], np.float32),
        "Metadata_Y": _joined([batch.centres[:, 0] for batch in measured], np.float32),
        "Metadata_AtBorder": pa.array(_joined([batch.at_border for batch in measured], bool)),
    }
    values = [batch.values for batch in measured]
    by_column = np.ascontiguousarray(np.concatenate([np.empty((0, len(names)), np.float32), *values]).T)
    return pa.table(metadata | {name: by_column[k] for k, name in enumerate(names)})


def _ranks(field: np.ndarray) -> np.ndarray:
    """The number of each cell in its field, from 1; cells are sorted by field."""
    return np.arange(1, len(field) + 1) - np.searchsorted(field, field)


def _joined(parts: list[np.ndarray], dtype: type) -> np.ndarray:
    return np.concatenate([np.empty(0, dtype), *parts]).astype(dtype)


def fields_table(shard: Shard, rows: list[dict[str, object]]) -> pa.Table:
    """One row a field of a shard: what was measured of it as a whole, or why it failed."""
    types = {"Metadata_Id": pa.string(), "Metadata_Path": pa.string(), "Metadata_Stage": pa.string()}
    types |= {"Metadata_Error": pa.string()} | field_metadata()
    types |= {column.name: pa.float32() for column in field_columns()}
    table = pa.Table.from_pylist(rows, pa.schema(list(types.items())))
    return table.add_column(1, "Metadata_Split", pa.array([shard.split] * len(rows), pa.string()))


def write_table(path: Path, table: pa.Table, provenance: str) -> None:
    """Write a table of a shard, whole or absent, with the hash of all that it was made with."""
    table = table.replace_schema_metadata({_PROVENANCE: provenance})
    with whole(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", use_dictionary=["Metadata_Id", "Metadata_Split"])
