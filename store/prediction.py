"""The tables that `predict` writes about new fields, and their files."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from engine.files import whole
from store.places import Places
from store.schema import FIELD_PLACES, SEPARATORS


@dataclass(frozen=True)
class PredictionFiles:
    """The files of a prediction, by name."""

    root: Path

    @property
    def predictions(self) -> Path:
        """Calls, sets and probabilities of each field."""
        return self.root / "predictions.csv"

    @property
    def cells(self) -> Path:
        """Score of each cell for each organelle."""
        return self.root / "cells.csv"

    @property
    def why(self) -> Path:
        """What each block of features adds to the log-odds of each call."""
        return self.root / "why.csv"

    @property
    def neighbours(self) -> Path:
        """The training fields most like each field."""
        return self.root / "neighbours.csv"

    @property
    def failures(self) -> Path:
        """Fields that failed."""
        return self.root / "failures.csv"

    @property
    def unused(self) -> Path:
        """Files that no field uses."""
        return self.root / "unused.csv"

    @property
    def tables(self) -> tuple[Path, ...]:
        """All of them."""
        return self.predictions, self.cells, self.why, self.neighbours, self.failures, self.unused


@dataclass(frozen=True)
class PredictionTables:
    """Tables about fields; rows sorted by field. Plate, Well and Site follow the Id where they are known.

    Attributes
    ----------
    predictions : DataFrame
        A row a field: Id, Called and Set (tuples of names), OutOfDistribution (bool), OutOfRange (share
        of the protein's features outside the range of the training fields), then a probability for each class.
    cells : DataFrame
        A row a cell: Id, Cell, X, Y, Area, AtBorder; for each organelle its score above the field's median cell.
    why : DataFrame
        A row a field, call and block of features; Channels are tuples of names.
    neighbours : DataFrame
        A row a field and training field; Labels are tuples of names. FartherThan is the share of training fields
        whose nearest field of another group is nearer than this one.
    """

    predictions: pd.DataFrame
    cells: pd.DataFrame
    why: pd.DataFrame
    neighbours: pd.DataFrame


def with_places(predicted: PredictionTables, places: Places) -> PredictionTables:
    """The tables with the plate, well and site of each field behind its id, where they are known.

    Parameters
    ----------
    predicted : PredictionTables
    places : Places
        Of the fields of `predicted.predictions`, in their order.
    """
    known = {name: places.columns[column] for name in FIELD_PLACES if (column := places.find(name))}

    def placed(table: pd.DataFrame) -> pd.DataFrame:
        table = table.copy()
        for k, (name, of_fields) in enumerate(known.items(), start=1):
            table.insert(k, name, table["Id"].map(dict(zip(predicted.predictions["Id"], of_fields, strict=True))))
        return table

    parts = {name: placed(getattr(predicted, name)) for name in PredictionTables.__dataclass_fields__}
    return PredictionTables(**parts) if known else predicted


def write_tables(files: PredictionFiles, predicted: PredictionTables) -> None:
    """Write the four tables; cells.csv has columns only for organelles that some cell has a score for."""
    cells = predicted.cells.dropna(axis="columns", how="all") if len(predicted.cells) else predicted.cells
    tables = {files.predictions: predicted.predictions, files.cells: cells, files.why: predicted.why,
              files.neighbours: predicted.neighbours}  # fmt: skip
    for path, table in tables.items():
        with whole(path) as temporary:
            _joined(table).to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")


def _joined(table: pd.DataFrame) -> pd.DataFrame:
    """Columns that hold several names, joined to text."""
    return table.assign(**{
        name: table[name].map(between.join) for name, between in SEPARATORS.items() if name in table.columns
    })  # fmt: skip


def slivers(at_border: ArrayLike, area: ArrayLike) -> np.ndarray:
    """Which cells of one field are cut by its border to less than half of the median area: bool, shape (n_cells,)."""
    areas = pd.Series(np.asarray(area, np.float64))
    return np.asarray(at_border, bool) & (areas < areas.median() / 2).to_numpy()


def top_cells(cells: pd.DataFrame, organelle: str, n: int) -> list[int]:
    """The numbers of at most n cells of one field, highest score first; all score above the field's median cell.

    Slivers at the border come after the others: little of them can be seen.
    """
    above = cells.assign(sliver=slivers(cells["AtBorder"], cells["Area"]))[cells[organelle] > 0]
    above = above.sort_values(["sliver", organelle], ascending=[True, False], kind="stable")
    return [int(number) for number in above["Cell"].head(n)]
