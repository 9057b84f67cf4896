"""`extract`: measures the missing shards, pools them into matrices, and reports counts and failures."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from commands.brightness import brightest
from commands.job import Job
from commands.unused import found_fields
from engine.command_line import command_line
from engine.counted import counted
from engine.errors import InputError
from engine.files import read_json, write_csv, write_json
from engine.outcome import Outcome, failure_of
from engine.running.parallel import run_tasks
from engine.running.progress import Progress, progress
from features.core.device import device_names, missing_for_a_gpu, open_device
from features.extraction.batches import cell_columns
from features.extraction.compiling import compile_part, kernels_compiled, parts
from features.extraction.field_level import field_columns
from features.extraction.measuring import measure_on, measure_shard, measure_shards
from features.extraction.pooled_shards import pooled_shard, store_pooled
from features.extraction.pooling import pooling_code
from features.extraction.recorded import acquisition_record, settings_path
from features.extraction.settings import ExtractSettings, NetworkFile
from features.reading.mask_files import with_masks
from features.reading.options import ReadingOptions
from features.reading.source import FieldSource
from features.reading.splits import find_splits, scaled
from features.reading.survey import Acquisition, survey
from store.channels import IMAGE
from store.columns import columns_frame, write_column_table
from store.matrix import write_matrix
from store.run_folder import SPLITS, RunFolder
from store.schema import FAILURES, METADATA_ERROR, METADATA_ID, METADATA_PATH, METADATA_STAGE
from store.shards import Shard, measured_ids, plan_shards, reconcile_shards
from store.stamp import stamp, stamp_of

SHARDS_A_TASK = 16  # with several GPUs; progress is shown after each task

_log = logging.getLogger(__name__)


def choose_devices(name: str, quiet: bool) -> tuple[str, ...]:
    """The devices with a given name; logs what "auto" chose, and why."""
    devices = device_names(name)
    if name == "auto" and not quiet:
        reason = f" ({missing_for_a_gpu().removesuffix('.')})" if devices == ("cpu",) else ""
        _log.info("device auto: %s%s", ", ".join(devices), reason)
    return devices


def remember_settings(folder: RunFolder, settings: ExtractSettings, acquisition: Acquisition) -> None:
    """Write the settings beside the shards; if they differ from the earlier run's, log how.

    Matrices, fit, and the tables made from them are then removed first, so that a run that is interrupted never mixes
    two settings. What people look at or hand in (report, submission, predictions) stays until it is made again.
    """
    path = settings_path(folder)
    today = {key: _brief(value) for key, value in (settings.content() | {"code": settings.code}).items()}
    before = read_json(path) if path.is_file() else today
    before = before if isinstance(before, dict) else {}
    changed = [f"{key}: {before.get(key)} -> {now}" for key, now in today.items() if before.get(key) != now]
    if changed:
        refit = f"; then run {folder.command('fit')} again" if folder.fit.fit_file.is_file() else ""
        _log.warning("settings differ from the earlier run (%s): measuring again%s", "; ".join(changed), refit)
        folder.fit.clear()
        for stale in (*map(folder.matrix, SPLITS), folder.duplicates, folder.label_errors, folder.importance):
            stale.unlink(missing_ok=True)
    write_json(path, today | {"acquisition": acquisition_record(acquisition)})


def _brief(value: object) -> object:
    """A network's settings as its kind and digest; any other value unchanged."""
    return f"{value['kind']} {value['digest']}" if isinstance(value, dict) else value


def compile_kernels(workers: int, quiet: bool) -> None:
    """Compile the kernels in parallel, once per installation; they are cached on disk."""
    if kernels_compiled():
        return
    tasks = [(name,) for name in parts()]
    with progress("compiling kernels, once per installation", len(tasks), "modules", quiet) as bar:
        for _ in run_tasks(compile_part, tasks, workers):
            bar.advance()


