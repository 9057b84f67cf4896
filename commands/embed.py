"""`embed`: trains a network on a run's cells, from crops on disk, with checkpoints."""

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from commands.job import Job
from engine.command_line import command_line
from engine.counted import counted
from engine.errors import InputError
from engine.files import digest
from engine.outcome import Outcome
from engine.running.parallel import run_tasks
from engine.running.progress import progress
from features.embedding.crop_shards import TrainingCropSettings, read_crops, write_crops
from features.extraction.measuring import fingerprint_of
from features.extraction.pooling import usable_fields
from features.extraction.settings import ExtractSettings
from features.reading.fields import FieldSource
from features.reading.splits import find_splits
from models.data.duplicates import join, near_identical
from models.data.groups import groups_from_ids
from models.data.training_set import find_groups
from store.schema import METADATA_HASH, METADATA_ID
from store.shards import Shard, plan_shards, reconcile_shards
from store.stamp import code_of, stamp

if TYPE_CHECKING:
    import torch

    from features.embedding.contrastive import Training, TrainingSettings

KEPT_CELLS = 200_000
"""The approximate number of cells kept in all: 3 GB in memory, less on disk."""

FEWEST_CELLS, MOST_CELLS = 4, 24  # kept per field
_SAVED_EVERY = 60.0  # seconds between checkpoints
_SHOWN = 20  # the loss is shown as a mean over this many steps

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingCells:
    """Cells to train on.

    Attributes
    ----------
    cells : ndarray of uint8, shape (n, 4, side, side)
    field : ndarray of int64, shape (n,)
        Row of each in `fields`.
    fields : DataFrame
        One row a field: Metadata_Id and its hashes.
    stamp : str
    """

    cells: np.ndarray
    field: np.ndarray
    fields: pd.DataFrame
    stamp: str


