"""What `extract` says at its end: fields, cells and features, what failed, and what to type next."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
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


def collect_failures(path: Path, splits: Iterable[list[Shard]]) -> tuple[str, ...]:
    """Write failures.csv from all shards, sorted by split and id; returns the error messages."""
    names = [METADATA_ID, METADATA_PATH, METADATA_STAGE, METADATA_ERROR]
    rows = pd.concat(
        [pq.read_table(shard.fields_path, columns=names).to_pandas() for shards in splits for shard in shards]
    )
    failed = rows[rows[METADATA_ERROR].notna()]
    write_csv(path, FAILURES, failed.to_numpy().tolist())
    return tuple(failed[METADATA_ERROR])


def count_cells(shards: list[Shard]) -> tuple[int, int]:
    """The number of fields and cells on disk.

    From the tables of fields: opening a table of cells takes 20 ms, because it has thousands of columns.
    """
    counts = [pq.read_table(shard.fields_path, columns=[CELL_COUNT]).column(0).to_numpy() for shard in shards]
    return sum(map(len, counts)), int(sum(np.nansum(of_shard) for of_shard in counts))


def extract_outcome(
    job: Job, work: Extraction, shards: dict[str, list[Shard]], n_columns: int, measured: dict[str, set[str]],
    failures: tuple[str, ...], unused: list[str], acquisition: Acquisition,
) -> Outcome:  # fmt: skip
    """Report what was measured, what is gone, and what was not used."""
    folder = job.folder
    counts = {split: count_cells(of_split) for split, of_split in shards.items()}
    n_fields, n_cells = (sum(numbers) for numbers in zip(*counts.values()))
    found = f"{counted(n_fields, 'field')}, {counted(n_cells, 'cell')}, {counted(n_columns, 'feature')} a cell"
    lines = [f"{found} in {folder.features}", *acquisition.sentences()]
    lines += [*no_longer_there(folder, work.sources, measured), *unused]
    if len(failures) == n_fields and work.settings.reading.kind == "files":
        lines.append(
            "each file was read as a field of several channels. If each stain has a file of its own, say with --layout "
            f"how they are named: {command_line('inspect', job.data)} finds it"
        )
    facts = {"features": str(folder.features), "fields": n_fields, "failed": len(failures), "cells": n_cells}
    _, n_to_fit = counts.get("train", (0, 0))
    command = command_line("fit", data=job.data, run=job.run) if n_to_fit else ""
    failure = failure_of(failures, n_fields, folder.failures)
    return Outcome(tuple(lines), command, facts, len(failures), failure, len(failures) == n_fields)
