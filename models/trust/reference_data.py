"""Reference statistics from the training fields, used to assess new fields."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from models.data.duplicates import hashes_of
from models.data.plate_normalisation import FieldScales
from models.explanation.importance_file import measured_importance
from models.explanation.local_explanations import Background
from models.explanation.readable import Counterparts, all_counterparts
from models.fitted import Fitted
from models.saved_fit import read_fitted_fields
from models.trust.conformal import PredictionSets, fit_sets
from models.trust.neighbours import Space, fit_space
from models.trust.out_of_distribution import TrainingRanges, fit_ranges
from store.matrix import FieldMatrix, matrix_columns
from store.run_folder import RunFolder


@dataclass(frozen=True)
class ReferenceData:
    """Reference statistics from the training fields.

    Attributes
    ----------
    fitted : Fitted
    columns : DataFrame
        The structured columns of cells and fields, as extraction writes them.
    sets : PredictionSets
    space : Space
    hashes : ndarray of uint64, shape (n_training_fields, 4)
    neighbour_distances : ndarray of float64
        Distances of training fields to the nearest of another group, rising.
    ranges : TrainingRanges
        Ranges of the columns that the space compares.
    n_neighbours : int
    background : Background
        For the reasons of calls.
    counterparts : mapping of str to Counterparts
        What goes with the embedding, by class; empty if that was not measured.
    new_scales : FieldScales or None
        Plates of the new fields and their scales, if the features are normalised by plates.
    """

    fitted: Fitted
    columns: pd.DataFrame
    sets: PredictionSets
    space: Space
    hashes: np.ndarray
    neighbour_distances: np.ndarray
    ranges: TrainingRanges
    n_neighbours: int
    background: Background
    counterparts: Mapping[str, Counterparts] = field(default_factory=dict)
    new_scales: FieldScales | None = None

    def of_new(self, ids: Sequence[str], values: np.ndarray) -> np.ndarray:
        """Measured values of new fields, or of their cells, in the columns and on the scale of the fit."""
        return values if self.new_scales is None else self.new_scales.apply(ids, values)


def gather_reference(
    folder: RunFolder, fitted: Fitted, columns: pd.DataFrame, coverage: float, n_neighbours: int
) -> tuple[ReferenceData, FieldMatrix]:
    """Compute the reference statistics; also returns the training fields' matrix.

    Parameters
    ----------
    folder : RunFolder
    fitted : Fitted
    columns : DataFrame
        The structured columns that the new fields are measured in.
    coverage : float
        Of the prediction sets.
    n_neighbours : int
    """
    matrix, groups = read_fitted_fields(folder, fitted), fitted.groups
    grouped = fitted.leaderboard.folds == "grouped"
    sets = fit_sets(fitted.probabilities, fitted.labels, fitted.calls, groups, coverage, grouped)
    values = matrix.named(fitted.columns)
    space = fit_space(values, fitted_columns(fitted, columns))
    ranges = fit_ranges(values, space.chosen, groups)
    hashes = hashes_of(matrix.metadata)
    distances = space.to_other_groups(groups)
    background, importance = Background.of(fitted, values), measured_importance(folder, fitted)
    readable = {} if importance is None else all_counterparts(importance)
    return (
        ReferenceData(fitted, columns, sets, space, hashes, distances, ranges, n_neighbours, background, readable),
        matrix,
    )


def fitted_columns(fitted: Fitted, columns: pd.DataFrame) -> pd.DataFrame:
    """The structured columns of a fit's matrix, in its order, from those of cells and fields."""
    return matrix_columns(columns).set_index("name", drop=False).loc[list(fitted.columns)]
