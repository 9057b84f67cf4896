"""What a run says about some new fields: calls, sets, cells that speak for them, reasons and neighbours, as tables."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features._field import hamming, turned
from models.cell_scores import above_median, stacked_score
from models.feature_groups import block_names
from models.labels import ORGANELLES
from models.matrix import FieldMatrix, ShardTables, matrix_columns, read_shard
from models.neighbours import nearest
from models.reasons import leading_blocks, log_odds_contributions
from models.words import block_in_words, in_words
from stages.evidence import Evidence, fitted_columns
from stages.extraction import Shard
from stages.fitting import HASH_BITS_APART, hashes_of

PROBABLE = 3
"""Cells are also scored for a field's so many most probable organelles, called or not."""

UNLIKE = 0.99
"""A field is unlike the training fields where it is farther from them, or more of its values lie outside their ranges,
than is so of this share of them, each held against those of other groups."""

BLOCKS = 8
"""Feature groups that are told of each call."""


@dataclass(frozen=True)
class Told:
    """Tables about fields; rows sorted by field.

    Attributes
    ----------
    predictions : DataFrame
        A row a field: Id, Called, Set (names with "; " between), Unlike (whether it is like no training field), Outside
        (the share of the protein's values that lie outside the training fields' ranges), then 28 probabilities.
    cells : DataFrame
        A row a cell: Id, Cell, X, Y, Area, AtBorder; for each organelle its score above the field's median cell.
    why : DataFrame
        A row a field, call and block of features.
    neighbours : DataFrame
        A row a field and training field; FartherThan is the share of training fields that have one of another group
        nearer than this.
    """

    predictions: pd.DataFrame
    cells: pd.DataFrame
    why: pd.DataFrame
    neighbours: pd.DataFrame


@dataclass(frozen=True)
class _Fields:
    """New fields: values (n, n_columns) float32, hashes (n, 4) uint64, probabilities and calls (n, 28)."""

    ids: tuple[str, ...]
    values: np.ndarray
    hashes: np.ndarray
    probabilities: np.ndarray
    calls: np.ndarray


def interpret(number: int, shards: Sequence[Shard], evidence: Evidence) -> tuple[int, Told]:
    """Everything about the fields of some shards; the number is given back, to sort by."""
    tables = [read_shard(shard.cells_path, shard.fields_path, evidence.columns) for shard in shards]
    fields = _fields(tables, evidence)
    distances = evidence.space.distances(fields.values)
    return number, Told(
        _predictions(fields, distances, evidence), _cells(tables, fields, evidence), _why(fields, evidence),
        _neighbours(fields, distances, evidence),
    )  # fmt: skip


def named(row: np.ndarray) -> str:
    """The organelles that are true in a row of 28, by name."""
    return "; ".join(ORGANELLES[j] for j in np.flatnonzero(row))


def _fields(tables: Sequence[ShardTables], evidence: Evidence) -> _Fields:
    matrix = _joined([table.pooled() for table in tables], evidence)
    values = matrix.named(evidence.fitted.columns)
    return _Fields(matrix.ids, values, hashes_of(matrix.metadata), *evidence.fitted.predict(values))


def _joined(parts: Sequence[tuple[pd.DataFrame, np.ndarray]], evidence: Evidence) -> FieldMatrix:
    metadata = pd.concat([part for part, _ in parts], ignore_index=True)
    return FieldMatrix(metadata, np.concatenate([values for _, values in parts]), matrix_columns(evidence.columns))


def _predictions(fields: _Fields, distances: np.ndarray, evidence: Evidence) -> pd.DataFrame:
    sets = evidence.sets.of(fields.probabilities, fields.calls)
    outside = evidence.ranges.outside(fields.values)
    farther, odder = share_below(distances.min(1), evidence.apart), share_below(outside, evidence.ranges.usual)
    rows = {"Id": list(fields.ids), "Called": map(named, fields.calls), "Set": map(named, sets),
            "Unlike": np.maximum(farther, odder) > UNLIKE, "Outside": outside}  # fmt: skip
    return pd.DataFrame(rows | {name: fields.probabilities[:, j] for j, name in enumerate(ORGANELLES)})


def share_below(values: np.ndarray, rising: np.ndarray) -> np.ndarray:
    """The share of the training fields' rising values that lie below each value."""
    return np.searchsorted(rising, values) / len(rising)


