"""The story: simulate, extract, fit, importances, submit, report. One function a command, in reading order."""

from dataclasses import asdict
from pathlib import Path

from engine.lock import locked
from engine.parallel import default_workers
from engine.run_folder import Outcome, RunFolder
from features._device import open_device
from features._shards import ExtractSettings, plan_shards
from stages import extraction


def extract(
    data: Path, run: Path, *, no_er: bool, masks: Path | None, device: str, workers: int, quiet: bool
) -> Outcome:
    """Fields -> cells -> features -> one pooled row a field; goes on where an earlier run stopped."""
    folder = RunFolder(run)
    workers = workers or default_workers()
    settings = ExtractSettings(no_er, str(masks) if masks else None, open_device(device).name)
    sources = extraction.find_splits(data)
    with locked(run):
        extraction.remember_settings(folder, settings)
        shards = {split: plan_shards(source, split, settings, folder.features) for split, source in sources.items()}
        every = [shard for of_split in shards.values() for shard in of_split]
        extraction.remove_strays(folder, every)
        extraction.compile_kernels(workers, quiet)
        for split, source in sources.items():
            extraction.measure_missing(source, shards[split], settings, workers, quiet)
        columns = extraction.write_columns(folder)
        for of_split in shards.values():
            extraction.pool_split(folder, of_split, columns, workers, quiet)
        n_failed = extraction.collect_failures(folder, every)
        folder.note("extract", asdict(settings) | {"data": str(data)})
    n_fields, n_cells = extraction.count_cells(every)
    n_columns = int((columns["compartment"] != "Image").sum())
    lines = [f"{n_fields} fields, {n_cells} cells, {n_columns} features a cell in {folder.features}"]
    if n_failed:
        lines.append(f"{n_failed} of {n_fields} fields failed: see {folder.failures}")
    facts = {"features": str(folder.features), "fields": n_fields, "failed": n_failed, "cells": n_cells}
    return Outcome(tuple(lines), f"python cli.py fit --data {data} --run {run}", facts, n_failed)
