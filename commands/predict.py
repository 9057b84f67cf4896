"""`predict`: measures new fields as the run was measured, predicts them, and writes the tables."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from commands.brightness import brightest
from commands.job import Job
from commands.measuring import choose_devices, measure_missing
from commands.new_fields import named_network, settings_like
from commands.plates import new_scales
from commands.pooling import write_columns
from commands.unused import found_fields
from engine.command_line import command_line
from engine.errors import InputError
from engine.outcome import Outcome
from engine.running.parallel import run_tasks
from engine.running.progress import progress
from features.extraction.pooling import read_shard
from features.extraction.settings import ExtractSettings
from features.reading.fields import find_fields
from features.reading.mask_files import with_masks
from features.reading.options import ReadingOptions
from features.reading.source import FieldSource
from features.reading.survey import Acquisition, survey_like, unknown_size
from models.data.plate_normalisation import FieldScales
from models.explanation.local_explanations import percentile
from models.fitted import Fitted
from models.trust.reference_data import ReferenceData, gather_reference
from report.overlays import not_of_this_prediction
from report.prediction_summary import summary, what_drives
from report.predictions import interpret_shards
from store.matrix import EMBEDDING, FieldMatrix, matrix_columns
from store.places import check_table, read_places
from store.prediction import PredictionFiles, PredictionTables, with_places, write_tables
from store.run_folder import SPLITS, RunFolder
from store.schema import PERCENTILE
from store.shards import Shard, plan_shards, reconcile_shards

SPLIT = "new"
FIELDS_A_TASK = 64

_log = logging.getLogger(__name__)


def results_folder(out: Path) -> RunFolder:
    """Where a prediction's tables and features go.

    Raises
    ------
    InputError
        If it is a run folder, whose features and config.json would be overwritten.
    """
    results = RunFolder(out)
    measured = any(any(results.features.glob(f"fields/{split}-*.parquet")) for split in SPLITS)
    if measured or results.fit.models.exists():
        raise InputError(
            f"{out} is a run folder; expected a folder for predictions alone. Name another with --out DIR."
        )
    return results


def interpret_all(
    shards: list[Shard], reference: ReferenceData, training: FieldMatrix, workers: int, quiet: bool
) -> PredictionTables:
    """The tables of all new fields, computed in tasks that do not depend on the number of workers."""
    tasks = [(number, piece, reference) for number, piece in enumerate(_pieces(shards))]
    parts: dict[int, PredictionTables] = {}
    with progress("predict", sum(len(shard.ids) for shard in shards), "fields", quiet) as bar:
        for number, part in run_tasks(interpret_shards, tasks, min(workers, len(tasks))):
            parts[number] = part
            bar.advance(sum(len(shard.ids) for shard in tasks[number][1]))
    names = PredictionTables.__dataclass_fields__
    tables = PredictionTables(**{
        name: pd.concat([getattr(parts[k], name) for k in sorted(parts)], ignore_index=True) for name in names
    })  # fmt: skip
    _add_percentiles(tables.why, training)
    return tables


def _pieces(shards: list[Shard]) -> Iterator[list[Shard]]:
    """Consecutive shards with about `FIELDS_A_TASK` fields together: enough to be worth loading the models."""
    piece: list[Shard] = []
    for shard in shards:
        piece.append(shard)
        if sum(len(one.ids) for one in piece) >= FIELDS_A_TASK:
            yield piece
            piece = []
    if piece:
        yield piece


def _add_percentiles(why: pd.DataFrame, training: FieldMatrix) -> None:
    """Add the percentile of each leading feature's value among the training fields."""
    at = dict(zip(training.columns["name"], training.values.T, strict=True))
    why[PERCENTILE] = [
        percentile(value, at[name]) for name, value in zip(why["Feature"], why["Value"], strict=True)
    ]  # fmt: skip


@dataclass(frozen=True)
class Prediction:
    """New fields to predict: images, settings, devices, and where the results go.

    `named` has the options that the suggested next command repeats, `run_scale` the scale of the run's fields.
    """

    source: FieldSource
    settings: ExtractSettings
    devices: tuple[str, ...]
    results: RunFolder

    images: Path
    coverage: float
    neighbours: int
    named: dict[str, object]
    run_scale: Acquisition

    @property
    def files(self) -> PredictionFiles:
        """The files of the tables."""
        return PredictionFiles(self.results.root)


