"""Single features of all cells, read from every shard in the background when they are asked for."""

from collections import OrderedDict

import numpy as np

from engine.errors import InputError
from engine.running.progress import Progress
from review.cells import CellIndex
from review.tasks import Tasks

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
        if error := self._tasks.state(_task(name)).error:
            raise InputError(error)
        self._tasks.start(_task(name), lambda progress: self._read(index, name, progress), again=True)
        return None

    def _read(self, index: CellIndex, name: str, progress: Progress) -> None:
        self._tasks.expect(_task(name), "reading a feature of all cells", len(index.paths))
        parts = [np.empty(0, np.float32)]
        for shard in range(len(index.paths)):
            parts.append(index.values_of_shard(shard, [name])[:, 0])
            progress.advance()
        self._kept[name] = np.concatenate(parts)
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)


def _task(name: str) -> str:
    return f"cells by {name}"
