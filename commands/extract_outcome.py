"""What `extract` says at its end: fields, cells and features, what failed, and what to type next."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from commands.earlier_extraction import no_longer_there
from commands.extract import Extraction
from commands.job import Job
from engine.command_line import command_line
from engine.counted import counted
from engine.files import write_csv
from engine.outcome import Outcome, failure_of
from features.extraction.field_level import CELL_COUNT
from features.reading.survey import Acquisition
from store.schema import FAILURES, METADATA_ERROR, METADATA_ID, METADATA_PATH, METADATA_STAGE
from store.shards import Shard


@dataclass(frozen=True)
class Measured:
    """Fields, cells and failures of some shards.

    Attributes
    ----------
    failures : tuple of str
        The error messages, by split and id.
    n_fields : int
        Failed ones included.
    n_cells : dict of str to int
        Of each split.
    """

    failures: tuple[str, ...]
    n_fields: int
    n_cells: dict[str, int]


def collect_measured(failures: Path, shards: Iterable[Shard]) -> Measured:
    """Read the tables of fields, and write failures.csv.

    The tables of fields hold the number of cells too: opening a table of cells, with thousands of columns, takes 20 ms.
    """
    names = [METADATA_ID, METADATA_PATH, METADATA_STAGE, METADATA_ERROR]
    rows = pd.concat(
        pq.read_table(shard.fields_path, columns=[*names, CELL_COUNT]).to_pandas().assign(split=shard.split)
        for shard in shards
    )
    failed = rows[rows[METADATA_ERROR].notna()]
    write_csv(failures, FAILURES, failed[names].to_numpy().tolist())
    n_cells = rows.groupby("split")[CELL_COUNT].sum().astype(int).to_dict()
    return Measured(tuple(failed[METADATA_ERROR]), len(rows), n_cells)


def extract_outcome(
    job: Job, work: Extraction, measured: Measured, n_columns: int, before: dict[str, set[str]], unused: list[str],
    acquisition: Acquisition,
) -> Outcome:  # fmt: skip
    """Report what was measured, what is gone, and what was not used."""
    folder, failures, n_fields = job.folder, measured.failures, measured.n_fields
    n_cells = sum(measured.n_cells.values())
    found = f"{counted(n_fields, 'field')}, {counted(n_cells, 'cell')}, {counted(n_columns, 'feature')} a cell"
    lines = [f"{found} in {folder.features}", *acquisition.sentences()]
    lines += [*no_longer_there(folder, work.sources, before), *unused]
    if len(failures) == n_fields and work.settings.reading.kind == "files":
        lines.append(
            "each file was read as a field of several channels. If each stain has a file of its own, say with --layout "
            f"how they are named: {command_line('inspect', job.data)} finds it"
        )
    facts = {"features": str(folder.features), "fields": n_fields, "failed": len(failures), "cells": n_cells}
    command = folder.command_on("fit", job.data) if measured.n_cells.get("train") else ""
    failure = failure_of(failures, n_fields, folder.failures)
    return Outcome(tuple(lines), command, facts, len(failures), failure, len(failures) == n_fields)
