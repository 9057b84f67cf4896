"""The tables of a prediction for some new fields: calls, sets, cell scores, local explanations and neighbours."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features.extraction.pooling import ShardTables, read_shard
from models.data.duplicates import hashes_of, turned
from models.explanation.cell_scores import above_median, scored_organelles, stacked_score
from models.explanation.feature_groups import block_names
from models.explanation.local_explanations import explain
from models.trust.neighbours import add_identical, near_identical_to, nearest
from models.trust.out_of_distribution import is_out_of_distribution, share_below
from models.trust.reference_data import ReferenceData, fitted_columns
from report.embedding_words import LeadingFeatures, usual_values
from report.feature_descriptions import block_in_words
from report.leading_cells import extreme_cells
from report.rows import rows_of
from store.matrix import FieldMatrix, matrix_columns
from store.prediction import PredictionTables, slivers
from store.schema import (
    CELL_SCORES,
    MASK_ID,
    METADATA_AT_BORDER,
    METADATA_CELL,
    METADATA_ID,
    METADATA_MASK_ID,
    METADATA_X,
    METADATA_Y,
    NEIGHBOURS,
    PREDICTIONS,
    WHY,
)
from store.shards import Shard

BLOCKS = 8
"""Blocks of features that are listed for each call."""


@dataclass(frozen=True)
class _Fields:
    """New fields: values (n, n_columns) float32, hashes (n, 4) uint64, probabilities and calls (n, n_classes)."""

    ids: tuple[str, ...]
    values: np.ndarray
    hashes: np.ndarray
    probabilities: np.ndarray
    calls: np.ndarray


@dataclass(frozen=True)
class _Cells:
    """Cells of new fields: numbers and places, values (n, n_columns) as if each were a field, and their field's row."""

    places: pd.DataFrame
    values: np.ndarray
    field: np.ndarray

    def leading(self, field: int, column: int, high: bool) -> tuple[str, ...]:
        """The numbers of the field's cells with the highest or lowest values of a column (see `extreme_cells`)."""
        mine = np.flatnonzero(self.field == field)
        places = self.places.iloc[mine]
        chosen = extreme_cells(self.values[mine, column], slivers(places["AtBorder"], places["Area"]), high)
        return tuple(map(str, places["Cell"].iloc[chosen]))


def interpret_shards(number: int, shards: Sequence[Shard], reference: ReferenceData) -> tuple[int, PredictionTables]:
    """The tables of the fields of some shards; the number is returned for sorting."""
    tables = [read_shard(shard.cells_path, shard.fields_path, reference.columns) for shard in shards]
    fields = _fields(tables, reference)
    distances, cells = reference.space.distances(fields.values), _measured_cells(tables, fields, reference)
    return number, PredictionTables(
        _predictions(fields, distances, reference), _scored(cells, fields, reference), _why(fields, cells, reference),
        _neighbours(fields, distances, reference),
    )  # fmt: skip


def _fields(tables: Sequence[ShardTables], reference: ReferenceData) -> _Fields:
    matrix = _joined([table.pooled() for table in tables], reference)
    values = reference.of_new(matrix.ids, matrix.named(reference.fitted.columns))
    return _Fields(matrix.ids, values, hashes_of(matrix.metadata), *reference.fitted.predict(values))


def _joined(parts: Sequence[tuple[pd.DataFrame, np.ndarray]], reference: ReferenceData) -> FieldMatrix:
    metadata = pd.concat([part for part, _ in parts], ignore_index=True)
    return FieldMatrix(metadata, np.concatenate([values for _, values in parts]), matrix_columns(reference.columns))


def _predictions(fields: _Fields, distances: np.ndarray, reference: ReferenceData) -> pd.DataFrame:
    sets = reference.sets.of(fields.probabilities, fields.calls)
    outside = reference.ranges.outside(fields.values)
    unlike = is_out_of_distribution(
        distances.min(1), outside, reference.neighbour_distances, reference.ranges.training_shares
    )
    named = reference.fitted.classes.named
    values = (list(fields.ids), list(map(named, fields.calls)), list(map(named, sets)), unlike, outside)
    probabilities = {name: fields.probabilities[:, j] for j, name in enumerate(reference.fitted.classes.names)}
    return pd.DataFrame(dict(zip(PREDICTIONS, values, strict=True)) | probabilities)