def cells_a_field(n_fields: int) -> int:
    """The number of cells kept per field."""
    return int(np.clip(KEPT_CELLS // max(n_fields, 1), FEWEST_CELLS, MOST_CELLS))


def cut_out(
    sources: dict[str, FieldSource], shown: TrainingCropSettings, folder: Path, workers: int, quiet: bool
) -> list[Shard]:
    """Write the crops that are not on disk yet."""
    shards = {
        split: plan_shards(split, source.ids, fingerprint_of(source, shown.reading.masks), shown, folder)
        for split, source in sources.items()
    }
    every = [shard for of_split in shards.values() for shard in of_split]
    todo = [shard for of_split in shards.values() for shard in reconcile_shards(of_split)]
    tasks = ((sources[shard.split].part(shard.ids), shard, shown) for shard in todo)
    with progress("cut out cells", sum(len(shard.ids) for shard in todo), "fields", quiet) as bar:
        for n_fields in run_tasks(write_crops, tasks, workers):
            bar.advance(n_fields)
    return every


def gather(shards: Iterable[Shard], shown: TrainingCropSettings) -> TrainingCells:
    """Read the crops of all shards; fields without cells are left out."""
    shards = list(shards)
    read = [read_crops(shard, shown.crop) for shard in shards]
    ids = pd.Index([field_id for of_shard, _ in read for field_id in of_shard])
    fields = usable_fields(shard.fields_path for shard in shards)
    fields = fields[fields[METADATA_ID].isin(ids)].drop_duplicates(METADATA_ID).reset_index(drop=True)
    kept = [name for name in fields.columns if name == METADATA_ID or name.startswith(METADATA_HASH)]
    field = pd.Index(fields[METADATA_ID]).get_indexer(ids)
    mark = digest([shard.stamp for shard in shards])
    return TrainingCells(np.concatenate([cells for _, cells in read]), field, fields[kept], mark)


def group_numbers(crops: TrainingCells, data: Path, groups: Path | None) -> tuple[np.ndarray, str]:
    """The group of each field, near-identical fields in one group, and where the groups come from, in words.

    Raises
    ------
    InputError
        If all fields are of one group: the loss needs negatives from other groups.
    """
    ids = tuple(crops.fields[METADATA_ID])
    given, origin = find_groups(data, groups, ids) if ids else (groups_from_ids(ids), "")
    joined = join(given.numbers, near_identical(crops.fields))
    if len(np.unique(joined)) < 2:
        of_groups = counted(len(np.unique(joined)), "group")
        raise InputError(
            f"{data}: found cells in {counted(len(ids), 'field')} of {of_groups}; expected two or more, because the "
            "network learns from the difference between groups. Give more fields."
        )
    return joined, origin


def train(
    crops: TrainingCells,
    numbers: np.ndarray,
    settings: "TrainingSettings",
    checkpoint: Path,
    device: "torch.device",
    steps: int,
    minutes: float | None,
    quiet: bool,
) -> tuple["Training", float]:
    """Train to a number of steps or a time limit; resumes a checkpoint of the same cells, groups and settings.

    Returns
    -------
    training : Training
    loss : float
        Mean over the last steps; NaN if none was left to do.
    """
    from features.embedding.contrastive import Groups, Training

    cells = [np.flatnonzero(crops.field == i) for i in range(len(crops.fields))]
    groups = Groups(cells, [np.flatnonzero(numbers == group) for group in np.unique(numbers)])
    mark = stamp(asdict(settings), [crops.stamp, numbers.tolist()], code_of("features.embedding.contrastive"))
    training = _resumed(lambda: Training(settings, device), checkpoint, mark, steps)
    losses: list[float] = []
    begun = saved = time.monotonic()
    with progress("embed", steps - training.done, "steps", quiet) as bar:
        while training.done < steps and not (minutes and time.monotonic() - begun > 60 * minutes):
            losses = [*losses[1 - _SHOWN :], training.step(crops.cells, groups)]
            bar.advance(word=f"loss {np.mean(losses):.3f}")
            if time.monotonic() - saved > _SAVED_EVERY:
                training.save(checkpoint, mark)
                saved = time.monotonic()
    if losses:
        training.save(checkpoint, mark)
    return training, float(np.mean(losses)) if losses else float("nan")


def _resumed(begin: Callable[[], "Training"], checkpoint: Path, mark: str, steps: int) -> "Training":
    """Resume a checkpoint, or begin anew if there is none or it does not fit; logs why it does not."""
    training = begin()
    if not checkpoint.is_file():
        return training
    if not training.resume(checkpoint, mark):
        _log.warning("the checkpoint is of other cells, groups or settings: training anew")
    elif training.done > steps:
        _log.warning("the checkpoint has %d steps, more than %d: training anew", training.done, steps)
        return begin()
    return training


@dataclass(frozen=True)
class Embedding:
    """A network to train: the fields, the crop settings, the training settings, and the device (`place`)."""

    sources: dict[str, FieldSource]
    shown: TrainingCropSettings
    settings: "TrainingSettings"
    place: "torch.device"
    masks: Path | None


def prepare(job: Job, no_er: bool, masks: Path | None) -> Embedding:
    """Find the images, and choose crop settings, training settings and device."""
    from features.embedding.contrastive import TrainingSettings
    from features.embedding.torch_device import use

    masks = job.path(masks)
    settings, place = TrainingSettings(seed=job.seed), use(job.device, job.n_workers)
    sources = find_splits(job.data)
    per_field = cells_a_field(sum(len(source.ids) for source in sources.values()))
    reading = ExtractSettings(no_er, str(masks) if masks else None, "cpu")
    return Embedding(sources, TrainingCropSettings(reading, settings.network.crop, per_field), settings, place, masks)


@dataclass(frozen=True)
class Trained:
    """The result of a training: steps done, mean loss of the last ones (NaN if none was left to do)."""

    steps: int
    loss: float


def train_network(
    job: Job, work: Embedding, crops: TrainingCells, grouping: tuple[np.ndarray, str], steps: int, minutes: float | None
) -> Trained:
    """Train, resuming a checkpoint, and write the network into the run folder."""
    from features.embedding.network import save_network

    folder, (numbers, groups_from) = job.folder, grouping
    training, loss = train(
        crops, numbers, work.settings, folder.embedding / "checkpoint.safetensors", work.place, steps=steps,
        minutes=minutes, quiet=job.quiet,
    )  # fmt: skip
    record = _record(job, crops, training.done)
    save_network(folder.network, training.averaged, record)
    folder.note("embed", asdict(work.settings) | record | {"data": str(job.data), "groups": groups_from})
    return Trained(training.done, loss)


def _record(job: Job, crops: TrainingCells, steps: int) -> dict[str, int]:
    return {"steps": steps, "fields": len(crops.fields), "cells": len(crops.cells), "seed": job.seed}


def outcome(
    job: Job, work: Embedding, crops: TrainingCells, grouping: tuple[np.ndarray, str], trained: Trained
) -> Outcome:
    """Report the training data, the steps, the loss, and the network's file."""
    network, (numbers, groups_from) = job.folder.network, grouping
    after = f"; loss {trained.loss:.3f}" if trained.loss == trained.loss else ""
    lines = (
        f"{counted(len(crops.cells), 'cell')} of {counted(len(crops.fields), 'field')} in "
        f"{counted(len(np.unique(numbers)), 'group')} (from {groups_from})",
        f"{counted(trained.steps, 'step')} on {work.place}{after}; network in {network}",
    )
    settings = work.shown.reading
    command = command_line(
        "extract", data=job.data, run=job.run, no_er=settings.no_er, masks=settings.masks, embedding=network
    )
    return Outcome(lines, command, _record(job, crops, trained.steps) | {"network": str(network)})
