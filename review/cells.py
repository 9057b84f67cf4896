"""All cells of a run: where each lies, and features of some of them, read from the shards when they are asked for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from engine.running.progress import Progress
from review.cell_tables import read_all, read_columns, read_features
from store.matrix import FieldMatrix, matrix_columns
from store.prediction import slivers
from store.schema import METADATA_AT_BORDER, METADATA_CELL, METADATA_ID, METADATA_X, METADATA_Y

SAMPLED, MOST_SHARDS = 20_000, 64
"""Cells of the map at most, and shards that they are read from: both evenly spaced over all."""

_SPARE = 2  # times as many cells as the map shows are in the shards that are read for it

_WIDTHS = 1.9  # side of a cell's picture, in diameters of a disc of its area
_USUAL = 90.0  # px, where a cell's area was not measured


@dataclass(frozen=True)
class Pools:
    """Which columns of a matrix are pooled from which column of cells.

    Attributes
    ----------
    of_cells : list of str
        The columns of cells, each once.
    pooled : ndarray of bool, shape (n_columns,)
        False for columns of the whole field.
    place : ndarray of int, shape (n_pooled,)
        Where each pooled column's is in `of_cells`.
    """

    of_cells: list[str]
    pooled: np.ndarray
    place: np.ndarray

    @classmethod
    def of(cls, described: pd.DataFrame) -> "Pools":
        """From the columns of a matrix with `name` and `pool`."""
        names = [str(name).removesuffix(f"_{pool}") if pool else ""
                 for name, pool in zip(described["name"], described["pool"], strict=True)]  # fmt: skip
        place = {name: k for k, name in enumerate(dict.fromkeys(filter(None, names)))}
        found = np.array([place[name] for name in names if name], np.int64)
        return cls(list(place), np.array([bool(name) for name in names], bool), found)

    def each_as_field(self, values: np.ndarray, whole: np.ndarray) -> np.ndarray:
        """Cells as if each were a field: (n_cells, n_columns), from `of_cells`' values and the whole field's."""
        wide = np.empty((len(values), len(self.pooled)), np.float32)
        wide[:, self.pooled] = values[:, self.place]
        wide[:, ~self.pooled] = whole
        return wide


@dataclass(frozen=True)
class CellIndex:
    """The n cells of a run, in the order of its shards.

    Attributes
    ----------
    paths : tuple of Path
        The shards' tables of cells.
    start : ndarray of int, shape (n_shards + 1,)
        First cell of each shard.
    field : ndarray of int32, shape (n,)
        Row of the catalogue; -1 for a field that is not in it.
    number : ndarray of int32, shape (n,)
        In its field, from 1.
    x, y : ndarray of float32, shape (n,)
        Centre, px.
    width : ndarray of int32, shape (n,)
        Side of a square that shows the cell, px.
    at_border : ndarray of bool, shape (n,)
    """

    paths: tuple[Path, ...]
    start: np.ndarray
    field: np.ndarray
    number: np.ndarray
    x: np.ndarray
    y: np.ndarray
    width: np.ndarray
    at_border: np.ndarray

    @property
    def n_known(self) -> int:
        """How many cells belong to a field of the catalogue."""
        return int((self.field >= 0).sum())

    def sample(self) -> np.ndarray:
        """At most `SAMPLED` cells for a map, evenly spaced in evenly spaced shards: int, rising.

        The shards hold `_SPARE` times as many cells as are wanted, so that many fields have cells on the map; there are
        at most `MOST_SHARDS`, because each takes time to read.
        """
        n = len(self.paths)
        enough = -(-_SPARE * SAMPLED * n // max(int(self.start[-1]), 1))
        chosen = np.linspace(0, n - 1, min(enough, MOST_SHARDS, n)).round().astype(int).tolist()
        found = [np.empty(0, np.int64)]
        for k in chosen:
            known = self.start[k] + np.flatnonzero(self.field[self.start[k] : self.start[k + 1]] >= 0)
            wanted = min(SAMPLED // len(chosen), len(known))
            found.append(known[np.linspace(0, len(known) - 1, wanted).round().astype(int)])
        return np.concatenate(found)

    def by_shard(self, cells: np.ndarray) -> list[tuple[Path, np.ndarray]]:
        """Cells (rising) by the shard that holds them: its table, and their rows in it."""
        held_by, first = np.unique(np.searchsorted(self.start, cells, side="right") - 1, return_index=True)
        parts = np.split(cells, first[1:]) if len(cells) else []
        return [(self.paths[k], mine - self.start[k]) for k, mine in zip(held_by, parts, strict=True)]

    def read_by_shard(self, cells: np.ndarray, names: list[str]) -> Iterator[np.ndarray]:
        """Features of cells (rising), of one shard after the other: float32, shape (n_cells_of_shard, n_names)."""
        return read_all(self.by_shard(cells), lambda one: read_features(one[0], names, one[1]))

    def read(self, cells: np.ndarray, names: list[str], advance: Callable[[], None] = lambda: None) -> np.ndarray:
        """Features of cells (rising): float32, shape (n_cells, n_names); `advance` is called after each shard."""
        values, filled = np.empty((len(cells), len(names)), np.float32), 0
        for part in self.read_by_shard(cells, names):
            values[filled : filled + len(part)] = part
            filled += len(part)
            advance()
        return values

    def of_field(self, row: int) -> np.ndarray:
        """The cells of a field."""
        return np.flatnonzero(self.field == row)

    def slivers(self, cells: np.ndarray) -> np.ndarray:
        """Which of the cells of a field its border cuts to a sliver: bool, the shape of `cells`."""
        return slivers(self.at_border[cells], self.width[cells].astype(np.float64) ** 2)

    def as_fields(self, row: int, columns: pd.DataFrame, of_field: np.ndarray) -> tuple[np.ndarray, FieldMatrix] | None:
        """The cells of a field, each as if its field had this cell only; None where there are none.

        Parameters
        ----------
        row : int
            Of the catalogue.
        columns : DataFrame
            The structured columns of the run.
        of_field : ndarray of float32, shape (n_columns,)
            The field's row of the matrix: features of the whole field stay.
        """
        mine = self.of_field(row)
        if not len(mine):
            return None
        described = matrix_columns(columns)
        pools = Pools.of(described)
        wide = pools.each_as_field(self.read(mine, pools.of_cells), of_field[~pools.pooled])
        return mine, FieldMatrix(pd.DataFrame({METADATA_ID: [str(k) for k in mine]}), wide, described)


def read_cells_index(
    paths: tuple[Path, ...], rows: dict[str, int], columns: pd.DataFrame, progress: Progress
) -> CellIndex:
    """Read where all cells lie.

    Parameters
    ----------
    paths : tuple of Path
        The shards' tables of cells.
    rows : dict of str to int
        The catalogue's row of each id.
    columns : DataFrame
        The structured columns of the run.
    progress : Progress
        Advanced by one for each shard.
    """
    is_area = (columns["compartment"] == "Cells") & (columns["family"] == "AreaShape") & (columns["feature"] == "Area")
    area = columns.loc[is_area & (columns["parameters"].map(len) == 0), "name"].tolist()
    parts, start = [], [0]
    for part in read_all(paths, lambda path: _part(path, rows, area)):
        parts.append(part)
        start.append(start[-1] + len(part[0]))
        progress.advance()
    kinds = (np.int32, np.int32, np.float32, np.float32, np.int32, np.bool_)
    field, number, x, y, width, at_border = (
        np.concatenate([np.empty(0, kind), *(part[k] for part in parts)]).astype(kind) for k, kind in enumerate(kinds)
    )
    return CellIndex(paths, np.array(start), field, number, x, y, width, at_border)


def _part(path: Path, rows: dict[str, int], area: list[str]) -> tuple[np.ndarray, ...]:
    names = [METADATA_ID, METADATA_CELL, METADATA_X, METADATA_Y, METADATA_AT_BORDER, *area]
    table = read_columns(path, names)
    ids = table.column(METADATA_ID).combine_chunks().dictionary_encode()
    ids = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
    known = np.array([rows.get(name, -1) for name in ids.dictionary.to_pylist()], np.int32)
    codes = ids.indices.to_numpy()
    number, x, y, border = (table.column(name).to_numpy() for name in names[1:5])
    size = np.sqrt(table.column(area[0]).to_numpy() * 4 / np.pi) if area else np.full(len(codes), _USUAL)
    width = (_WIDTHS * np.nan_to_num(size, nan=_USUAL)).clip(24, 4096)
    return known[codes] if len(known) else np.empty(0, np.int32), number, x, y, width, border
