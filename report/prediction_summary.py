"""The summary that `predict` prints: a table of the first fields, and the reasons for their calls in words."""

import shutil
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from engine.command_line import command_line
from engine.counted import counted
from engine.outcome import Outcome, failure_of
from models.fitted import Fitted
from models.trust.conformal import PredictionSets
from report.embedding_words import Leading
from report.overlays import called_first, could_be, with_probabilities
from report.rows import Row, rows_of
from store.matrix import EMBEDDING
from store.prediction import PredictionFiles, PredictionTables, top_cells

FIELDS_SHOWN, EXPLAINED, REASONS_SHOWN, OTHERS_SHOWN, CALLS_SHOWN = 5, 3, 3, 3, 8

_PLAIN_WIDTH = 140
_LEAST_WIDE, _LONGEST_ID = 90, 40  # columns of all but ids; an id longer than this may be broken
_NEAR_IDENTICAL = "NEAR-IDENTICAL"


def summary(
    tables: PredictionTables, files: PredictionFiles, sets: PredictionSets, pictures: Path | None,
    label_images: Path | None, failures: tuple[str, ...], remarks: list[str], next_command: str,
) -> Outcome:  # fmt: skip
    """The outcome of `predict`: the first fields, the reasons, the files, and the next command."""
    n_fields, n_cells = len(tables.predictions), len(tables.cells)
    lines = [*field_lines(tables, sets.coverage), "", *why_lines(tables), ""] if n_fields else []
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
        "out_of_distribution": int(tables.predictions["OutOfDistribution"].sum()),
        "coverage": sets.coverage, "groups": sets.n_groups,
        "conformal_threshold": min(sets.threshold, 1.0), "promised": not sets.too_few,
        "set_size": float(tables.predictions["Set"].map(len).mean()) if n_fields else None,
        "overlays": str(pictures) if pictures else None, "label_images": str(label_images) if label_images else None,
    }  # fmt: skip
    failure = failure_of(failures, n_fields + len(failures), files.failures)
    return Outcome(tuple(lines), next_command if n_fields else "", facts, len(failures), failure, not n_fields)


def what_drives(tables: PredictionTables, fitted: Fitted, run: Path) -> str:
    """The command that shows the importances of the first called trainable organelle; "" if there is none."""
    learnt = set(fitted.classes.named(fitted.trainable))
    called = (name for row in rows_of(tables.predictions) for name in called_first(row))
    organelle = next((name for name in called if name in learnt), None)
    return command_line("importances", organelle, run=run) if organelle else ""


def field_lines(tables: PredictionTables, coverage: float) -> list[str]:
    """The first fields: calls, rest of the set, cells with the highest scores for the first call, nearest field.

    Ids stay whole; where they leave no room for it, cells and nearest fields are left to the files.
    """
    rows, width = rows_of(tables.predictions.head(FIELDS_SHOWN)), _width()
    nearest = [_nearest(tables.neighbours[tables.neighbours["Id"] == row["Id"]]) for row in rows]
    longest = max(len(text) for row, near in zip(rows, nearest, strict=True) for text in (str(row["Id"]), near[0]))
    whole, wide = longest <= _LONGEST_ID, width >= _LEAST_WIDE + 2 * min(longest, _LONGEST_ID)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("field", overflow="fold", no_wrap=whole)
    for heading in ("called", f"could also be ({100 * coverage:g} % set)", "cells"):
        table.add_column(heading, overflow="fold")
    if wide:
        table.add_column("top cells", overflow="fold")
        table.add_column("most similar", overflow="fold", no_wrap=whole)
        table.add_column("labelled", overflow="fold")
    for row, near in zip(rows, nearest, strict=True):
        cells = tables.cells[tables.cells["Id"] == row["Id"]]
        others, called = could_be(row), called_first(row)
        more = f", {len(others) - OTHERS_SHOWN} more" if len(others) > OTHERS_SHOWN else ""
        highest = ", ".join(map(str, top_cells(cells, called[0], 3))) if called else ""
        further = [highest or "-", *map(Text, near)] if wide else []
        table.add_row(
            Text(str(row["Id"])), Text(with_probabilities(row, called) or "-"),
            Text((with_probabilities(row, others[:OTHERS_SHOWN]) + more) or "-"), str(len(cells)), *further,
        )  # fmt: skip
    lines = _rendered(table, width)
    if not wide:
        same = [(row["Id"], *near) for row, near in zip(rows, nearest, strict=True) if _NEAR_IDENTICAL in near[1]]
        lines += [f"{field} is like {other}: {words}" for field, other, words in same]
    beyond = len(tables.predictions) - len(rows)
    more = [f"... and {counted(beyond, 'more field')}", *_all_calls(tables.predictions)] if beyond > 0 else []
    return [*lines, *more, *_out_of_distribution_lines(tables.predictions)]


