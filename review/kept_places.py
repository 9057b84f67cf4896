"""Places of fields and cells, kept beside the run, so that the page need not read all tables at each start.

They are arrays in `review/`, in folders whose names end in a stamp: of the tables that they were read from, the ids of
the fields and the sources that find them. A table counts as the same while nobody has written to it or replaced it,
which its size, times and place on the disk tell; so a copied run is read anew once.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engine.errors import InputError
from engine.files import content_hash, digest, write_array
from engine.running.progress import Progress
from models.fitted import Fitted
from review.cells import CellIndex, read_cells_index
from review.spaces import CellMap, ValuesOf, find_unlike, map_cells, place_fields
from store.run_folder import SPLITS, RunFolder
from store.stamp import array_hash, code_of
from store.untrusted_input import read_array

Arrays = Mapping[str, np.ndarray]

_OF_CELLS = {
    "start": np.int64, "field": np.int32, "number": np.int32, "x": np.float32, "y": np.float32, "width": np.int32,
    "at_border": np.bool_,
}  # fmt: skip


class KeptPlaces:
    """Where the n fields of a run and their cells lie: as they were kept, or else found now and kept.

    Parameters
    ----------
    folder : RunFolder
    ids : sequence of str, length n
        The fields.
    columns : DataFrame
        The structured columns of cells and fields.
    values_of : callable
        Given names of columns of the matrix, their values of all fields, float32, (n, n_names).
    """

    def __init__(self, folder: RunFolder, ids: Sequence[str], columns: pd.DataFrame, values_of: ValuesOf) -> None:
        self._folder, self._ids, self._columns, self._values_of = folder, ids, columns, values_of
        self._for = [list(ids), content_hash(folder.columns), code_of("review.spaces")]

    def cells(self, paths: tuple[Path, ...], progress: Progress) -> CellIndex:
        """All cells; `progress` is advanced by one for each table that is read."""

        def fits(arrays: Arrays) -> bool:
            start, field = arrays["start"], arrays["field"]
            alike = {len(array) for name, array in arrays.items() if name != "start"} == {len(field)}
            ends = len(start) == len(paths) + 1 and start[0] == 0 and start[-1] == len(field)
            rising = bool((np.diff(start) >= 0).all())
            return alike and ends and rising and _in_range(field, -1, len(self._ids))

        def make_arrays() -> Arrays:
            rows = {field: row for row, field in enumerate(self._ids)}
            index = read_cells_index(paths, rows, self._columns, progress)
            return {name: getattr(index, name) for name in _OF_CELLS}

        shapes = {name: (kind, (None,)) for name, kind in _OF_CELLS.items()}
        return CellIndex(paths, **self._kept("cells", [_identity(paths)], shapes, fits, make_arrays))

    def cell_map(self, index: CellIndex, cells: np.ndarray, progress: Progress) -> CellMap:
        """The map of some cells of an index; `progress` is advanced by one for each table that is read."""

        def fits(arrays: Arrays) -> bool:
            return len(arrays["cells"]) == len(arrays["points"]) and _in_range(arrays["cells"], 0, len(index.field))

        def make_arrays() -> Arrays:
            found = map_cells(index, cells, self._columns, progress)
            return {"cells": found.cells, "points": found.points}

        shapes = {"cells": (np.int64, (None,)), "points": (np.float32, (None, 2))}
        kept = self._kept("map", [_identity(index.paths)], shapes, fits, make_arrays)
        return CellMap(kept["cells"], kept["points"], index.n_known)

    def fields(self) -> np.ndarray:
        """All fields: float32, shape (n, n_directions)."""
        shapes = {"placed": (np.float32, (len(self._ids), None))}

        def make_arrays() -> Arrays:
            return {"placed": place_fields(self._values_of, self._columns)}

        return self._kept("fields", [self._matrices()], shapes, lambda _: True, make_arrays)["placed"]

    def unlike(self, placed: np.ndarray, fitted: Fitted | None, fitted_row: np.ndarray) -> np.ndarray:
        """Fields that are out of distribution for a fit: bool, shape (n,).

        Parameters
        ----------
        placed : ndarray of float32, shape (n, n_directions)
            As from `fields`.
        fitted : Fitted or None
        fitted_row : ndarray of int, shape (n,)
            Row of each field in the fit; -1 where it was not fitted on.
        """
        groups = None if fitted is None else fitted.groups
        fitted_on = array_hash(fitted_row, np.empty(0) if groups is None else groups)

        def make_arrays() -> Arrays:
            return {"unlike": find_unlike(self._values_of, self._columns, placed, fitted_row, groups)}

        shapes = {"unlike": (np.bool_, (len(self._ids),))}
        return self._kept("unlike", [self._matrices(), fitted_on], shapes, lambda _: True, make_arrays)["unlike"]

    def _matrices(self) -> list[list[Any]]:
        return _identity([path for split in SPLITS if (path := self._folder.matrix(split)).is_file()])

    def _kept(
        self,
        what: str,
        own: list[Any],
        shapes: Mapping[str, tuple[type, tuple[int | None, ...]]],
        fits: Callable[[Arrays], bool],
        make: Callable[[], Arrays],
    ) -> Arrays:
        """Arrays that are kept under a name for what they were made of, or else made now and kept."""
        root = self._folder.review
        home = root / f"{what}-{digest([*self._for, *own])}"
        with suppress(InputError):  # nothing is kept, or it is damaged
            found = {name: read_array(home / f"{name}.npy", *expected) for name, expected in shapes.items()}
            if fits(found):
                return found
        made = make()
        with suppress(OSError):  # a full disk, or a run that cannot be written to: the next start reads it again
            for earlier in root.glob(f"{what}-*"):
                shutil.rmtree(earlier)
            for name in shapes:
                write_array(home / f"{name}.npy", made[name])
        return made


def _identity(paths: Sequence[Path]) -> list[list[Any]]:
    """What changes when one of some files is written to, replaced, added or removed."""
    facts = [(path.name, path.stat()) for path in paths]
    return [[name, of.st_size, of.st_mtime_ns, of.st_ctime_ns, of.st_ino] for name, of in facts]


def _in_range(numbers: np.ndarray, low: int, stop: int) -> bool:
    return not len(numbers) or bool(numbers.min() >= low and numbers.max() < stop)
