"""Extraction as a run that can be stopped and started: shards to do, shards done, pooled matrices, failures."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import InputError
from engine.files import digest, read_json, whole, write_csv, write_json
from engine.parallel import run_units
from engine.progress import Progress, progress
from engine.run_folder import RunFolder
from features._batches import cell_columns
from features._device import device_names, missing_for_a_gpu, open_device
from features._field import field_columns
from features._images import FieldSource, find_fields
from features._overlap import measure_on, measure_shards
from features._settings import ExtractSettings
from features._shards import Shard, measure_shard, measured_ids
from features._table import columns_frame
from features._warm import compile_part, kernels_compiled, parts
from models.matrix import matrix_made_of, pool_shard, write_matrix

SPLITS = ("train", "test")
SHARDS_A_UNIT = 16  # that one of several GPUs measures before its process says so


def find_splits(data: Path) -> dict[str, FieldSource]:
    """The splits that are there, train and test, each a folder or the zip as downloaded.

    Raises
    ------
    InputError
        If neither is there, or one cannot be read.
    """
    found = {}
    for split in SPLITS:
        for path in (data / split, data / f"{split}.zip"):
            if path.exists() and split not in found:
                found[split] = find_fields(path)
    if not found:
        raise InputError(
            f"{data} holds no images (looked for train/, train.zip, test/, test.zip). Put Kaggle's files there, name "
            "another folder with --data DIR, or run python cli.py simulate data."
        )
    return found


def choose_devices(name: str, quiet: bool) -> tuple[str, ...]:
    """The devices that a name stands for; says what "auto" chose, and why."""
    devices = device_names(name)
    if name == "auto" and not quiet:
        reason = f" ({missing_for_a_gpu().removesuffix('.')})" if devices == ("cpu",) else ""
        print(f"device auto: {', '.join(devices)}{reason}", file=sys.stderr)  # noqa: T201
    return devices


def remember_settings(folder: RunFolder, settings: ExtractSettings) -> None:
    """Keep the settings beside the shards; if they differ from an earlier run's, say how.

    Then its matrices and the tables of its fit are removed: those of two settings are never there together, wherever a
    run is stopped.
    """
    path = folder.features / "settings.json"
    today = {key: _brief(value) for key, value in settings.made_with().items()}
    before = read_json(path) if path.is_file() else today
    before = before if isinstance(before, dict) else {}
    changed = [f"{key}: {before.get(key)} -> {now}" for key, now in today.items() if before.get(key) != now]
    if changed:
        refit = f"; then run {folder.command('fit')} again" if (folder.models / "fit.json").is_file() else ""
        print(f"settings differ from the earlier run ({'; '.join(changed)}): measuring again{refit}", file=sys.stderr)  # noqa: T201
        for stale in (*map(folder.matrix, SPLITS), *folder.fit_tables):
            stale.unlink(missing_ok=True)
    write_json(path, today)


def _brief(value: object) -> object:
    """A network's settings told by its kind and digest; anything else as it is."""
    return f"{value['kind']} {value['digest']}" if isinstance(value, dict) else value


def compile_kernels(workers: int, quiet: bool) -> None:
    """Compile the kernels side by side before the first shard of a fresh installation; the result stays on disk."""
    if kernels_compiled():
        return
    units = [(name,) for name in parts()]
    with progress("compiling kernels, once per installation", len(units), "modules", quiet) as bar:
        for _ in run_units(compile_part, units, workers):
            bar.advance()


def measure_missing(
    source: FieldSource,
    todo: list[Shard],
    settings: ExtractSettings,
    devices: tuple[str, ...],
    workers: int,
    quiet: bool,
) -> None:
    """Measure the shards that are not on disk yet: in processes on the CPU, or with threads around each GPU."""
    if not todo:
        return
    with progress(f"extract {todo[0].split}", sum(len(shard.ids) for shard in todo), "fields", quiet) as bar:
        for n_fields, _ in _measured(source, todo, settings, devices, workers):
            bar.advance(n_fields)