def _all_calls(predictions: pd.DataFrame) -> list[str]:
    """How many of all fields are called as what, the most frequent first, and how many sets are no larger than that."""
    counts = predictions["Called"].explode().value_counts()
    named = [f"{name} {n}" for name, n in counts.head(CALLS_SHOWN).items()]
    more = (
        f" and {counted(len(counts) - len(named), 'other class', 'other classes')}" if len(counts) > len(named) else ""
    )
    without = int((predictions["Called"].map(len) == 0).sum())
    none = f"; {counted(without, 'field')} without a call" if without else ""
    alone = sum(set(row["Set"]) == set(row["Called"]) for row in rows_of(predictions))
    return [
        f"all {len(predictions):,} fields: {', '.join(named) or 'no call'}{more}{none}; in {alone:,} of them the "
        "prediction set adds nothing to the calls"
    ]


def _out_of_distribution_lines(predictions: pd.DataFrame) -> list[str]:
    """A warning about out-of-distribution fields."""
    found = predictions.loc[predictions["OutOfDistribution"], "Id"].tolist()
    if not found:
        return []
    names = ", ".join(found[:FIELDS_SHOWN])
    more = ", ...: OutOfDistribution in predictions.csv" if len(found) > FIELDS_SHOWN else ""
    return [
        f"out of distribution (unlike the training fields), so that calls and sets may be wrong: {len(found)} of "
        f"{counted(len(predictions), 'field')} ({names}{more})"
    ]


def why_lines(tables: PredictionTables) -> list[str]:
    """The leading blocks of features of each call of the first fields."""
    lines = ["why (log-odds that a block of features adds to the call or takes from it):"]
    for row in rows_of(tables.predictions.head(EXPLAINED)):
        mine = tables.why[tables.why["Id"] == row["Id"]]
        for organelle in called_first(row):
            reasons = mine[mine["Organelle"] == organelle].head(REASONS_SHOWN)
            lines.append(f"{row['Id']}, {organelle} {float(row[organelle]):.2f}")
            lines += [f"  {line}" for line in _reasons(reasons)]
    further = len(tables.predictions) - EXPLAINED
    return [*lines, f"... reasons of {counted(further, 'more field')} in why.csv"] if further > 0 else lines


def _reasons(reasons: pd.DataFrame) -> Iterator[str]:
    if reasons.empty:
        yield "too few training fields to train on: its probability is its share of the training fields"
    for row in rows_of(reasons):
        yield f"{row['LogOdds']:+.2f}  {row['Block']}"
        yield f"         {_leading(row)}"


def _leading(row: Row) -> str:
    """The feature that is named for a block, with its value."""
    of_embedding = row["Feature"].startswith(f"{row['Compartment']}_{EMBEDDING}_")
    named = Leading(0, row["FeatureInWords"], row["Readable"], pd.isna(row["Readable"]) or not of_embedding)
    cells = f"; see cells {', '.join(row['Cells'])}" if row["Cells"] else ""
    return named.introduced + (f": {_standing(row)}{cells}" if named.named else "")


def _standing(row: Row) -> str:
    """A value, and its percentile among the training fields."""
    if pd.isna(row["Value"]):
        return "missing"
    where = {0.0: ", below all training fields", 100.0: ", above all training fields"}
    share = "" if pd.isna(row["Percentile"]) else f", above {int(row['Percentile'])} % of the training fields"
    return f"{row['Value']:.3g}{where.get(row['Percentile'], share)}"


def _nearest(neighbours: pd.DataFrame) -> tuple[str, str]:
    """The nearest training field, and its labels; near-identical ones are marked."""
    if neighbours.empty:
        return "-", "-"
    same = neighbours[neighbours["NearIdentical"]]
    first = (neighbours if same.empty else same).iloc[0]
    labels = "; ".join(first["Labels"]) or "no class"
    return str(first["Neighbour"]), labels if same.empty else f"{labels}; {_NEAR_IDENTICAL}"


def _width() -> int:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _PLAIN_WIDTH


def _rendered(table: Table, width: int) -> list[str]:
    """The table as lines: with styles on a terminal, plain elsewhere."""
    terminal, text = sys.stdout.isatty(), StringIO()
    Console(file=text, force_terminal=terminal, width=width, no_color=not terminal).print(table)
    return [line.rstrip() for line in text.getvalue().splitlines()]
