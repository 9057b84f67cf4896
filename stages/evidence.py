"""What a run's training fields leave for new fields to be held against: a cut, a space, labels and hashes."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.errors import InputError
from engine.run_folder import RunFolder
from engine.stored import read_table
from models.fitted import Fitted
from models.matrix import FieldMatrix, matrix_columns
from models.neighbours import Space, fit_space
from models.prediction_sets import PredictionSets, fit_sets
from models.usual_ranges import UsualRanges, fit_ranges
from stages.explaining import read_fitted_fields
from stages.fitting import hashes_of


@dataclass(frozen=True)
class Evidence:
    """What the training fields leave for new ones to be held against.

    Attributes
    ----------
    fitted : Fitted
    columns : DataFrame
        The structured columns of cells and fields, as extraction writes them.
    sets : PredictionSets
    space : Space
    ids : tuple of str
        The training fields.
    labels : ndarray of bool, shape (n_training_fields, 28)
    hashes : ndarray of uint64, shape (n_training_fields, 4)
    apart : ndarray of float64
        How far training fields are from the nearest one of another group, rising.
    ranges : UsualRanges
        Of the columns that the space compares.
    n_neighbours : int
    """

    fitted: Fitted
    columns: pd.DataFrame
    sets: PredictionSets
    space: Space
    ids: tuple[str, ...]
    labels: np.ndarray
    hashes: np.ndarray
    apart: np.ndarray
    ranges: UsualRanges
    n_neighbours: int


def gather_evidence(
    folder: RunFolder, fitted: Fitted, columns: pd.DataFrame, coverage: float, n_neighbours: int
) -> tuple[Evidence, FieldMatrix]:
    """What new fields are held against, and the training fields' matrix.

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
    matrix, labels = read_fitted_fields(folder)
    remedy = f"Run {folder.command('fit')} again."
    groups = read_table(folder.folds, {"group": "whole number"}, remedy).column("group").to_numpy()
    if len(groups) != len(fitted.fold):
        raise InputError(f"{folder.folds} has {len(groups)} rows, the fit {len(fitted.fold)}. {remedy}")
    grouped = fitted.leaderboard.folds == "grouped"
    sets = fit_sets(fitted.probabilities, labels, fitted.calls, groups, coverage, grouped)
    values = matrix.named(fitted.columns)
    space = fit_space(values, fitted_columns(fitted, columns))
    ranges = fit_ranges(values, space.chosen, groups)
    hashes = hashes_of(matrix.metadata)
    apart = space.apart(groups)
    return Evidence(fitted, columns, sets, space, matrix.ids, labels, hashes, apart, ranges, n_neighbours), matrix


def fitted_columns(fitted: Fitted, columns: pd.DataFrame) -> pd.DataFrame:
    """The structured columns of a fit's matrix, in its order, from those of cells and fields."""
    return matrix_columns(columns).set_index("name", drop=False).loc[list(fitted.columns)]
