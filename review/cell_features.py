"""Single features of all cells, read from every shard in the background when they are asked for."""

from collections import OrderedDict

import numpy as np

from engine.errors import InputError
from engine.running.progress import Progress
from review.cell_tables import read_all, read_features
from review.cells import CellIndex
from review.tasks import CELLS, Tasks

_KEPT = 6


class CellFeatures:
    """Features of all cells of a run by name."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks, self._kept = tasks, OrderedDict[str, np.ndarray]()

    def of(self, index: CellIndex, name: str) -> np.ndarray | None:
        """A feature of all cells, float32, shape (n_cells,), NaN where missing; None until it is read.

        Raises
        ------
        InputError
            If it could not be read.
        """
        if (known := self._kept.get(name)) is not None:
            return known
        if error := self._tasks.state(task_of(name)).error:
            raise InputError(error)
        self._tasks.start(CELLS, task_of(name), lambda progress: self._read(index, name, progress), again=True)
        return None

    def of_some(self, index: CellIndex, cells: np.ndarray, name: str) -> np.ndarray:
        """A feature of some cells, numbers rising, read from their shards alone: float32, shape (n_cells,)."""
        if (known := self._kept.get(name)) is not None:
            return known[cells]
        return index.read(cells, [name])[:, 0]

    def _read(self, index: CellIndex, name: str, progress: Progress) -> None:
        self._tasks.expect(task_of(name), "reading a feature of all cells", len(index.paths))
        parts = [np.empty(0, np.float32)]
        for part in read_all(index.paths, lambda path: read_features(path, [name])[:, 0]):
            parts.append(part)
            progress.advance()
        self._kept[name] = np.concatenate(parts)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)


def task_of(name: str) -> str:
    """The name of the task that reads a feature."""
    return f"cells by {name}"
