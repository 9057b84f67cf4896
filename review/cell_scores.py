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
from review.tasks import CELLS, Tasks

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
        self._tasks.start(CELLS, TASK, lambda progress: self._work(source, choice, progress), again=True)
        return None

    def _work(self, source: Source, choice: Choice, progress: Progress) -> None:
        self._tasks.expect(TASK, "scoring cells", len(choice.rows) + _STEPS)
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
        Asked after every shard.
    """
    described = fitted_columns(source.fitted, source.columns)
    pools = Pools.of(described)
    whole = source.of_fields(described.loc[~pools.pooled, "name"].tolist())
    index = source.index
    cells = np.flatnonzero(np.isin(index.field, rows))
    field, sliver = index.field[cells], np.zeros(len(cells), bool)
    values, done = np.empty((len(cells), len(described)), np.float32), 0
    for part in index.read_by_shard(cells, pools.of_cells):
        if unwanted():
            return None
        of_part = field[done : done + len(part)]
        for row in np.unique(of_part):
            own = np.flatnonzero(of_part == row)
            values[done + own] = source.on_scale(int(row), pools.each_as_field(part[own], whole[row]))
            sliver[done + own] = index.slivers(cells[done + own])
            progress.advance()
        done += len(part)
    if not len(cells):
        return ScoredCells(cells, np.empty(0), sliver)
    scores = stacked_score(source.fitted, organelle, values)
    progress.advance(_STEPS)
    return ScoredCells(cells, above_median(scores, field), sliver)