def prepare(
    job: Job, images: Path, *, out: Path | None, reading: ReadingOptions, masks: Path | None, network: Path | None,
    coverage: float, neighbours: int, fields: Path | None = None,
) -> Prediction:  # fmt: skip
    """Find the images, and choose the settings of the run for them."""
    if fields is not None:
        check_table(fields)
    results = results_folder(out or job.folder.predicted)
    devices = choose_devices(job.device, job.quiet)
    kind = devices[0].partition(":")[0]
    settings, run_scale = settings_like(job.folder, reading=reading, masks=masks, network=network, device=kind)
    named = {
        "run": job.run, "out": out, "coverage": coverage, "neighbours": neighbours, "fields": fields, "masks": masks,
        "device": job.device, **reading.typed(), **named_network(settings.network, network),
    }  # fmt: skip
    source = find_fields(images, options=settings.reading)
    if masks is not None:
        source = with_masks({SPLIT: source}, masks)[SPLIT]
    if not job.quiet:
        _log.info("%s", found_fields([source]))
    return Prediction(source, settings, devices, results, images, coverage, neighbours, named, run_scale)


def decide_scale(job: Job, work: Prediction, workers: int) -> Prediction:
    """Decide how the new fields are brought to the scale of the run."""
    acquisition = survey_like(
        [work.source], work.settings.reading,
        lambda: brightest([work.source], work.results.features, workers, job.quiet), work.run_scale,
    )  # fmt: skip
    if sentence := unknown_size([work.source], work.settings.reading, work.run_scale):
        _log.warning("%s", sentence)
    if not job.quiet:
        for sentence in acquisition.sentences():
            _log.info("%s", sentence)
    return replace(
        work, settings=replace(work.settings, scale=acquisition.scale),
        source=replace(work.source, scale=acquisition.scale),
    )  # fmt: skip


def measure(work: Prediction, workers: int, quiet: bool) -> list[Shard]:
    """Measure the shards that are missing or out of date; returns all shards."""
    shards = plan_shards(SPLIT, work.source.ids, work.source.fingerprint, work.settings, work.results.features)
    measure_missing([(work.source, reconcile_shards(shards))], work.settings, work.devices, workers, quiet)
    return shards


def interpret(
    job: Job, work: Prediction, fitted: Fitted, shards: list[Shard], workers: int, fields: Path | None = None
) -> tuple[PredictionTables, ReferenceData]:
    """Calls, sets, cell scores, local explanations and neighbours of all fields; also written to disk."""
    columns = write_columns(work.results, work.settings)
    reference, training = gather_reference(job.folder, fitted, columns, work.coverage, work.neighbours)
    if fitted.plates is not None:
        reference = replace(reference, new_scales=_scales(job, work, fitted, shards, columns, fields))
    tables = interpret_all(shards, reference, training, workers, job.quiet)
    paths = [shard.fields_path for shard in shards]
    tables = with_places(tables, read_places(None, paths, tables.predictions["Id"].tolist(), fields))
    write_tables(work.files, tables)
    return tables, reference


def _scales(
    job: Job, work: Prediction, fitted: Fitted, shards: list[Shard], columns: pd.DataFrame, table: Path | None
) -> FieldScales | None:
    """Plates of the new fields and their scales; reads all pooled fields once."""
    ids, values = [], [np.empty((0, len(fitted.columns)), np.float32)]
    for shard in shards:
        pooled = read_shard(shard.cells_path, shard.fields_path, columns).pooled()
        matrix = FieldMatrix(*pooled, matrix_columns(columns))
        ids += matrix.ids
        values.append(matrix.named(fitted.columns))
    places = read_places(None, [shard.fields_path for shard in shards], ids, table)
    return new_scales(job, fitted, places, ids, np.concatenate(values))


def outcome(
    job: Job, work: Prediction, tables: PredictionTables, reference: ReferenceData, failures: tuple[str, ...],
    unused: list[str], pictures: Path | None, label_images: Path | None,
) -> Outcome:  # fmt: skip
    """Report the first calls with their reasons, and where the tables are."""
    if pictures:
        command = what_drives(tables, reference.fitted, job.run)
    else:
        more = {"overlays": work.files.root / "overlays", "label_images": label_images}
        command = command_line("predict", work.images, **work.named | more)
    unread = (tables.why["Family"] == EMBEDDING) & tables.why["Readable"].isna()
    others = not_of_this_prediction(tables.predictions["Id"].tolist(), pictures, label_images)
    remarks = [*others, *unused, *([_to_read_it(job)] if unread.any() else [])]
    return summary(tables, work.files, reference.sets, pictures, label_images, failures, remarks, command)


def _to_read_it(job: Job) -> str:
    return (
        "the embedding is a reason: to see which readable features go with it, measure the importances and predict "
        f"again: {command_line('importances', run=job.run)}"
    )
