"""The cells of a field in which a reason shows most, and the leading reason of each class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.explanation.feature_groups import block_names
from models.explanation.readable import counterparts
from report.feature_descriptions import in_words
from report.rows import rows_of
from store.channels import IMAGE
from store.matrix import EMBEDDING, FieldMatrix
from store.prediction import slivers
from store.run_folder import RunFolder
from store.schema import METADATA_AT_BORDER, METADATA_CELL, METADATA_ID
from store.untrusted_input import read_table

MARKED = 3
"""Cells that are named or marked in a field, at most."""

_AREA = "Cells_AreaShape_Area"


@dataclass(frozen=True)
class LeadingReason:
    """The readable feature that a class rests on most: words, column of cells, whether its fields have high values."""

    words: str
    of_cells: str
    high: bool

    @property
    def said(self) -> str:
        """E.g. "highest values of: level of the protein along contacts with other cells"."""
        return f"{'highest' if self.high else 'lowest'} values of: {self.words}"


def leading_reasons(
    importance: pd.DataFrame, matrix: FieldMatrix, labels: np.ndarray, classes: Sequence[str]
) -> dict[int, LeadingReason]:
    """The leading readable feature of cells of each class; classes without one are absent.

    It is the feature that goes with the embedding, if that leads and one does, else the leading one of the largest
    readable block. High values go with the class if fields with the label have a higher median than the others.

    Parameters
    ----------
    importance : DataFrame
    matrix : FieldMatrix
        The training fields.
    labels : ndarray of bool, shape (n_fields, n_classes)
    classes : sequence of str
    """
    columns, found = matrix.columns, {}
    blocks = dict(zip(columns["name"], block_names(columns), strict=True))
    place = {name: k for k, name in enumerate(columns["name"])}
    for name in importance["organelle"].unique():
        c = place.get(_leading(importance[importance["organelle"] == name], importance, str(name), blocks), -1)
        if c < 0 or not columns["pool"].iloc[c] or columns["compartment"].iloc[c] == IMAGE:
            continue
        j, row = list(classes).index(name), rows_of(columns.iloc[[c]])[0]
        values, mine = matrix.values[:, c], labels[:, j]
        with_it, without = values[mine & ~np.isnan(values)], values[~mine & ~np.isnan(values)]
        high = not len(with_it) or not len(without) or bool(np.median(with_it) >= np.median(without))
        of_cells = str(row["name"]).removesuffix(f"_{row['pool']}")
        found[j] = LeadingReason(in_words(row | {"pool": ""}), of_cells, high)
    return found


def _leading(rows: pd.DataFrame, importance: pd.DataFrame, organelle: str, blocks: Mapping[str, str]) -> str:
    """The column's name; "" if there is none."""
    ranked = rows.sort_values("share_mean", ascending=False, kind="stable")
    of_blocks, goes_with = ranked.loc[ranked["level"] == "block", "what"].tolist(), counterparts(importance, organelle)
    embedded = [EMBEDDING in what.split() for what in of_blocks]
    if embedded and embedded[0] and goes_with and goes_with.features:
        return goes_with.features[0][0]
    readable = next((what for what, of in zip(of_blocks, embedded, strict=True) if not of), None)
    features = ranked.loc[ranked["level"] == "feature", "what"]
    return next((str(name) for name in features if blocks.get(str(name)) == readable), "")


def cells_that_show(
    folder: RunFolder, wanted: Mapping[str, Sequence[LeadingReason]]
) -> dict[tuple[str, LeadingReason], frozenset[int]]:
    """The numbers of the cells in which features are highest or lowest, by field and reason.

    Parameters
    ----------
    folder : RunFolder
    wanted : mapping of str to sequence of LeadingReason
        By the id of a training field.
    """
    features = sorted({reason.of_cells for reasons in wanted.values() for reason in reasons})
    kinds = {METADATA_ID: "text", METADATA_CELL: "whole number", METADATA_AT_BORDER: "truth"}
    found: dict[tuple[str, LeadingReason], frozenset[int]] = {}
    for path in sorted((folder.features / "cells").glob("train-*.parquet")) if features else ():
        table = read_table(path, kinds | dict.fromkeys([_AREA, *features], "number")).to_pandas()
        for field, cells in table[table[METADATA_ID].isin(list(wanted))].groupby(METADATA_ID):
            for reason in wanted[str(field)]:
                found[str(field), reason] = _most(cells, reason)
    return found


def _most(cells: pd.DataFrame, reason: LeadingReason) -> frozenset[int]:
    sliver = slivers(cells[METADATA_AT_BORDER], cells[_AREA])
    chosen = extreme_cells(cells[reason.of_cells].to_numpy(np.float64), sliver, reason.high)
    return frozenset(map(int, cells[METADATA_CELL].iloc[chosen]))


def extreme_cells(values: np.ndarray, sliver: np.ndarray, high: bool) -> np.ndarray:
    """Which cells have the highest (or lowest) values, at most `MARKED`, slivers last: int, shape (n,).

    None of them if the values do not differ, as those of features of the whole field.

    Parameters
    ----------
    values : ndarray of float, shape (n_cells,)
    sliver : ndarray of bool, shape (n_cells,)
    """
    known = ~np.isnan(values)
    if not known.any() or np.ptp(values[known]) == 0:
        return np.empty(0, np.int64)
    order = np.lexsort((np.where(known, -values if high else values, np.inf), sliver, ~known))
    return order[: min(MARKED, int(known.sum()))]
