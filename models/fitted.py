"""A finished fit: its settings, models and results, and its predictions for new fields."""

import logging
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.errors import InputError
from models.data.plate_normalisation import PlateScale, normalise, plate_scales
from models.ensemble import conclude, ensemble_scores, widen
from models.evaluation.leaderboard import Leaderboard
from models.fit_file import fit_again
from models.second_level.second_level import SecondLevel
from models.second_level.standardisation import FoldStandardisation
from models.settings import FitSettings
from store.classes import Classes
from store.fit_folder import FitFolder
from store.matrix import FieldMatrix
from store.stamp import array_hash

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
            As many a field as `settings.per_field` says.

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
        return conclude(known, threshold, self.trainable, self.prior, self.settings.per_field)

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
