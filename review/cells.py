"""All cells of a run: where each lies, and features of some of them, read from the shards when they are asked for."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import InputError
from engine.ids import shown
from engine.running.progress import Progress
from store.matrix import FieldMatrix, matrix_columns
from store.prediction import slivers
from store.run_folder import SPLITS, RunFolder
from store.schema import METADATA_AT_BORDER, METADATA_CELL, METADATA_ID, METADATA_X, METADATA_Y

SAMPLED, MOST_SHARDS = 20_000, 64
"""Cells of the map at most, and shards that they are read from: both evenly spaced over all."""

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

    def sample(self, names: list[str], progress: Progress) -> tuple[np.ndarray, np.ndarray]:
        """At most `SAMPLED` cells evenly spaced over `MOST_SHARDS` shards: their numbers, and values of some features.

        Returns
        -------
        cells : ndarray of int, shape (m,)
        values : ndarray of float32, shape (m, n_names)
        """
        spaced = np.linspace(0, len(self.paths) - 1, min(MOST_SHARDS, len(self.paths)))
        chosen = spaced.round().astype(int).tolist()
        within = [np.arange(int(self.start[k]), int(self.start[k + 1])) for k in chosen]
        known = np.concatenate([np.empty(0, np.int64), *(cells[self.field[cells] >= 0] for cells in within)])
        cells = known[:: max(-(-len(known) // SAMPLED), 1)]
        values = np.empty((len(cells), len(names)), np.float32)
        for k in chosen:
            mine = np.flatnonzero((cells >= self.start[k]) & (cells < self.start[k + 1]))
            if len(mine):
                values[mine] = _numbers(self.paths[k], names)[cells[mine] - self.start[k]]
            progress.advance()
        return cells, values

    def of_field(self, row: int) -> np.ndarray:
        """The cells of a field."""
        return np.flatnonzero(self.field == row)

    def shard_holding(self, cell: int) -> int:
        """The number of the shard that a cell is in."""
        return int(np.searchsorted(self.start, cell, side="right")) - 1

    def values_of_shard(self, shard: int, names: list[str]) -> np.ndarray:
        """Features of all cells of a shard, float32, shape (n_cells, n_names)."""
        return _numbers(self.paths[shard], names)

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
        shard = self.shard_holding(int(mine[0]))
        described = matrix_columns(columns)
        pools = Pools.of(described)
        values = self.values_of_shard(shard, pools.of_cells)[mine - self.start[shard]]
        wide = pools.each_as_field(values, of_field[~pools.pooled])
        return mine, FieldMatrix(pd.DataFrame({METADATA_ID: [str(k) for k in mine]}), wide, described)


def count_shards(folder: RunFolder) -> int:
    """The number of tables of cells."""
    return len(_paths(folder))


def read_cells_index(folder: RunFolder, rows: dict[str, int], columns: pd.DataFrame, progress: Progress) -> CellIndex:
    """Read where all cells lie.

    Parameters
    ----------
    folder : RunFolder
    rows : dict of str to int
        The catalogue's row of each id.
    columns : DataFrame
        The structured columns of the run.
    progress : Progress
        Advanced by one for each shard.
    """
    paths = _paths(folder)
    is_area = (columns["compartment"] == "Cells") & (columns["family"] == "AreaShape") & (columns["feature"] == "Area")
    area = columns.loc[is_area & (columns["parameters"].map(len) == 0), "name"].tolist()
    parts, start = [], [0]
    for path in paths:
        parts.append(_part(path, rows, area))
        start.append(start[-1] + len(parts[-1][0]))
        progress.advance()
    kinds = (np.int32, np.int32, np.float32, np.float32, np.int32, np.bool_)
    field, number, x, y, width, at_border = (
        np.concatenate([np.empty(0, kind), *(part[k] for part in parts)]).astype(kind) for k, kind in enumerate(kinds)
    )
    return CellIndex(paths, np.array(start), field, number, x, y, width, at_border)


def _paths(folder: RunFolder) -> tuple[Path, ...]:
    return tuple(path for split in SPLITS for path in sorted((folder.features / "cells").glob(f"{split}-*.parquet")))


def _part(path: Path, rows: dict[str, int], area: list[str]) -> tuple[np.ndarray, ...]:
    names = [METADATA_ID, METADATA_CELL, METADATA_X, METADATA_Y, METADATA_AT_BORDER, *area]
    table = _read(path, names)
    ids = table.column(METADATA_ID).combine_chunks().dictionary_encode()
    ids = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
    known = np.array([rows.get(name, -1) for name in ids.dictionary.to_pylist()], np.int32)
    codes = ids.indices.to_numpy()
    number, x, y, border = (table.column(name).to_numpy() for name in names[1:5])
    size = np.sqrt(table.column(area[0]).to_numpy() * 4 / np.pi) if area else np.full(len(codes), _USUAL)
    width = (_WIDTHS * np.nan_to_num(size, nan=_USUAL)).clip(24, 4096)
    return known[codes] if len(known) else np.empty(0, np.int32), number, x, y, width, border


def _numbers(path: Path, names: list[str]) -> np.ndarray:
    table = _read(path, names)
    values = np.empty((table.num_rows, len(names)), np.float32)
    for k, name in enumerate(names):
        values[:, k] = table.column(name).to_numpy()
    return values


def _read(path: Path, names: list[str]) -> pa.Table:
    try:
        with pq.ParquetFile(path) as file:  # a fifth of the time of read_table, for one of 2,400 columns
            table = file.read(columns=names)
        if missing := set(names) - set(table.column_names):
            raise KeyError(min(missing))
        return table
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise InputError(f"{path} cannot be used ({shown(str(error), 200)}). Run extract again.") from error


def pieces(total: int, size: int) -> Iterator[slice]:
    """Slices of at most `size` that cover `total`."""
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))
