"""Values of the fields, read from the matrix when they are asked for."""

import threading

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from engine.errors import InputError, UsageError
from engine.files import FileMark, file_mark
from engine.ids import shown
from store.matrix import matrix_columns
from store.run_folder import SPLITS, RunFolder
from store.untrusted_input import read_numbers

_KEPT = 9  # columns


class MatrixValues:
    """The matrix of a run.

    Parameters
    ----------
    folder : RunFolder
    columns : DataFrame
        The structured columns of the run.
    kept : ndarray of bool
        Which rows of the splits' matrices, one after the other, are in the catalogue.
    """

    def __init__(self, folder: RunFolder, columns: pd.DataFrame, kept: np.ndarray) -> None:
        self._folder, self._kept = folder, kept
        self._names = matrix_columns(columns)["name"].tolist()
        self._paths = [folder.matrix(split) for split in SPLITS if folder.matrix(split).is_file()]
        self._seen = self._marks()
        self._guard = threading.Lock()
        self._columns: dict[str, np.ndarray] = {}

    def _marks(self) -> list[FileMark | None]:
        """What tells each matrix from another that replaces it."""
        return [file_mark(path) if path.is_file() else None for path in self._paths]

    def of(self, names: list[str]) -> np.ndarray:
        """Some columns for all fields of the catalogue: float32, shape (n, n_names)."""
        if len(self._paths) == 1 and self._kept.all():
            values = read_numbers(self._paths[0], names)
        else:
            values = self._of_kept(names)
        self._check()
        return values

    def _of_kept(self, names: list[str]) -> np.ndarray:
        values, start, filled = np.empty((int(self._kept.sum()), len(names)), np.float32), 0, 0
        for path in self._paths:  # hundreds of MB each: never all of them and the result at a time
            part = read_numbers(path, names)
            kept = self._kept[start : start + len(part)]
            if len(kept) < len(part):
                raise self._changed()
            n = int(kept.sum())
            np.compress(kept, part, axis=0, out=values[filled : filled + n])
            start, filled = start + len(part), filled + n
            del part
        if start < len(self._kept):
            raise self._changed()
        return values

    def column(self, name: str) -> np.ndarray:
        """A column for all fields; the latest are kept. Raises UsageError if there is none of that name."""
        if name not in self._names:
            raise UsageError(f"{shown(name)!r} is no feature of the fields of this run.")
        with self._guard:
            if name not in self._columns:
                latest = list(self._columns.items())[1 - _KEPT :]
                self._columns = dict(latest) | {name: self.of([name])[:, 0]}
            return self._columns[name]

    def row(self, row: int) -> np.ndarray:
        """All columns of a field: float32, read from its row group alone."""
        self._check()
        at = int(np.flatnonzero(self._kept)[row])
        for path in self._paths:
            with pq.ParquetFile(path) as file:
                for group in range(file.num_row_groups):
                    n = file.metadata.row_group(group).num_rows
                    if at < n:
                        table = file.read_row_group(group, self._names).select(self._names).slice(at, 1)
                        return np.array([column[0].as_py() for column in table.columns], np.float32)
                    at -= n
        raise self._changed()

    def _check(self) -> None:
        """Raise InputError if a matrix was replaced since the start: its rows may be of other fields."""
        if self._marks() != self._seen:
            raise self._changed()

    def _changed(self) -> InputError:
        return InputError(f"{self._folder.features} changed while it was looked at. Start review again.")
