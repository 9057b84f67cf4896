"""What the page works on: the run, its labels and pictures, and what is computed in the background."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import InputError, UsageError
from engine.files import FileMark, file_mark
from engine.ids import shown
from engine.running.progress import Progress
from models.data.corrected_labels import TRAIN
from models.explanation.importance_file import measured_importance
from models.explanation.local_explanations import Background
from models.explanation.readable import Counterparts, all_counterparts
from models.fitted import Fitted
from models.saved_fit import read_fitted_fields
from review.catalogue import Catalogue, read_catalogue
from review.cell_features import CellFeatures
from review.cell_scores import CellScores, ScoredCells, Source
from review.cell_tables import table_paths
from review.cells import CellIndex
from review.kept_places import KeptPlaces
from review.labels import GivenLabels, LabelBook, class_names, user_name
from review.matrix_values import MatrixValues
from review.next_fields import NextFields
from review.pictures import Pictures
from review.predicting import Predicted, ScalesOf, count_others, predict_others
from review.refit import Refitted, compare_fits
from review.selection import Known
from review.spaces import CellMap
from review.tasks import CELLS, FIELDS, PICTURES, Tasks
from store.channels import IMAGE
from store.classes import plain, why_no_class
from store.run_folder import RunFolder


class Review:
    """One run that is looked at.

    Parameters
    ----------
    folder : RunFolder
    data : Path
        Folder with train.csv, corrections.csv and the images.
    masks : Path or None
        Folder of label images, for outlines, if the fields were measured with masks.
    refit : callable
        Fits the run anew with its settings and, where possible, its folds.
    scales_of : callable, optional
        Given a fit, a split, its ids and values in the fit's columns, returns the scales of their plates, or None if
        the fit does not normalise by plates.
    images : Path or None
        The csv that lists the images, if they were listed in one.
    """

    def __init__(
        self, folder: RunFolder, data: Path, masks: Path | None, refit: Callable[[], object],
        scales_of: ScalesOf = lambda fitted, split, ids, values: None, images: Path | None = None,
    ) -> None:  # fmt: skip
        self._scales_of = scales_of
        self.folder, self.data, self.by = folder, data, user_name()
        self._refit, self._masks = refit, masks
        self.tasks = Tasks()
        self._cell_scores, self._cell_features = CellScores(self.tasks), CellFeatures(self.tasks)
        self._guard = threading.RLock()
        self._fields_placed = threading.Event()
        self._background: tuple[Fitted, Background, dict[str, Counterparts]] | None = None
        self._next = NextFields()
        self.pictures = Pictures(folder, data, masks, images)
        self.version = 0  # rises when pages have to ask for the facts of the run again
        self._open()

    def _open(self) -> None:
        given = GivenLabels(self.data, self.folder.own_classes)
        self.catalogue: Catalogue = read_catalogue(
            self.folder, self.data, lambda of_fit: class_names(self.data, of_fit, given.read())
        )
        known = self.catalogue
        self.values = MatrixValues(self.folder, known.columns, known.kept)
        self._kept = KeptPlaces(self.folder, known.ids, known.columns, self.values.of)
        self.labels = LabelBook(self.data, self.catalogue.ids, self.catalogue.classes, given)
        self._opened = self._fit_on_disk()
        self.labels.table()  # a damaged table is reported before the page opens

    def _fit_on_disk(self) -> FileMark | None:
        path = self.folder.fit.fit_file
        return file_mark(path) if path.is_file() else None

    def notice(self) -> None:
        """Open the fit that another command finished meanwhile, and offer classes that others added."""
        with self._guard:
            if self._other_fit() and not self.tasks.state("refit").busy:
                self._open_again()
            for name in self.labels.table().further:
                self._offer(name)
                self.version += 1

    def _other_fit(self) -> bool:
        """Whether another fit than the opened one is finished."""
        return self._fit_on_disk() not in (None, self._opened)

    def _open_again(self) -> None:
        """Open the fit on the disk and start anew what depends on it."""
        with self._guard:
            self._open()
        self.tasks.forget("predictions", "fields", "unlike")
        self.version += 1
        self.begin()

    def begin(self) -> None:
        """Start what every view needs, the quick before the slow: places of fields and cells, and their maps."""
        self.tasks.start(PICTURES, "pictures", lambda _: self.pictures.missing)
        self.tasks.start(FIELDS, "fields", self._place)
        self.tasks.start(FIELDS, "unlike", self._find_unlike)
        self.tasks.start(FIELDS, "predictions", self._predict)
        self.tasks.start(CELLS, "cells", self._find_cells)

    @property
    def may_add_classes(self) -> bool:
        """Whether new classes can be named: a train.csv has all of them."""
        return not (self.data / TRAIN).is_file()

    def add_class(self, name: str) -> None:
        """Offer one more class; it is kept once a field carries it.

        Raises
        ------
        UsageError
            If it cannot be the name of a class, or there is a train.csv.
        """
        if not self.may_add_classes:
            raise UsageError(f"the classes are those of {self.data / TRAIN}: give a field the new one there first.")
        if reason := why_no_class(name):
            raise UsageError(f"{shown(name)!r} {reason}. Choose another name.")
        with self._guard:
            if plain(name) in map(plain, self.catalogue.classes):
                raise UsageError(f"there is a class {shown(name)!r} already.")
            self._offer(name)

    def _offer(self, name: str) -> None:
        self.catalogue = self.catalogue.with_class(name)
        self.labels.classes = self.catalogue.classes

    def predicted(self) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities and calls of all fields, as far as they are known; read-only."""
        state, known = self.tasks.state("predictions"), self.catalogue
        if not isinstance(state.result, Predicted) or not len(state.result.rows):
            return known.probabilities, known.calls
        probabilities, calls = known.probabilities.copy(), known.calls.copy()
        k = state.result.probabilities.shape[1]
        probabilities[state.result.rows, :k], calls[state.result.rows, :k] = (
            state.result.probabilities,
            state.result.calls,
        )
        return probabilities, calls

    def known(self, useful: bool = False) -> Known:
        """What selections need; with `useful` also the most useful fields to label."""
        probabilities, calls = self.predicted()
        rank = np.full(len(self.catalogue.ids), -1)
        if useful:
            rows = self.most_useful()
            rank[rows] = np.arange(len(rows))
        found = self.tasks.state("unlike").result
        unlike = found if isinstance(found, np.ndarray) else np.zeros(len(rank), bool)
        return Known(probabilities, calls, unlike, rank, self.values.column)

    def placed(self) -> np.ndarray | None:
        """Where the fields lie: float32, shape (n, n_directions); None until that is computed."""
        found = self.tasks.state("fields").result
        return found if isinstance(found, np.ndarray) else None

    def cells(self) -> CellIndex | None:
        """All cells; None until they are read."""
        found = self.tasks.state("cells").result
        return found if isinstance(found, CellIndex) else None

    def scored_cells(self, organelle: int, rows: np.ndarray) -> ScoredCells | None:
        """Scores of the cells of some fields for a trainable class; None until they are computed in the background.

        Raises
        ------
        InputError
            If they could not be computed.
        """
        fitted, index = self.catalogue.fitted, self.cells()
        if fitted is None or index is None:
            return None
        if fitted.plates is not None and self.tasks.state("predictions").busy:  # they find the scales of the plates
            return None
        source = Source(fitted, index, self.catalogue.columns, self.values.of, self.on_scale)
        return self._cell_scores.of(source, organelle, rows)

    def cell_feature(self, name: str) -> np.ndarray | None:
        """A feature of all cells, float32, shape (n_cells,); None until it is read in the background.

        Raises
        ------
        UsageError
            If there is no such feature.
        InputError
            If it could not be read.
        """
        self._check_cell_feature(name)
        return None if (index := self.cells()) is None else self._cell_features.of(index, name)

    def feature_of_cells(self, cells: np.ndarray, name: str) -> np.ndarray | None:
        """A feature of some cells, numbers rising, read at once; raises as `cell_feature`."""
        self._check_cell_feature(name)
        return None if (index := self.cells()) is None else self._cell_features.of_some(index, cells, name)

    def _check_cell_feature(self, name: str) -> None:
        columns = self.catalogue.columns
        if name not in set(columns.loc[columns["compartment"] != IMAGE, "name"]):
            raise UsageError(f"{shown(name)!r} is no feature of the cells of this run.")

    def cell_map(self) -> CellMap | None:
        """The map of cells; None until it is computed."""
        found = self.tasks.state("map of cells").result
        return found if isinstance(found, CellMap) else None

    def most_useful(self) -> np.ndarray:
        """The most useful training fields to label, most useful first; empty until the fields are placed."""
        placed, stage = self.placed(), self.tasks.state("predictions").stage
        if placed is None:
            return np.empty(0, np.int64)
        return self._next.rows(self.catalogue, placed, self.labels.table(), self.predicted()[0], stage)

    def background(self, fitted: Fitted) -> tuple[Background, dict[str, Counterparts]]:
        """What fields are compared with to find reasons, and what goes with the embedding; read once for a fit."""
        with self._guard:
            if self._background is None or self._background[0] is not fitted:
                matrix, importance = read_fitted_fields(self.folder, fitted), measured_importance(self.folder, fitted)
                readable = {} if importance is None else all_counterparts(importance)
                self._background = fitted, Background.of(fitted, matrix.named(fitted.columns)), readable
            return self._background[1:]

    def _place(self, progress: Progress) -> np.ndarray:
        self.tasks.expect("fields", "placing all fields by their features", 0)
        try:
            return self._kept.fields()
        finally:
            self._fields_placed.set()

    def _find_unlike(self, progress: Progress) -> np.ndarray:
        self.tasks.expect("unlike", "comparing the fields that were not fitted on with those that were", 0)
        placed, known = self.placed(), self.catalogue
        if placed is None:
            raise InputError(self.tasks.state("fields").error)
        return self._kept.unlike(placed, known.fitted, known.fitted_row)

    def _find_cells(self, progress: Progress) -> CellIndex:
        paths = table_paths(self.folder)
        self.tasks.expect("cells", "reading where the cells lie", len(paths))
        self._fields_placed.wait()  # each alone is faster: the map of fields is there sooner, that of cells no later
        index = self._kept.cells(paths, progress)
        self.tasks.start(CELLS, "map of cells", lambda progress: self._map(index, progress))
        return index

    def _map(self, index: CellIndex, progress: Progress) -> CellMap:
        cells = index.sample()
        self.tasks.expect("map of cells", "reading a sample of the cells", len(index.by_shard(cells)))
        return self._kept.cell_map(index, cells, progress)

    def _predict(self, progress: Progress) -> Predicted:
        self.tasks.expect("predictions", "predicting fields that were not fitted on", count_others(self.catalogue))
        return predict_others(self.folder, self.catalogue, self._scales_of, progress)

    def on_scale(self, row: int, values: np.ndarray) -> np.ndarray:
        """Values of a field or of its cells, in the columns of the fit, as the fit takes them.

        Raises
        ------
        InputError
            If the fit normalises by plates and the plates' scales are not known (yet).
        """
        known, state = self.catalogue, self.tasks.state("predictions")
        if known.fitted is None or known.fitted.plates is None:
            return values
        scales = state.result.scales.get(str(known.split[row])) if isinstance(state.result, Predicted) else None
        if scales is None:
            raise InputError(state.error or "The scales of the plates are not known yet. Try again in a moment.")
        return scales.apply([known.ids[row]] * len(values), values)

    def refit(self) -> dict[str, Any]:
        """Start a refit, unless one is running; returns its state."""
        self.tasks.start(FIELDS, "refit", lambda _: self._fit_again(), again=True)
        return self.tasks.state("refit").shown()

    def _fit_again(self) -> Refitted:
        with self._guard:
            if self._other_fit():
                self._open()
        before = self.catalogue.fitted
        self._refit()
        self._open_again()
        if self.catalogue.fitted is None:
            raise InputError(self.catalogue.no_fit)
        return compare_fits(before, self.catalogue.fitted)
