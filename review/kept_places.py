"""Places of fields and cells, kept beside the run, so that only the first start of the page reads all its tables.

They are arrays in `review/`, in folders whose names end in a stamp: of the tables that they were read from, the fields
of the catalogue and the sources that find them. A table counts as the same while nobody has written to it or replaced
it, which its size, times and place on the disk tell; so a copied run is read anew once.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import InputError
from engine.files import digest, write_array
from review.catalogue import Catalogue
from review.cells import CellIndex
from review.spaces import CellMap, FieldSpace
from store.run_folder import SPLITS, RunFolder
from store.stamp import array_hash, code_of
from store.untrusted_input import read_array

Arrays = Mapping[str, np.ndarray]

_OF_CELLS = {
    "start": np.int64, "field": np.int32, "number": np.int32, "x": np.float32, "y": np.float32, "width": np.int32,
    "at_border": np.bool_,
}  # fmt: skip


class KeptPlaces:
    """The places that are kept beside a run.

    Parameters
    ----------
    folder : RunFolder
    catalogue : Catalogue
        The fields as they are now.
    """

    def __init__(self, folder: RunFolder, catalogue: Catalogue) -> None:
        self._folder, self._known = folder, catalogue
        self._columns = _identity([folder.columns])

    def cells(self, paths: tuple[Path, ...], make: Callable[[], CellIndex]) -> CellIndex:
        """All cells: as they were kept for these tables, or as `make` finds them."""

        def fits(arrays: Arrays) -> bool:
            start, field = arrays["start"], arrays["field"]
            alike = {len(array) for name, array in arrays.items() if name != "start"} == {len(field)}
            ends = len(start) == len(paths) + 1 and start[0] == 0 and start[-1] == len(field)
            rising = bool((np.diff(start) >= 0).all())
            return alike and ends and rising and _in_range(field, -1, len(self._known.ids))

        def make_arrays() -> Arrays:
            index = make()
            return {name: getattr(index, name) for name in _OF_CELLS}

        shapes = {name: (kind, (None,)) for name, kind in _OF_CELLS.items()}
        return CellIndex(paths, **self._kept("cells", [_identity(paths)], shapes, fits, make_arrays))

    def cell_map(self, index: CellIndex, make: Callable[[], CellMap]) -> CellMap:
        """The map of the cells of an index."""

        def fits(arrays: Arrays) -> bool:
            return len(arrays["cells"]) == len(arrays["points"]) and _in_range(arrays["cells"], 0, len(index.field))

        def make_arrays() -> Arrays:
            found = make()
            return {"cells": found.cells, "points": found.points}

        shapes = {"cells": (np.int64, (None,)), "points": (np.float32, (None, 2))}
        kept = self._kept("map", [_identity(index.paths)], shapes, fits, make_arrays)
        return CellMap(kept["cells"], kept["points"], index.n_known)

    def fields(self, make: Callable[[], FieldSpace]) -> FieldSpace:
        """All fields of the catalogue."""
        n = len(self._known.ids)
        matrices = [path for split in SPLITS if (path := self._folder.matrix(split)).is_file()]
        fitted = self._known.fitted
        fitted_on = array_hash(self._known.fitted_row, np.empty(0) if fitted is None else fitted.groups)
        shapes = {"placed": (np.float32, (n, None)), "unlike": (np.bool_, (n,))}
        kept = self._kept("fields", [_identity(matrices), fitted_on], shapes, lambda _: True, lambda: vars(make()))
        return FieldSpace(**kept)

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
        made_of = [self._known.ids, self._columns, code_of("review.spaces"), *own]
        home = root / f"{what}-{digest(made_of)}"
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
