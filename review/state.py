"""What the page works on: the run, its labels and pictures, and what is computed in the background."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from engine.errors import InputError, UsageError
from engine.ids import shown
from engine.running.progress import Progress
from models.data.corrected_labels import TRAIN
from models.explanation.importance_file import measured_importance
from models.explanation.local_explanations import Background
from models.explanation.readable import Counterparts, all_counterparts
from models.fitted import Fitted, read_fitted_fields
from models.trust.label_next import most_useful
from review.catalogue import Catalogue, read_catalogue
from review.cell_features import CellFeatures
from review.cell_scores import CellScores, ScoredCells, Source
from review.cells import MOST_SHARDS, CellIndex, count_shards, read_cells_index
from review.labels import LabelBook, class_names, user_name
from review.pictures import Pictures
from review.predicting import Predicted, ScalesOf, count_others, predict_others
from review.refit import Refitted, compare_fits
from review.selection import Known
from review.spaces import CellMap, FieldSpace, map_cells, place_fields
from review.tasks import Tasks
from store.channels import IMAGE
from store.classes import plain, why_no_class
from store.matrix import matrix_columns
from store.run_folder import SPLITS, RunFolder, read_config
from store.untrusted_input import read_numbers

NEXT = 100
"""Fields that are proposed for labelling at a time."""

_log = logging.getLogger(__name__)


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
        self._features: dict[str, np.ndarray] = {}
        self._background: tuple[Fitted, Background, dict[str, Counterparts]] | None = None
        self._asked: tuple[object, np.ndarray] = ((), np.empty(0, np.int64))
        self.pictures = Pictures(folder, data, masks, images)
        self.fits = 0  # made from the page
        self._open()

    def _open(self) -> None:
        own = bool(read_config(self.folder.config).get("fit", {}).get("own_classes"))
        self.catalogue: Catalogue = read_catalogue(
            self.folder, self.data, lambda of_fit: class_names(self.data, of_fit, own)
        )
        self.labels = LabelBook(self.data, self.catalogue.ids, self.catalogue.classes, own)
        self.labels.table()  # a damaged table is reported before the page opens

    def begin(self) -> None:
        """Start what every view needs: predictions of new fields, places of fields, places of cells."""
        self.tasks.start("pictures", lambda _: self.pictures.missing)
        self.tasks.start("predictions", self._predict)
        self.tasks.start("fields", self._place)
        self.tasks.start("cells", self._find_cells)

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
        space = self.space()
        unlike = space.unlike if space else np.zeros(len(rank), bool)
        return Known(probabilities, calls, unlike, rank, self.feature)

    def space(self) -> FieldSpace | None:
        """Where the fields lie; None until that is computed."""
        found = self.tasks.state("fields").result
        return found if isinstance(found, FieldSpace) else None

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
        source = Source(fitted, index, self.catalogue.columns, self._values_of, self.on_scale)
        return self._cell_scores.of(source, organelle, rows)

    def _values_of(self, names: list[str]) -> np.ndarray:
        """Columns of the matrix for all fields, float32, shape (n, n_names)."""
        parts = [read_numbers(self.folder.matrix(split), names) for split in self._splits()]
        return np.concatenate(parts)[self.catalogue.kept]

    def cell_feature(self, name: str) -> np.ndarray | None:
        """A feature of all cells, float32, shape (n_cells,); None until it is read in the background.

        Raises
        ------
        UsageError
            If there is no such feature.
        InputError
            If it could not be read.
        """
        index, columns = self.cells(), self.catalogue.columns
        if name not in set(columns.loc[columns["compartment"] != IMAGE, "name"]):
            raise UsageError(f"{shown(name)!r} is no feature of the cells of this run.")
        return None if index is None else self._cell_features.of(index, name)

    def cell_map(self) -> CellMap | None:
        """The map of cells; started at the first question, None until it is computed."""
        index = self.cells()
        if index is None:
            return None
        found = self.tasks.start("map of cells", lambda progress: self._map(index, progress)).result
        return found if isinstance(found, CellMap) else None

    def most_useful(self) -> np.ndarray:
        """The most useful training fields to label, most useful first; empty until the fields are placed.

        The list stays while its fields are labelled, and is made anew when most of it is done, or after a refit.
        """
        space, labels = self.space(), self.labels.table()
        if space is None:
            return np.empty(0, np.int64)
        probabilities, _ = self.predicted()
        mark = (id(space), id(self.catalogue), self.tasks.state("predictions").stage)
        with self._guard:
            before, rows = self._asked
            left = ~labels.labelled[rows] & ~labels.unusable[rows]
            if before != mark or left.sum() < NEXT // 4:
                rows = self._choose_next(space, probabilities, labels.labelled, labels.unusable, labels.matrix)
                self._asked = (mark, rows)
            return rows

    def _choose_next(self, space, probabilities, labelled, unusable, matrix) -> np.ndarray:
        open_to = (self.catalogue.split == "train") & ~labelled & ~unusable
        prior = (matrix[labelled].sum(0) + 0.5) / (labelled.sum() + 1)
        known = None if self.catalogue.fitted is None else probabilities
        return most_useful(space.space.fields, labelled, open_to, known, prior, NEXT)

    def feature(self, name: str) -> np.ndarray:
        """A column of the matrix for all fields; raises UsageError if there is none of that name."""
        described = matrix_columns(self.catalogue.columns)
        if name not in set(described["name"]):
            raise UsageError(f"{shown(name)!r} is no feature of the fields of this run.")
        with self._guard:
            if name not in self._features:
                self._features = dict(list(self._features.items())[-8:]) | {name: self._values_of([name])[:, 0]}
            return self._features[name]

    def field_values(self, row: int) -> np.ndarray:
        """A field's row of the matrix, all columns: float32, read from its row group alone."""
        names = matrix_columns(self.catalogue.columns)["name"].tolist()
        at = int(np.flatnonzero(self.catalogue.kept)[row])
        for split in self._splits():
            with pq.ParquetFile(self.folder.matrix(split)) as file:
                for group in range(file.num_row_groups):
                    n = file.metadata.row_group(group).num_rows
                    if at < n:
                        table = file.read_row_group(group, names).select(names).slice(at, 1)
                        return np.array([column[0].as_py() for column in table.columns], np.float32)
                    at -= n
        raise InputError(f"{self.folder.features} changed while it was looked at. Start review again.")

    def background(self, fitted: Fitted) -> tuple[Background, dict[str, Counterparts]]:
        """What fields are compared with to find reasons, and what goes with the embedding; read once for a fit."""
        with self._guard:
            if self._background is None or self._background[0] is not fitted:
                matrix, importance = read_fitted_fields(self.folder, fitted), measured_importance(self.folder, fitted)
                readable = {} if importance is None else all_counterparts(importance)
                self._background = fitted, Background.of(fitted, matrix.named(fitted.columns)), readable
            return self._background[1:]

    def _splits(self) -> list[str]:
        return [split for split in SPLITS if self.folder.matrix(split).is_file()]

    def _place(self, progress: Progress) -> FieldSpace:
        known = self.catalogue
        groups = known.fitted.groups if known.fitted else None
        return place_fields(self.folder, known.columns, known.kept, known.fitted_row, groups)

    def _find_cells(self, progress: Progress) -> CellIndex:
        self.tasks.expect("cells", "reading where the cells lie", count_shards(self.folder))
        return read_cells_index(self.folder, self.catalogue.row, self.catalogue.columns, progress)

    def _map(self, index: CellIndex, progress: Progress) -> CellMap:
        self.tasks.expect("map of cells", "reading a sample of the cells", min(len(index.paths), MOST_SHARDS))
        return map_cells(index, self.catalogue.columns, progress)

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
        self.tasks.start("refit", lambda _: self._fit_again(), again=True)
        return self.tasks.state("refit").shown()

    def _fit_again(self) -> Refitted:
        before = self.catalogue.fitted
        self._refit()
        with self._guard:
            self._open()
        if self.catalogue.fitted is None:
            raise InputError(self.catalogue.no_fit)
        self.tasks.forget("predictions", "fields")
        self.fits += 1
        self.begin()
        return compare_fits(before, self.catalogue.fitted)
