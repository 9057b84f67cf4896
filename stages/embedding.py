"""Training the network on a run's own cells: portraits on disk, groups that never meet as strangers, checkpoints."""

import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from engine.counted import counted
from engine.errors import InputError
from engine.files import digest
from engine.parallel import run_units
from engine.progress import progress
from features._images import FieldSource
from features._portrait_shards import ShownCells, read_portraits, write_portraits
from features._shards import Shard, plan_shards, settle
from models.duplicates import join
from models.labels import groups_from_ids
from models.matrix import usable_fields
from stages.fitting import find_groups, near_identical

if TYPE_CHECKING:
    import torch

    from features._contrastive import Training, TrainingSettings

PORTRAITS = 200_000
"""About so many cells are kept in all: 3 GB in memory, less on disk."""

FEWEST_CELLS, MOST_CELLS = 4, 24  # kept of a field
_SAVED_EVERY = 60.0  # seconds between checkpoints
_SHOWN = 20  # steps over which the loss that is shown is averaged


@dataclass(frozen=True)
class Portraits:
    """Cells to train on.

    Attributes
    ----------
    cells : ndarray of uint8, shape (n, 4, side, side)
    field : ndarray of int64, shape (n,)
        Row of each in `fields`.
    fields : DataFrame
        One row a field: Metadata_Id and its hashes.
    made_of : str
        Hash of all that they depend on.
    """

    cells: np.ndarray
    field: np.ndarray
    fields: pd.DataFrame
    made_of: str

    def of_fields(self, keep: np.ndarray) -> "Portraits":
        """The cells of the fields where `keep` (bool, one a field) is true."""
        mine = keep[self.field]
        renumbered = np.cumsum(keep) - 1
        fields = self.fields[keep].reset_index(drop=True)
        made_of = digest([self.made_of, list(fields["Metadata_Id"])])
        return Portraits(self.cells[mine], renumbered[self.field[mine]], fields, made_of)


def cells_a_field(n_fields: int) -> int:
    """How many cells of each field are kept."""
    return int(np.clip(PORTRAITS // max(n_fields, 1), FEWEST_CELLS, MOST_CELLS))


def cut_out(sources: dict[str, FieldSource], shown: ShownCells, folder: Path, workers: int, quiet: bool) -> list[Shard]:
    """Write the portraits that are not on disk yet."""
    shards = {split: plan_shards(source, split, shown, folder) for split, source in sources.items()}
    every = [shard for of_split in shards.values() for shard in of_split]
    todo = [shard for of_split in shards.values() for shard in settle(of_split)]
    units = ((sources[shard.split].part(shard.ids), shard, shown) for shard in todo)
    with progress("cut out cells", sum(len(shard.ids) for shard in todo), "fields", quiet) as bar:
        for n_fields in run_units(write_portraits, units, workers):
            bar.advance(n_fields)
    return every


def gather(shards: Iterable[Shard], shown: ShownCells) -> Portraits:
    """Read the portraits of all shards; fields without a cell are left out."""
    shards = list(shards)
    read = [read_portraits(shard, shown.portrait) for shard in shards]
    ids = pd.Index([field_id for of_shard, _ in read for field_id in of_shard])
    fields = usable_fields(shard.fields_path for shard in shards)
    fields = fields[fields["Metadata_Id"].isin(ids)].drop_duplicates("Metadata_Id").reset_index(drop=True)
    kept = [name for name in fields.columns if name == "Metadata_Id" or name.startswith("Metadata_Hash")]
    field = pd.Index(fields["Metadata_Id"]).get_indexer(ids)
    made_of = digest([shard.provenance for shard in shards])
    return Portraits(np.concatenate([cells for _, cells in read]), field, fields[kept], made_of)


def group_numbers(portraits: Portraits, data: Path, groups: Path | None) -> tuple[np.ndarray, str]:
    """The group of each field, fields of one antibody and near-identical ones together, and where that is from.

    Raises
    ------
    InputError
        If all fields are of one group, so that there is nothing to tell apart.
    """
    ids = tuple(portraits.fields["Metadata_Id"])
    given, said = find_groups(data, groups, ids) if ids else (groups_from_ids(ids), "")
    joined = join(given.numbers, near_identical(portraits.fields))
    if len(np.unique(joined)) < 2:
        of_groups = counted(len(np.unique(joined)), "group")
        raise InputError(
            f"{data}: found cells in {counted(len(ids), 'field')} of {of_groups}; expected two or more, because the "
            "network learns to tell fields of different groups apart. Give more fields."
        )
    return joined, said


def train(
    portraits: Portraits,
    numbers: np.ndarray,
    settings: "TrainingSettings",
    checkpoint: Path,
    device: "torch.device",
    steps: int,
    minutes: float | None,
    quiet: bool,
) -> tuple["Training", float]:
    """Train to a number of steps, or until the time is over; goes on from a checkpoint made of the same.

    Returns
    -------
    training : Training
    loss : float
        Mean over the last steps; NaN if none was left to do.
    """
    from features._contrastive import Groups, Training

    cells = [np.flatnonzero(portraits.field == i) for i in range(len(portraits.fields))]
    groups = Groups(cells, [np.flatnonzero(numbers == group) for group in np.unique(numbers)])
    made_with = digest([portraits.made_of, numbers.tolist()])
    training = _resumed(lambda: Training(settings, device), checkpoint, made_with, steps)
    losses: list[float] = []
    begun = saved = time.monotonic()
    with progress("embed", steps - training.done, "steps", quiet) as bar:
        while training.done < steps and not (minutes and time.monotonic() - begun > 60 * minutes):
            losses = [*losses[1 - _SHOWN :], training.step(portraits.cells, groups)]
            bar.advance(word=f"loss {np.mean(losses):.3f}")
            if time.monotonic() - saved > _SAVED_EVERY:
                training.save(checkpoint, made_with)
                saved = time.monotonic()
    if losses:
        training.save(checkpoint, made_with)
    return training, float(np.mean(losses)) if losses else float("nan")


def _resumed(begin: Callable[[], "Training"], checkpoint: Path, made_with: str, steps: int) -> "Training":
    """A training as a checkpoint left it; a new one where there is none, or none that fits, and then says why."""
    training = begin()
    if not checkpoint.is_file():
        return training
    if not training.resume(checkpoint, made_with):
        print("the earlier training had other cells, groups or settings: training anew", file=sys.stderr)  # noqa: T201
    elif training.done > steps:
        print(f"the earlier training has {training.done} steps, more than {steps}: training anew", file=sys.stderr)  # noqa: T201
        return begin()
    return training
