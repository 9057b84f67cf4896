"""Predicting new fields: units of work, tables on disk."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from engine.errors import InputError
from engine.files import whole
from engine.parallel import run_units
from engine.progress import progress
from engine.run_folder import RunFolder
from features._shards import Shard
from models.matrix import FieldMatrix
from models.reasons import percentile
from stages.evidence import Evidence
from stages.extraction import SPLITS
from stages.interpreting import Told, interpret

SPLIT = "new"
FIELDS_A_UNIT = 64


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
        """Which cells speak for the calls."""
        return self.root / "cells.csv"

    @property
    def why(self) -> Path:
        """Which features speak for and against each call."""
        return self.root / "why.csv"

    @property
    def neighbours(self) -> Path:
        """The training fields most like each field."""
        return self.root / "neighbours.csv"

    @property
    def failures(self) -> Path:
        """Fields that could not be used."""
        return self.root / "failures.csv"

    @property
    def tables(self) -> tuple[Path, ...]:
        """All of them."""
        return self.predictions, self.cells, self.why, self.neighbours, self.failures


def results_folder(out: Path) -> RunFolder:
    """Where a prediction's tables and features go.

    Raises
    ------
    InputError
        If it is a run's own folder, whose columns and failures would be written over.
    """
    results = RunFolder(out)
    measured = any(any(results.features.glob(f"fields/{split}-*.parquet")) for split in SPLITS)
    if measured or results.models.exists():
        raise InputError(f"{out} is a run folder; expected one for results alone. Name another with --out DIR.")
    return results


def interpret_all(shards: list[Shard], evidence: Evidence, training: FieldMatrix, workers: int, quiet: bool) -> Told:
    """Everything about all new fields, in units that depend on the fields alone."""
    units = [(number, piece, evidence) for number, piece in enumerate(_pieces(shards))]
    parts: dict[int, Told] = {}
    with progress("predict", sum(len(shard.ids) for shard in shards), "fields", quiet) as bar:
        for number, told in run_units(interpret, units, min(workers, len(units))):
            parts[number] = told
            bar.advance(sum(len(shard.ids) for shard in units[number][1]))
    names = Told.__dataclass_fields__
    told = Told(**{
        name: pd.concat([getattr(parts[k], name) for k in sorted(parts)], ignore_index=True) for name in names
    })  # fmt: skip
    _add_percentiles(told.why, training)
    return told


def _pieces(shards: list[Shard]) -> Iterator[list[Shard]]:
    """Shards that follow each other, together about `FIELDS_A_UNIT` fields: loading the models pays for so many."""
    piece: list[Shard] = []
    for shard in shards:
        piece.append(shard)
        if sum(len(one.ids) for one in piece) >= FIELDS_A_UNIT:
            yield piece
            piece = []
    if piece:
        yield piece


def _add_percentiles(why: pd.DataFrame, training: FieldMatrix) -> None:
    """Where each leading feature's value stands among the training fields'."""
    at = dict(zip(training.columns["name"], training.values.T, strict=True))
    why["Percentile"] = [
        percentile(value, at[name]) for name, value in zip(why["Feature"], why["Value"], strict=True)
    ]  # fmt: skip


def write_tables(files: PredictionFiles, told: Told) -> None:
    """Write the four tables; cells.csv has no column for an organelle that no cell is scored for."""
    cells = told.cells.dropna(axis="columns", how="all") if len(told.cells) else told.cells
    tables = {files.predictions: told.predictions, files.cells: cells, files.why: told.why,
              files.neighbours: told.neighbours}  # fmt: skip
    for path, table in tables.items():
        with whole(path) as temporary:
            table.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")


def speaking_cells(cells: pd.DataFrame, organelle: str, n: int) -> list[int]:
    """The numbers of at most n cells of one field that speak for an organelle more than its median cell, most first."""
    above = cells[cells[organelle] > 0].sort_values(organelle, ascending=False, kind="stable")
    return [int(number) for number in above["Cell"].head(n)]


def count_cells(told: Told) -> np.ndarray:
    """Cells of each predicted field, in their order."""
    return told.cells["Id"].value_counts().reindex(told.predictions["Id"]).to_numpy()