def _measured_cells(tables: Sequence[ShardTables], fields: _Fields, reference: ReferenceData) -> _Cells:
    cells = _joined([table.each_cell() for table in tables], reference)
    values = reference.of_new(cells.ids, cells.named(reference.fitted.columns))
    return _Cells(_places(cells), values, pd.Index(fields.ids).get_indexer(pd.Index(cells.ids)))


def _scored(cells: _Cells, fields: _Fields, reference: ReferenceData) -> pd.DataFrame:
    """Scores are NaN for organelles that the cell's field is not scored for."""
    table, field = cells.places.copy(), cells.field
    scored = scored_organelles(fields.probabilities, fields.calls, reference.fitted.trainable)
    for j, name in enumerate(reference.fitted.classes.names):
        table[name] = np.full(len(table), np.nan)
        mine = np.flatnonzero(scored[field, j]) if len(field) else field
        if len(mine):
            scores = stacked_score(reference.fitted, j, cells.values[mine])
            table.loc[mine, name] = above_median(scores, field[mine])
    return table


def _places(cells: FieldMatrix) -> pd.DataFrame:
    columns = cells.columns
    is_area = (columns["compartment"] == "Cells") & (columns["family"] == "AreaShape") & (columns["feature"] == "Area")
    area = cells.values[:, np.flatnonzero(is_area & (columns["parameters"].map(len) == 0))[0]]
    ids, numbers, x, y, at_border = (
        cells.metadata[name] for name in (METADATA_ID, METADATA_CELL, METADATA_X, METADATA_Y, METADATA_AT_BORDER)
    )
    values = (ids, numbers, x.round(1), y.round(1), area.astype(np.int64), at_border)
    table = pd.DataFrame(dict(zip(CELL_SCORES, values, strict=True)))
    return table.assign(**{MASK_ID: cells.metadata[METADATA_MASK_ID]}) if METADATA_MASK_ID in cells.metadata else table


def _why(fields: _Fields, cells: _Cells, reference: ReferenceData) -> pd.DataFrame:
    fitted, rows = reference.fitted, []
    columns = fitted_columns(fitted, reference.columns)
    described, blocks = rows_of(columns), block_names(columns)
    leading = LeadingFeatures(columns, reference.background.values, reference.counterparts)
    usual = usual_values(reference.background.values)
    for j in np.flatnonzero(fields.calls.any(0) & fitted.trainable):
        mine, name = np.flatnonzero(fields.calls[:, j]), fitted.classes.names[j]
        found = explain(fitted, int(j), fields.values[mine], blocks, reference.background)
        for k, i in enumerate(mine):
            for rank, (_, log_odds, c) in enumerate(found.largest(k, BLOCKS), start=1):
                block = [described[c][part] for part in ("compartment", "family", "channels")]
                leads = leading.of(name, c, log_odds, fields.values[i])
                value = fields.values[i, leads.column]
                highest = cells.leading(int(i), leads.column, bool(value >= usual[leads.column])) if leads.named else ()
                rows.append((
                    fields.ids[i], name, rank, block_in_words(*block), *block, log_odds,
                    "for" if log_odds > 0 else "against", described[leads.column]["name"], leads.words,
                    value, leads.readable, highest,
                ))  # fmt: skip
    return pd.DataFrame(rows, columns=list(WHY)).sort_values("Id", kind="stable", ignore_index=True)


def _neighbours(fields: _Fields, distances: np.ndarray, reference: ReferenceData) -> pd.DataFrame:
    """The nearest training fields, and every near-identical one that is not among them."""
    fitted = reference.fitted
    farther, views, rows = share_below(distances, reference.neighbour_distances), turned(fields.hashes), []
    for i, near in enumerate(nearest(distances, reference.n_neighbours)):
        identical = near_identical_to(views[:, i], reference.hashes)
        for rank, t in enumerate(add_identical(near, identical, distances[i]), start=1):
            near_id, labels = fitted.ids[t], fitted.classes.named(fitted.labels[t])
            rows.append((fields.ids[i], rank, near_id, labels, distances[i, t], farther[i, t], bool(identical[t])))
    return pd.DataFrame(rows, columns=list(NEIGHBOURS))
