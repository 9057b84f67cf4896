"""Scores of the cells of many fields for one class, computed in the background: the cells that carry a call."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.errors import InputError
from engine.running.progress import Progress
from models.explanation.cell_scores import above_median, stacked_score
from models.fitted import Fitted
from models.trust.reference_data import fitted_columns
from review.cells import CellIndex, Pools
from review.tasks import Tasks

MOST_FIELDS = 100
"""Fields whose cells are scored for a class at a time; reading their cells takes most of the time."""

TASK = "cell scores"
_KEPT = 8  # choices of fields and class
_STEPS = 10  # of the progress, for the models, which score all cells at once


@dataclass(frozen=True)
class ScoredCells:
    """The cells of some fields: numbers in the cell index, score above their field's median cell, which are slivers."""

    cells: np.ndarray
    score: np.ndarray
    sliver: np.ndarray

    def best(self, least: float | None, descending: bool) -> tuple[np.ndarray, np.ndarray]:
        """The cells with a score of at least `least`, highest (or lowest) first, slivers last; and their scores."""
        kept = np.flatnonzero(self.score >= (-np.inf if least is None else least))
        order = kept[np.lexsort((-self.score[kept] if descending else self.score[kept], self.sliver[kept]))]
        return self.cells[order], self.score[order]


@dataclass(frozen=True)
class Source:
    """What cells are scored with.

    Attributes
    ----------
    fitted : Fitted
    index : CellIndex
    columns : DataFrame
        The structured columns of the run.
    of_fields : callable
        Given names of columns of the matrix, their values of all fields of the catalogue, float32, (n_fields, n_names).
    on_scale : callable
        Given a row of the catalogue and values in the columns of the fit, brings them to the scale of its plate.
    """

    fitted: Fitted
    index: CellIndex
    columns: pd.DataFrame
    of_fields: Callable[[list[str]], np.ndarray]
    on_scale: Callable[[int, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Choice:
    """What is scored: fields (rows of the catalogue) for a class of a fit."""

    fit: str
    organelle: int
    rows: tuple[int, ...]


class CellScores:
    """Scores that were asked for, one choice at a time: a later one ends the work on the one before."""

    def __init__(self, tasks: Tasks) -> None:
        self._tasks, self._guard = tasks, threading.Lock()
        self._wanted: Choice | None = None
        self._kept: OrderedDict[Choice, ScoredCells] = OrderedDict()

    def of(self, source: Source, organelle: int, rows: np.ndarray) -> ScoredCells | None:
        """The scored cells of some rows of the catalogue; None until they are computed.

        Raises
        ------
        InputError
            If they could not be computed.
        """
        choice = Choice(source.fitted.stamp, organelle, tuple(np.sort(rows).tolist()))
        with self._guard:
            if choice in self._kept:
                self._kept.move_to_end(choice)
                return self._kept[choice]
            failed = self._tasks.state(TASK)
            if choice == self._wanted and failed.stage == "failed":
                raise InputError(failed.error)
            self._wanted = choice
        self._tasks.start(TASK, lambda progress: self._work(source, choice, progress), again=True)
        return None

    def _work(self, source: Source, choice: Choice, progress: Progress) -> None:
        self._tasks.expect(TASK, "reading cells", len(choice.rows) + _STEPS)
        rows = np.array(choice.rows, np.int64)
        found = score_cells(source, choice.organelle, rows, progress, lambda: self._wanted != choice)
        if found is None:
            return
        with self._guard:
            self._kept[choice] = found
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)


def score_cells(
    source: Source, organelle: int, rows: np.ndarray, progress: Progress, unwanted: Callable[[], bool] = lambda: False
) -> ScoredCells | None:
    """Score all cells of some fields for a trainable class; None if it is no longer wanted.

    Parameters
    ----------
    source : Source
    organelle : int
    rows : ndarray of int
        Of the catalogue.
    progress : Progress
        Advanced by one for each field.
    unwanted : callable
        Asked after every field.
    """
    described = fitted_columns(source.fitted, source.columns)
    pools = Pools.of(described)
    whole = source.of_fields(described.loc[~pools.pooled, "name"].tolist())
    cells, values, sliver, field = [], [], [], []
    shard, read = -1, np.empty((0, 0), np.float32)
    of_rows = [(int(row), source.index.of_field(int(row))) for row in rows]
    for row, mine in sorted(((row, mine) for row, mine in of_rows if len(mine)), key=lambda one: one[1][0]):
        if unwanted():
            return None
        own = source.index.shard_holding(int(mine[0]))
        if own != shard:
            shard, read = own, source.index.values_of_shard(own, pools.of_cells)
        wide = pools.each_as_field(read[mine - source.index.start[shard]], whole[row])
        values.append(source.on_scale(row, wide))
        cells.append(mine)
        sliver.append(source.index.slivers(mine))
        field.append(np.full(len(mine), row))
        progress.advance()
    if not cells:
        return ScoredCells(np.empty(0, np.int64), np.empty(0), np.empty(0, bool))
    scores = stacked_score(source.fitted, organelle, np.concatenate(values))
    progress.advance(_STEPS)
    return ScoredCells(np.concatenate(cells), above_median(scores, np.concatenate(field)), np.concatenate(sliver))