def _measured(
    source: FieldSource, todo: list[Shard], settings: ExtractSettings, devices: tuple[str, ...], workers: int
) -> Iterator[tuple[int, int]]:
    """Fields and failures of shards, as they are finished."""
    if devices == ("cpu",):
        yield from run_units(measure_shard, ((source.part(s.ids), s, settings) for s in todo), workers)
    elif len(devices) == 1:
        yield from measure_shards(source, todo, settings, open_device(devices[0]), workers)
    else:
        pieces = [todo[i : i + SHARDS_A_UNIT] for i in range(0, len(todo), SHARDS_A_UNIT)]
        threads = max(workers // len(devices), 1)
        units = ((source, piece, settings, devices[k % len(devices)], threads) for k, piece in enumerate(pieces))
        yield from run_units(measure_on, units, len(devices))


def measured_before(folder: RunFolder, sources: dict[str, FieldSource]) -> dict[str, set[str]]:
    """The fields of each split that the run has measured.

    Raises
    ------
    InputError
        If a split that is there has none of them: the run is of other images, which must not be lost.
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
    """What to say of measured fields whose images are gone."""
    lines = []
    for split, ids in measured.items():
        if split in sources and (n_gone := len(ids.difference(sources[split].ids))):
            lines.append(f"measured {split} fields that are no longer in {sources[split].path}, removed: {n_gone}")
        elif split not in sources and folder.matrix(split).is_file():
            lines.append(f"no {split} images are there now: measured {split} fields that stay as they are: {len(ids)}")
    return lines


def not_used(sources: Iterable[FieldSource]) -> list[str]:
    """What to say of images whose names say of no channel."""
    return [
        f"images in {source.path} that were not used, their names not being <Id>_red, _green, _blue or _yellow: "
        f"{len(source.misnamed)} (such as {source.misnamed[0]})"
        for source in sources
        if source.misnamed
    ]


def write_columns(folder: RunFolder, settings: ExtractSettings) -> pd.DataFrame:
    """Write columns.parquet, the structured names of the cells' and the fields' features."""
    frame = columns_frame((*cell_columns(settings), *field_columns()))
    with whole(folder.columns) as temporary:
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), temporary)
    return frame


def pool_split(folder: RunFolder, shards: list[Shard], columns: pd.DataFrame, workers: int, quiet: bool) -> None:
    """Pool the cells of a split into its field matrix, unless that was made from the same shards before."""
    split = shards[0].split
    made_of = digest([[shard.provenance for shard in shards], list(columns["name"])])
    path = folder.matrix(split)
    if matrix_made_of(path) == made_of:
        return
    with progress(f"pool {split}", len(shards), "shards", quiet) as bar:
        write_matrix(path, _pooled(shards, columns, workers, bar), columns, made_of)


def _pooled(
    shards: list[Shard], columns: pd.DataFrame, workers: int, bar: Progress
) -> Iterator[tuple[pd.DataFrame, np.ndarray]]:
    """The pooled shards in their order, which is that of the ids; those that end early wait."""
    units = ((k, shard.cells_path, shard.fields_path, columns) for k, shard in enumerate(shards))
    early: dict[int, tuple[pd.DataFrame, np.ndarray]] = {}
    due = 0
    for k, part in run_units(_pool_numbered, units, workers):
        bar.advance()
        early[k] = part
        while due in early:
            yield early.pop(due)
            due += 1


def _pool_numbered(
    number: int, cells_path: Path, fields_path: Path, columns: pd.DataFrame
) -> tuple[int, tuple[pd.DataFrame, np.ndarray]]:
    return number, pool_shard(cells_path, fields_path, columns)


def collect_failures(path: Path, shards: list[Shard]) -> tuple[str, ...]:
    """Write failures.csv from all shards, sorted by split and id; gives their sentences."""
    names = ["Metadata_Id", "Metadata_Path", "Metadata_Stage", "Metadata_Error"]
    rows = pd.concat([pq.read_table(shard.fields_path, columns=names).to_pandas() for shard in shards])
    failed = rows[rows["Metadata_Error"].notna()]
    write_csv(path, ("Id", "path", "stage", "error"), failed.to_numpy().tolist())
    return tuple(failed["Metadata_Error"])


def count_cells(shards: list[Shard]) -> tuple[int, int]:
    """Fields and cells on disk, from the tables' own row counts."""
    n_fields = sum(pq.read_metadata(shard.fields_path).num_rows for shard in shards)
    n_cells = int(np.sum([pq.read_metadata(shard.cells_path).num_rows for shard in shards]))
    return n_fields, n_cells
