"""A finished fit: its settings, models and results, read from plain files, and its predictions for new fields."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from engine.command_line import DATA
from engine.errors import InputError
from engine.files import write_json
from models.data.plate_normalisation import PlateScale, normalise, plate_scales
from models.ensemble import conclude, ensemble_scores, widen
from models.evaluation.leaderboard import Leaderboard
from models.fit_file import fit_again, read_fit_file
from models.second_level.second_level import SecondLevel
from models.second_level.standardisation import FoldStandardisation
from models.settings import FitSettings
from store.classes import Classes
from store.fit_folder import FitFolder, read_class_table, write_class_table, write_table
from store.matrix import FieldMatrix, read_fields
from store.run_folder import RunFolder
from store.schema import CONTROL, FOLD, FOLDS, GROUP, METADATA_ID, PLATE, PLATES
from store.stamp import array_hash
from store.untrusted_input import check_ids, read_table

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlatesOfFit:
    """The plates (or lines) of the training fields.

    Attributes
    ----------
    names : ndarray of str, shape (n,)
    controls : ndarray of bool, shape (n,)
        The fields that centre and scale are learnt from.
    """

    names: np.ndarray
    controls: np.ndarray

    def scales(self, values: np.ndarray) -> dict[str, PlateScale]:
        """Centre and scale of each plate, from the measured values of the training fields."""
        return plate_scales(values, self.names, self.controls)

    def normalise(self, values: np.ndarray) -> np.ndarray:
        """The training fields' values, each on the scale of its plate."""
        return normalise(values, self.names, self.scales(values))