def measure_missing(
    source: FieldSource,
    todo: list[Shard],
    settings: ExtractSettings,
    devices: tuple[str, ...],
    workers: int,
    quiet: bool,
) -> None:
    """Measure the shards that are not on disk yet: in processes on the CPU, or with threads for each GPU."""
    if not todo:
        return
    with progress(f"extract {todo[0].split}", sum(len(shard.ids) for shard in todo), "fields", quiet) as bar:
        for n_fields, _ in _measured(source, todo, settings, devices, workers):
            bar.advance(n_fields)


def _measured(
    source: FieldSource, todo: list[Shard], settings: ExtractSettings, devices: tuple[str, ...], workers: int
) -> Iterator[tuple[int, int]]:
    """Yield the number of fields and failures of each shard as it is finished."""
    then = partial(store_pooled, _columns(settings))
    if devices == ("cpu",):
        yield from run_tasks(measure_shard, ((source.part(s.ids), s, settings, then) for s in todo), workers)
    elif len(devices) == 1:
        yield from measure_shards(source, todo, settings, open_device(devices[0]), workers, then)
    else:
        pieces = [todo[i : i + SHARDS_A_TASK] for i in range(0, len(todo), SHARDS_A_TASK)]
        threads = max(workers // len(devices), 1)
        given = ((piece, devices[k % len(devices)]) for k, piece in enumerate(pieces))
        tasks = ((source, piece, settings, device, threads, then) for piece, device in given)
        yield from run_tasks(measure_on, tasks, len(devices))


def measured_before(folder: RunFolder, sources: dict[str, FieldSource]) -> dict[str, set[str]]:
    """The fields of each split that the run has measured.

    Raises
    ------
    InputError
        If a split shares no field with the run: its results are of other images and must not be lost.
    """
    measured = {split: measured_ids(folder.features, split) for split in SPLITS}
    for split, source in sources.items():
        if measured[split] and measured[split].isdisjoint(source.ids):
            raise InputError(
                f"{folder.root} holds {len(measured[split])} {split} fields of other images ({min(measured[split])} "
                f"...); {source.path} has none of them. Name another folder with --run DIR, or remove {folder.root}."
            )
    return measured


def no_longer_there(folder: RunFolder, sources: dict[str, FieldSource], measured: dict[str, set[str]]) -> list[str]:
    """Messages about measured fields whose images are gone."""
    lines = []
    for split, ids in measured.items():
        if split in sources and (n_gone := len(ids.difference(sources[split].ids))):
            lines.append(f"measured {split} fields that are no longer in {sources[split].path}, removed: {n_gone}")
        elif split not in sources and folder.matrix(split).is_file():
            lines.append(f"no {split} images found; measured {split} fields that are kept: {len(ids)}")
    return lines


def write_columns(folder: RunFolder, settings: ExtractSettings) -> pd.DataFrame:
    """Write columns.parquet, the structured names of the cells' and the fields' features."""
    frame = _columns(settings)
    write_column_table(folder.columns, frame)
    return frame


def _columns(settings: ExtractSettings) -> pd.DataFrame:
    return columns_frame((*cell_columns(settings), *field_columns()))


def pool_split(folder: RunFolder, shards: list[Shard], columns: pd.DataFrame, workers: int, quiet: bool) -> None:
    """Pool the cells of a split into its field matrix, unless the matrix on disk has today's stamp."""
    split = shards[0].split
    mark = stamp(list(columns["name"]), [shard.stamp for shard in shards], pooling_code())
    path = folder.matrix(split)
    if stamp_of(path) == mark:
        return
    with progress(f"pool {split}", len(shards), "shards", quiet) as bar:
        write_matrix(path, _pooled(shards, columns, workers, bar), columns, mark)


def _pooled(
    shards: list[Shard], columns: pd.DataFrame, workers: int, bar: Progress
) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
    """Yield the pooled shards in the order of the ids; shards that are finished early wait."""
    tasks = ((k, shard, columns) for k, shard in enumerate(shards))
    early: dict[int, tuple[pd.DataFrame, np.ndarray]] = {}
    due = 0
    for k, part in run_tasks(_pool_numbered, tasks, workers):
        bar.advance()
        early[k] = part
        while due in early:
            yield early.pop(due)
            due += 1


def _pool_numbered(
    number: int, shard: Shard, columns: pd.DataFrame
) -> tuple[int, tuple[pd.DataFrame, np.ndarray]]:  # fmt: skip
    return number, pooled_shard(shard, columns)


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
    """The number of fields and cells on disk, from the row counts of the tables."""
    n_fields = sum(pq.read_metadata(shard.fields_path).num_rows for shard in shards)
    n_cells = int(np.sum([pq.read_metadata(shard.cells_path).num_rows for shard in shards]))
    return n_fields, n_cells


@dataclass(frozen=True)
class Extraction:
    """What to measure: images, settings and devices."""

    sources: dict[str, FieldSource]
    settings: ExtractSettings
    devices: tuple[str, ...]

    @property
    def network(self) -> Path | None:
        """The file of the user's network, if any; the pretrained one is installed where it runs."""
        network = self.settings.network
        return Path(network.path) if network and network.path else None


def prepare(
    job: Job, reading: ReadingOptions, masks: Path | None, network: NetworkFile | None, *, all_columns: bool
) -> Extraction:  # fmt: skip
    """Find the images, and choose settings and devices."""
    devices = choose_devices(job.worker_device, job.quiet)
    masks = job.path(masks)
    settings = ExtractSettings(
        str(masks) if masks else None, devices[0].partition(":")[0], network, reading, all_columns=all_columns
    )
    sources = find_splits(job.data, reading)
    if masks is not None:
        sources = with_masks(sources, masks)
    if not job.quiet:
        _log.info("%s", found_fields(sources.values()))
    return Extraction(sources, settings, devices)


def decide_scale(work: Extraction, folder: RunFolder, workers: int, quiet: bool) -> tuple[Extraction, Acquisition]:
    """Decide bit depth, level, offset and pixel size; says what the files do not state."""
    acquisition = survey(
        work.sources.values(), work.settings.reading,
        lambda: brightest(list(work.sources.values()), folder.features, workers, quiet),
    )  # fmt: skip
    if not quiet:
        for sentence in acquisition.sentences():
            _log.info("%s", sentence)
    settings = replace(work.settings, scale=acquisition.scale)
    return replace(work, sources=scaled(work.sources, acquisition.scale), settings=settings), acquisition


def plan(work: Extraction, folder: RunFolder) -> dict[str, list[Shard]]:
    """The shards of each split."""
    return {
        split: plan_shards(split, source.ids, source.fingerprint, work.settings, folder.features)
        for split, source in work.sources.items()
    }


def measure(work: Extraction, shards: dict[str, list[Shard]], workers: int, quiet: bool) -> None:
    """Measure the shards that are missing or out of date."""
    todo = {split: reconcile_shards(of_split) for split, of_split in shards.items()}
    compile_kernels(workers, quiet)
    for split, source in work.sources.items():
        measure_missing(source, todo[split], work.settings, work.devices, workers, quiet)


def pool(
    folder: RunFolder, settings: ExtractSettings, shards: dict[str, list[Shard]], workers: int, quiet: bool
) -> int:
    """Pool every split into its matrix; returns the number of features of a cell."""
    columns = write_columns(folder, settings)
    for of_split in shards.values():
        pool_split(folder, of_split, columns, workers, quiet)
    return int((columns["compartment"] != IMAGE).sum())


def outcome(
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
    facts = {"features": str(folder.features), "fields": n_fields, "failed": len(failures), "cells": n_cells}
    _, n_to_fit = counts.get("train", (0, 0))
    command = command_line("fit", data=job.data, run=job.run) if n_to_fit else ""
    return Outcome(tuple(lines), command, facts, len(failures), failure_of(failures, n_fields, folder.failures))
