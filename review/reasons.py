"""Why a field is called as it is: blocks of features in words, and the cells that score highest for a call."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from models.explanation.cell_scores import above_median, stacked_score
from models.explanation.feature_groups import block_names
from models.explanation.local_explanations import Background, explain
from models.explanation.readable import Counterparts
from models.fitted import Fitted
from models.trust.reference_data import fitted_columns
from report.embedding_words import LeadingFeatures, usual_values
from report.feature_descriptions import block_in_words
from report.leading_cells import extreme_cells
from report.rows import rows_of
from review.cells import CellIndex
from store.matrix import matrix_columns

OnScale = Callable[[np.ndarray], np.ndarray]

BLOCKS = 6
"""Blocks of features that are listed for a class."""


@dataclass(frozen=True)
class MeasuredCells:
    """The cells of one field: numbers, values (n_cells, n_columns) as if each were a field, which are slivers."""

    number: np.ndarray
    values: np.ndarray
    sliver: np.ndarray

    def leading(self, column: int, high: bool) -> list[int]:
        """The numbers of the cells with the highest or lowest values of a column."""
        return [int(self.number[k]) for k in extreme_cells(self.values[:, column], self.sliver, high)]


def reasons(
    fitted: Fitted,
    columns: pd.DataFrame,
    of_field: np.ndarray,
    organelle: int,
    on_scale: OnScale,
    background: Background,
    counterparts: Mapping[str, Counterparts],
    cells: MeasuredCells | None = None,
) -> list[dict[str, Any]]:
    """The blocks of features that move one field's log-odds of a class most, in words.

    Parameters
    ----------
    fitted : Fitted
    columns : DataFrame
        The structured columns of the run.
    of_field : ndarray of float32, shape (n_columns,)
        The field's row of the matrix, all columns.
    organelle : int
        A trainable class.
    on_scale : callable
        Brings values in the columns of the fit to the scale of the field's plate, if the fit has plates.
    background : Background
        What the field is compared with.
    counterparts : mapping of str to Counterparts
        What goes with the embedding, by class.
    cells : MeasuredCells or None
        Of the field, if they are known.
    """
    values = on_scale(_named(columns, of_field[None], fitted))
    described = fitted_columns(fitted, columns)
    rows = rows_of(described)
    explained = explain(fitted, organelle, values, block_names(described), background)
    leading, found = LeadingFeatures(described, background.values, counterparts), []
    usual = usual_values(background.values)
    for _, log_odds, c in explained.largest(0, BLOCKS):
        block = [rows[c][name] for name in ("compartment", "family", "channels")]
        named = leading.of(fitted.classes.names[organelle], c, log_odds, values[0])
        value = float(values[0, named.column])
        found.append({
            "block": block_in_words(*block), "log_odds": log_odds, "feature": named.introduced,
            "name": rows[named.column]["name"], "value": None if np.isnan(value) else value,
            "named": named.named,
            "cells": cells.leading(named.column, value >= usual[named.column]) if cells and named.named else [],
        })  # fmt: skip
    return found


def measured_cells(
    fitted: Fitted, index: CellIndex, columns: pd.DataFrame, row: int, of_field: np.ndarray, on_scale: OnScale
) -> MeasuredCells | None:
    """The cells of a field, in the columns and on the scale of the fit; None where there are none."""
    found = index.as_fields(row, columns, of_field)
    if found is None:
        return None
    cells, matrix = found
    return MeasuredCells(index.number[cells], on_scale(matrix.named(fitted.columns)), index.slivers(cells))


def cell_scores(fitted: Fitted, cells: MeasuredCells, organelle: int) -> list[dict[str, float]]:
    """Each cell's score for a trainable class, above the field's median cell; highest first, slivers last."""
    above = above_median(stacked_score(fitted, organelle, cells.values), np.zeros(len(cells.number), np.int64))
    order = np.lexsort((-above, cells.sliver))
    return [{"cell": int(cells.number[k]), "score": float(above[k])} for k in order]


def _named(columns: pd.DataFrame, values: np.ndarray, fitted: Fitted) -> np.ndarray:
    """The columns of the fit, in its order."""
    at = pd.Index(matrix_columns(columns)["name"]).get_indexer(pd.Index(list(fitted.columns)))
    return values[:, at]
