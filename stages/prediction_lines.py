"""What a prediction says on the terminal: a table of the first fields, and in words why they are called so."""

import shutil
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from engine.command_line import command_line
from engine.counted import counted
from engine.run_folder import Outcome, failure_of
from models.labels import ORGANELLES
from models.prediction_sets import PredictionSets
from stages.interpreting import Told
from stages.overlays import called_first, could_be, said
from stages.predicting import PredictionFiles, speaking_cells

FIELDS_SHOWN, EXPLAINED, REASONS_SHOWN, OTHERS_SHOWN = 5, 3, 3, 3

_PLAIN_WIDTH = 140


def outcome(
    told: Told, files: PredictionFiles, sets: PredictionSets, pictures: Path | None, label_images: Path | None,
    failures: tuple[str, ...], remarks: list[str], next_command: str,
) -> Outcome:  # fmt: skip
    """How `predict` ended: the first fields, why, where the files are, and what to type next."""
    n_fields, n_cells = len(told.predictions), len(told.cells)
    lines = [*field_lines(told, sets.coverage), "", *why_lines(told), ""] if n_fields else []
    lines.append(
        f"{counted(n_fields, 'field')}, {counted(n_cells, 'cell')} in {files.predictions}, cells.csv, why.csv, "
        "neighbours.csv"
    )
    if n_fields:
        lines += [f"{what} in {where}" for what, where in (("pictures", pictures), ("labels", label_images)) if where]
        lines.append(sets.too_few or sets.promise)
    lines += remarks
    facts = {
        "predictions": str(files.predictions), "fields": n_fields, "cells": n_cells, "failed": len(failures),
        "unlike": int(told.predictions["Unlike"].sum()), "coverage": sets.coverage, "groups": sets.n_groups,
        "cut": min(sets.cut, 1.0), "promised": not sets.too_few,
        "set_size": float(told.predictions["Set"].str.split("; ").str.len().mean()) if n_fields else None,
        "overlays": str(pictures) if pictures else None, "label_images": str(label_images) if label_images else None,
    }  # fmt: skip
    failure = failure_of(failures, n_fields + len(failures), files.failures)
    return Outcome(tuple(lines), next_command if n_fields else "", facts, len(failures), failure)


def what_drives(told: Told, evaluable: np.ndarray, run: Path) -> str:
    """The command that says what drives the first called organelle that the fit has learnt; "" where there is none."""
    learnt = {name for name, able in zip(ORGANELLES, evaluable, strict=True) if able}
    called = (name for row in told.predictions.to_dict("records") for name in called_first(row))
    organelle = next((name for name in called if name in learnt), None)
    return command_line("importances", organelle, run=run) if organelle else ""


def field_lines(told: Told, coverage: float) -> list[str]:
    """The first fields: calls, what else they could be, the cells that speak for the first call, the nearest field."""
    rows = told.predictions.head(FIELDS_SHOWN).to_dict("records")
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in (
        "field",
        "called",
        f"could also be ({100 * coverage:g} % set)",
        "cells",
        "speak most",
        "most alike",
    ):
        table.add_column(heading, overflow="fold")
    for row in rows:
        cells = told.cells[told.cells["Id"] == row["Id"]]
        others, called = could_be(row), called_first(row)
        more = f", {len(others) - OTHERS_SHOWN} more" if len(others) > OTHERS_SHOWN else ""
        loudest = ", ".join(map(str, speaking_cells(cells, called[0], 3)))
        near = told.neighbours[told.neighbours["Id"] == row["Id"]]
        table.add_row(
            str(row["Id"]), said(row, called), (said(row, others[:OTHERS_SHOWN]) + more) or "-", str(len(cells)),
            loudest or "-", _nearest(near),
        )  # fmt: skip
    lines = _rendered(table)
    further = len(told.predictions) - len(rows)
    more = [f"... and {counted(further, 'field')} more"] if further > 0 else []
    return [*lines, *more, *_unlike_lines(told.predictions)]


def _unlike_lines(predictions: pd.DataFrame) -> list[str]:
    """A warning about fields that are like no training field."""
    unlike = predictions.loc[predictions["Unlike"], "Id"].tolist()
    if not unlike:
        return []
    names = ", ".join(unlike[:FIELDS_SHOWN])
    more = ", ...: Unlike in predictions.csv" if len(unlike) > FIELDS_SHOWN else ""
    return [
        f"unlike all training fields, so that neither calls nor sets may hold: {len(unlike)} of "
        f"{counted(len(predictions), 'field')} ({names}{more})"
    ]


def why_lines(told: Told) -> list[str]:
    """The leading feature groups of each call of the first fields."""
    lines = ["why (log-odds that a group of features adds to the call, or takes from it):"]
    for row in told.predictions.head(EXPLAINED).to_dict("records"):
        mine = told.why[told.why["Id"] == row["Id"]]
        for organelle in called_first(row):
            reasons = mine[mine["Organelle"] == organelle].head(REASONS_SHOWN)
            lines.append(f"{row['Id']}, {organelle} {float(row[organelle]):.2f}")
            lines += [f"  {line}" for line in _reasons(reasons)]
    return lines


def _reasons(reasons: pd.DataFrame) -> Iterator[str]:
    if reasons.empty:
        yield "had too few training fields to be learnt: only its share of them speaks for it"
    for row in reasons.to_dict("records"):
        yield f"{row['LogOdds']:+.2f}  {row['Block']}"
        yield f"         most of it: {row['FeatureInWords']}: {_standing(row)}"


def _standing(row: dict[str, object]) -> str:
    """A value, and where it stands among the training fields'."""
    if pd.isna(row["Value"]):
        return "not there"
    where = {0.0: ", below all training fields", 100.0: ", above all training fields"}
    share = "" if pd.isna(row["Percentile"]) else f", above {int(row['Percentile'])} % of the training fields"
    return f"{row['Value']:.3g}{where.get(row['Percentile'], share)}"


def _nearest(neighbours: pd.DataFrame) -> str:
    """The nearest training field with its labels; near-identical ones are told as such."""
    if neighbours.empty:
        return "-"
    same = neighbours[neighbours["NearIdentical"]]
    first = (neighbours if same.empty else same).iloc[0]
    return f"{first['Neighbour']} ({first['Labels']}{'; NEAR-IDENTICAL' if len(same) else ''})"


def _rendered(table: Table) -> list[str]:
    """The table as lines: with styles on a terminal, plain elsewhere."""
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else _PLAIN_WIDTH
    text = StringIO()
    Console(file=text, force_terminal=terminal, width=width, no_color=not terminal).print(table)
    return [line.rstrip() for line in text.getvalue().splitlines()]
