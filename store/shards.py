"""Shards: groups of fields that are measured and stored one by one, so that a killed run loses little work.

A shard has two tables, of its cells and of its fields. Both carry the stamp of their settings, images and sources, and
are used only while it equals the one computed now. A third file holds its pooled rows; it can be made again from the
two.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from zlib import crc32

import pyarrow as pa
import pyarrow.parquet as pq

from engine.files import whole
from store.schema import METADATA_ID, METADATA_SPLIT
from store.stamp import stamp, stamp_of, stamped

LARGEST_SHARD, SMALLEST_SHARD, WANTED_SHARDS = 64, 8, 32
"""Fields of a shard at most, in large and in small data sets; number of shards from which on they become larger."""


class TableSettings(Protocol):
    """Settings that the tables of a shard depend on."""

    @property
    def code(self) -> str:
        """Hash of the sources that make the tables."""
        ...

    def content(self) -> dict[str, Any]:
        """All values that change the tables, for JSON."""
        ...


@dataclass(frozen=True)
class Shard:
    """Some fields of one split, and their two tables.

    Attributes
    ----------
    split : str
        "train" or "test"; "new" for fields to predict.
    number : int
    ids : tuple of str
    stamp : str
        Of settings, image files and sources; a table on disk is used only if it carries the same.
    folder : Path
        Where the folders of both tables are.
    """

    split: str
    number: int
    ids: tuple[str, ...]
    stamp: str
    folder: Path

    @property
    def cells_path(self) -> Path:
        """One row a cell."""
        return self.folder / "cells" / self.name

    @property
    def fields_path(self) -> Path:
        """One row a field, failed ones included; written last, so its presence means that the shard is finished."""
        return self.folder / "fields" / self.name

    @property
    def pooled_path(self) -> Path:
        """One row a field that did not fail: its row of the matrix, pooled while the cells were at hand."""
        return self.folder / "pooled" / self.name

    @property
    def name(self) -> str:
        """Of all its files."""
        return f"{self.split}-{self.number:05d}.parquet"

    def finished(self) -> bool:
        """Whether both tables are there and carry the shard's stamp."""
        paths = (self.cells_path, self.fields_path)
        return all(path.is_file() and stamp_of(path) == self.stamp for path in paths)


def plan_shards(
    split: str,
    ids: tuple[str, ...],
    fingerprint: Callable[[tuple[str, ...]], Any],
    settings: TableSettings,
    folder: Path,
) -> list[Shard]:
    """Divide the fields of a split into shards; the division depends on the ids only, not on the number of workers.

    Parameters
    ----------
    split : str
    ids : tuple of str
        All fields of the split, sorted.
    fingerprint : callable
        Returns, for some ids, values that change with their images, as JSON can hold them.
    settings : TableSettings
    folder : Path
    """
    return [
        Shard(split, number, piece, stamp(settings.content(), fingerprint(piece), settings.code), folder)
        for number, piece in enumerate(cut_ids(ids))
    ]


def cut_ids(ids: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Divide sorted ids into pieces. A piece ends before an id whose hash is a multiple of the shortest length, or
    at its largest length.

    So an added or removed id changes its own piece and a few after it, not all that follow.
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


def reconcile_shards(shards: list[Shard]) -> list[Shard]:
    """Rename finished tables to the current number of their shard, and remove tables that belong to no shard.

    Parameters
    ----------
    shards : list of Shard
        All of the split.

    Returns
    -------
    list of Shard
        Those that must still be measured.
    """
    todo = [shard for shard in shards if not shard.finished()]
    if todo:
        for part in ("cells", "fields", "pooled"):
            _renumber(shards[0].folder / part, shards)
    places = {shard.name for shard in shards}
    for path in shards[0].folder.glob(f"*/{shards[0].split}-*.parquet"):
        if path.name not in places:
            path.unlink()
    return [shard for shard in todo if not shard.finished()]


def _renumber(folder: Path, shards: list[Shard]) -> None:
    """Rename finished files to the current number of their shard: added or removed fields shift all after them."""
    by_stamp = {shard.stamp: shard for shard in shards}
    moved = []
    for path in folder.glob(f"{shards[0].split}-*.parquet"):
        shard = by_stamp.get(stamp_of(path) or "")
        if shard is not None and path.name != shard.name:
            aside = path.with_name(f"{shard.split}-{shard.stamp}.parquet")  # until the final name is free
            moved.append((path.rename(aside), path.with_name(shard.name)))
    for aside, place in moved:
        aside.replace(place)


def measured_ids(folder: Path, split: str) -> set[str]:
    """The fields that appear in the shards of a features folder."""
    ids = set()
    for path in (folder / "fields").glob(f"{split}-*.parquet"):
        with suppress(pa.ArrowInvalid, OSError):  # a damaged file is measured again
            ids.update(pq.read_table(path, columns=[METADATA_ID])[METADATA_ID].to_pylist())
    return ids


def write_shard_table(path: Path, table: pa.Table, mark: str) -> None:
    """Write a table of a shard with its stamp, whole or absent."""
    with whole(path) as temporary:
        pq.write_table(
            stamped(table, mark),
            temporary,
            compression="snappy",  # zstd saves 7 % of the bytes of floats at twice the time
            write_statistics=False,
            use_dictionary=[METADATA_ID, METADATA_SPLIT],  # pyright: ignore[reportArgumentType] (a list is documented)
        )