@dataclass(frozen=True)
class Fitted:
    """A fitted run.

    Attributes
    ----------
    folder : FitFolder
        Where the models and tables lie.
    settings : FitSettings
    columns : tuple of str
        Names of the matrix's columns.
    trainable : ndarray of bool, shape (n_classes,)
        Classes with models; the others are predicted with their prior.
    prior : ndarray of float64, shape (n_classes,)
        (count + 0.5) / (n + 1) over the fields in folds.
    standardisation : FoldStandardisation
        Mean and spread of each fold's scores, for the trainable organelles.
    second_level : SecondLevel
        For the trainable organelles, in order.
    threshold : ndarray of float64, shape (n_classes,)
        NaN for organelles that are not trainable.
    ids : tuple of str
        The n training fields.
    labels : ndarray of bool, shape (n, n_classes)
    groups : ndarray of int64, shape (n,)
        Fields of one group share a fold.
    fold : ndarray of int8, shape (n,)
        The training fields' folds; -1 for those held out.
    members : ndarray of float32, shape (n, n_classes, n_members)
        The training fields' standardised scores by each member: out-of-fold scores, or for held-out fields those of the
        whole ensemble.
    probabilities : ndarray of float32, shape (n, n_classes)
        The training fields' probabilities: cross-fitted, or for held-out fields those of the whole ensemble.
    calls : ndarray of bool, shape (n, n_classes)
    leaderboard : Leaderboard
    stamp : str
        Of the fit.
    values : str
        Hash of the matrix that was fitted on.
    plates : PlatesOfFit or None
        If the features are normalised by plates.
    """

    folder: FitFolder
    settings: FitSettings
    columns: tuple[str, ...]
    trainable: np.ndarray
    prior: np.ndarray
    standardisation: FoldStandardisation
    second_level: SecondLevel
    ids: tuple[str, ...]
    labels: np.ndarray
    groups: np.ndarray
    fold: np.ndarray
    members: np.ndarray
    probabilities: np.ndarray
    calls: np.ndarray
    leaderboard: Leaderboard
    stamp: str
    values: str
    plates: PlatesOfFit | None = None

    @property
    def classes(self) -> Classes:
        """The classes of the fit; every command reads them here."""
        return Classes(self.settings.organelles)

    @property
    def threshold(self) -> np.ndarray:
        """Threshold of each class; NaN for those that are not trainable."""
        return widen(self.second_level.thresholds.threshold, self.trainable, np.nan)

    def predict(self, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities and calls of new fields.

        Parameters
        ----------
        matrix : ndarray of float32, shape (n_fields, n_columns)
            The columns of the fit, in order.

        Returns
        -------
        probabilities : ndarray of float32, shape (n_fields, n_classes)
        calls : ndarray of bool, shape (n_fields, n_classes)
            At least one a field, unless `settings.at_least_one` is False.

        Raises
        ------
        InputError
            If the number of columns differs from the fit's.
        """
        if matrix.ndim != 2 or matrix.shape[1] != len(self.columns):
            raise InputError(
                f"the matrix has shape {matrix.shape}, but the run in {self.folder.root} was fitted on "
                f"{len(self.columns)} columns. Extract these fields with the settings of that run."
            )
        scores = ensemble_scores(self.folder.models, self.settings, self.trainable, self.standardisation, matrix)
        known = self.second_level.probabilities(scores) if self.trainable.any() else np.empty((len(matrix), 0))
        threshold = self.second_level.thresholds.threshold
        return conclude(known, threshold, self.trainable, self.prior, self.settings.at_least_one)

    def training_fields(self, matrix: FieldMatrix) -> FieldMatrix:
        """The rows of the training fields, after checking that they have the values fitted on.

        Fields that were extracted but not fitted on (without a label, marked as unusable, or added since) are left out.

        Raises
        ------
        InputError
            If a training field or its values are gone: something was measured or removed after the fit.
        """
        matrix = self.rows_of(matrix)
        if array_hash(np.ascontiguousarray(matrix.named(self.columns), np.float32)) != self.values:
            raise InputError(
                f"the run in {self.folder.root} was fitted on other values of these {len(self.ids)} fields: they were "
                f"measured again after the fit. {fit_again(self.folder)}"
            )
        return matrix

    def rows_of(self, matrix: FieldMatrix) -> FieldMatrix:
        """The rows of the training fields; raises InputError if one has no features any more."""
        if matrix.ids != self.ids:
            at = pd.Index(matrix.ids).get_indexer(pd.Index(self.ids))
            if (at < 0).any():
                raise InputError(
                    f"the run in {self.folder.root} was fitted on {len(self.ids)} fields, but "
                    f"{int((at < 0).sum())} have no features now (the first is {self.ids[int(np.argmax(at < 0))]}). "
                    f"{fit_again(self.folder)}"
                )
            _log.warning("fields with features that were not fitted on, left out: %d", len(matrix.ids) - len(at))
            matrix = matrix.rows(at)
        return matrix

    def save(self, simulated: bool) -> None:
        """Write the tables, and last fit.json with its stamp.

        Parameters
        ----------
        simulated : bool
            Whether the fields are simulated; noted in metrics.json.
        """
        folder, classes = self.folder, self.settings.organelles
        folds = dict(zip(FOLDS, (list(self.ids), self.groups, self.fold), strict=True))
        write_table(folder.folds, pa.table(folds))
        if self.plates is not None:
            of_plates = (list(self.ids), self.plates.names.tolist(), self.plates.controls)
            write_table(folder.plates, pa.table(dict(zip(PLATES, of_plates, strict=True))))
        write_class_table(folder.labels, self.ids, classes, self.labels)
        write_class_table(folder.probabilities, self.ids, classes, self.probabilities)
        write_class_table(folder.calls, self.ids, classes, self.calls)
        for m, name in enumerate(self.settings.members):
            write_class_table(folder.scores(name), self.ids, classes, self.members[:, :, m])
        self.leaderboard.save(folder.leaderboard)
        written = Leaderboard.load(folder.leaderboard, self.leaderboard.folds, classes)  # the same digits in both files
        written.save_metrics(folder.metrics, simulated)
        content = {
            "stamp": self.stamp,
            "values": self.values,
            "settings": self.settings.of_result(),
            "folds": self.leaderboard.folds,
            "trainable": self.trainable.tolist(),
            "prior": self.prior.tolist(),
            "standardisation": {name: part.tolist() for name, part in vars(self.standardisation).items()},
            "second_level": self.second_level.to_json(),
            "columns": list(self.columns),
        }
        write_json(folder.fit_file, content)


def load(root: Path) -> Fitted:
    """Read a finished fit.

    Parameters
    ----------
    root : Path
        The run folder, or the folder of an estimator.

    Raises
    ------
    InputError
        If there is none in the folder, or one of its files is damaged.
    """
    folder = FitFolder(root)
    fit, remedy = read_fit_file(folder), _remove(folder)
    names = fit.settings.organelles
    ids, groups, fold = _read_folds(folder, fit.settings.n_folds)
    labels = read_class_table(folder.labels, ids, names, "truth", remedy)
    if (fit.trainable & ~labels[fold >= 0].any(0)).any():
        raise InputError(f"{folder.labels} has no field with an organelle that the fit has learnt. {remedy}")
    probabilities = read_class_table(folder.probabilities, ids, names, "number", remedy)
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise InputError(f"{folder.probabilities} holds a number that is no probability. {remedy}")
    calls = read_class_table(folder.calls, ids, names, "truth", remedy)
    members = [read_class_table(folder.scores(name), ids, names, "number", remedy) for name in fit.settings.members]
    return Fitted(
        folder, fit.settings, fit.columns, fit.trainable, fit.prior, fit.standardisation, fit.second_level, ids, labels,
        groups, fold, np.stack(members, axis=-1), probabilities, calls,
        Leaderboard.load(folder.leaderboard, fit.folds, names, remedy), fit.stamp, fit.values,
        _read_plates(folder, ids) if fit.settings.normalise_by else None,
    )  # fmt: skip


def _remove(folder: FitFolder) -> str:
    return f"Remove it. {fit_again(folder)}"


def _read_folds(folder: FitFolder, n_folds: int) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Ids, groups and folds of the training fields."""
    remedy = _remove(folder)
    kinds = {METADATA_ID: "text", GROUP: "whole number", FOLD: "whole number"}
    table = read_table(folder.folds, kinds, remedy)
    ids = table.column(METADATA_ID).to_pylist()
    check_ids(folder.folds, ids, remedy)
    fold = table.column(FOLD).to_numpy()
    if len(fold) and not -1 <= fold.min() <= fold.max() < n_folds:
        raise InputError(f"{folder.folds} holds folds that the fit has not. {remedy}")
    return tuple(ids), table.column(GROUP).to_numpy().astype(np.int64), fold.astype(np.int8)


def _read_plates(folder: FitFolder, ids: tuple[str, ...]) -> PlatesOfFit:
    kinds = {METADATA_ID: "text", PLATE: "text", CONTROL: "truth"}
    table = read_table(folder.plates, kinds, _remove(folder))
    if tuple(table.column(METADATA_ID).to_pylist()) != ids:
        raise InputError(f"{folder.plates} does not hold the {len(ids)} fields of folds.parquet. {_remove(folder)}")
    return PlatesOfFit(np.array(table.column(PLATE).to_pylist(), str), table.column(CONTROL).to_numpy())


def finished_fit(folder: RunFolder, data: Path = DATA) -> Fitted:
    """The fit of a run; `data` is the data folder named in the error message, unless the run notes its own.

    Raises
    ------
    InputError
        If there is none, or it was stopped before its end.
    """
    if not folder.fit.fit_file.is_file():
        raise InputError(
            f"no finished fit in {folder.root}: {folder.fit.fit_file} is missing, so fit was not run, or was stopped "
            f"before its end. Run: {folder.command('fit', data)}"
        )
    return load(folder.root)


def read_fitted_fields(folder: RunFolder, fitted: Fitted) -> FieldMatrix:
    """The training fields of a run as they were fitted on, with all columns that were extracted."""
    matrix = read_fields(folder, "train")
    if fitted.plates is not None:
        matrix = fitted.rows_of(matrix)
        matrix = replace(matrix, values=fitted.plates.normalise(matrix.values))
    return fitted.training_fields(matrix)