def _cells(tables: Sequence[ShardTables], fields: _Fields, evidence: Evidence) -> pd.DataFrame:
    """Scores are NaN for organelles that the cell's field is not asked for."""
    cells = _joined([table.each_cell() for table in tables], evidence)
    values, field = cells.named(evidence.fitted.columns), pd.Index(fields.ids).get_indexer(cells.ids)
    table = _places(cells)
    asked = _asked(fields, evidence)
    for j, name in enumerate(ORGANELLES):
        table[name] = np.full(len(table), np.nan)
        mine = np.flatnonzero(asked[field, j]) if len(field) else field
        if len(mine):
            scores = stacked_score(evidence.fitted, j, values[mine])
            table.loc[mine, name] = above_median(scores, field[mine])
    return table


def _asked(fields: _Fields, evidence: Evidence) -> np.ndarray:
    """For which organelles the cells of each field are scored: its calls and most probable ones that were learnt."""
    able = evidence.fitted.evaluable
    ranks = np.argsort(np.argsort(np.where(able, -fields.probabilities, np.inf), axis=1, kind="stable"), axis=1)
    return (fields.calls | (ranks < PROBABLE)) & able


def _places(cells: FieldMatrix) -> pd.DataFrame:
    columns = cells.columns
    is_area = (columns["compartment"] == "Cells") & (columns["family"] == "AreaShape") & (columns["feature"] == "Area")
    area = cells.values[:, np.flatnonzero(is_area & (columns["parameters"] == ""))[0]]
    kept = {name: cells.metadata[f"Metadata_{name}"] for name in ("Id", "Cell", "X", "Y", "AtBorder")}
    table = pd.DataFrame(kept | {"X": kept["X"].round(1), "Y": kept["Y"].round(1)})
    table.insert(4, "Area", area.astype(np.int64))
    return table


def _why(fields: _Fields, evidence: Evidence) -> pd.DataFrame:
    fitted, rows = evidence.fitted, []
    columns = fitted_columns(fitted, evidence.columns)
    described, blocks = columns.to_dict("records"), block_names(columns)
    for j in np.flatnonzero(fields.calls.any(0) & fitted.evaluable):
        mine = np.flatnonzero(fields.calls[:, j])
        contributed = log_odds_contributions(fitted, int(j), fields.values[mine])
        for i, row in zip(mine, contributed, strict=True):
            for rank, (_, log_odds, c) in enumerate(leading_blocks(row, blocks, BLOCKS), start=1):
                leads = described[c]
                block = [leads[name] for name in ("compartment", "family", "channels")]
                rows.append((
                    fields.ids[i], ORGANELLES[j], rank, block_in_words(*block), *block, log_odds,
                    "speaks for" if log_odds > 0 else "speaks against", leads["name"], in_words(leads),
                    fields.values[i, c],
                ))  # fmt: skip
    names = ["Id", "Organelle", "Rank", "Block", "Compartment", "Family", "Channels", "LogOdds", "Direction",
             "Feature", "FeatureInWords", "Value"]  # fmt: skip
    return pd.DataFrame(rows, columns=names).sort_values("Id", kind="stable", ignore_index=True)


def _neighbours(fields: _Fields, distances: np.ndarray, evidence: Evidence) -> pd.DataFrame:
    """The nearest training fields, and every near-identical one that is not among them."""
    farther, views, rows = share_below(distances, evidence.apart), turned(fields.hashes), []
    for i, near in enumerate(nearest(distances, evidence.n_neighbours)):
        bits = hamming(views[:, i, None], evidence.hashes).sum(2).min(0)
        further = np.setdiff1d(np.flatnonzero(bits <= HASH_BITS_APART), near)
        for rank, t in enumerate((*near, *further[np.argsort(distances[i, further], kind="stable")]), start=1):
            identical = bool(bits[t] <= HASH_BITS_APART)
            labels = named(evidence.labels[t])
            rows.append((fields.ids[i], rank, evidence.ids[t], labels, distances[i, t], farther[i, t], identical))
    names = ["Id", "Rank", "Neighbour", "Labels", "Distance", "FartherThan", "NearIdentical"]
    return pd.DataFrame(rows, columns=names)
