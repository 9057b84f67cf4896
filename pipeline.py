"""The story: one short function a command, its steps in order. What surrounds a step is in `commands`."""

from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import NoReturn

from commands import data_quality
from commands import export as exporting
from commands import extract as extraction
from commands import fit as fitting
from commands import importances as explaining
from commands import inspect as inspection
from commands import predict as prediction
from commands import report as reporting
from commands import review as reviewing
from commands import submit as submission
from commands.changed_labels import warn_of_changed_labels
from commands.earlier_extraction import measured_before, remember_settings
from commands.earlier_fit import earlier_fit
from commands.extract_outcome import collect_measured, extract_outcome
from commands.fit_outcome import fit_outcome
from commands.job import Job
from commands.keep_places import keep_places
from commands.new_fields import choose_network
from commands.plates import NO_PLATES, PlateOptions
from commands.pooling import pool
from commands.simulate import write_fields
from commands.unused import list_unused
from engine.command_line import command_line
from engine.files import read_json
from engine.outcome import Outcome
from features.extraction.settings import NetworkFile, noted_settings
from features.reading.inspection import inspect_images
from features.reading.options import FOUR_COLOURS, ReadingOptions
from models.saved_fit import finished_fit, refuse_other_values
from models.trust.prior_shift import shift
from report.overlays import draw_all
from store.flat_table import flat_table

__all__ = (
    "Job", "PlateOptions", "ReadingOptions", "choose_network", "demo", "export", "extract", "fit", "importances",
    "inspect", "predict", "report", "review", "simulate", "submit",
)  # fmt: skip

DEMO_FOLDS, DEMO_ROUNDS = 3, 60
"""Few, so that the demo ends within minutes, and organelles of three antibodies can be learnt."""


def simulate(job: Job, *, fields: int, test_fields: int, size: int = 512) -> Outcome:
    """Write HPA-like fields with known labels."""
    return write_fields(job, fields, test_fields, size)


def inspect(job: Job, folder: Path, *, thumbnails: Path | None = None) -> Outcome:
    """A folder of images -> what it holds, and the command that reads it."""
    found = inspect_images(folder)
    if thumbnails and found.source is not None:
        inspection.write_thumbnails(thumbnails, found.source)
    return inspection.outcome(folder, found, thumbnails if found.source is not None else None)


def extract(
    job: Job, *, reading: ReadingOptions = FOUR_COLOURS, masks: Path | None = None,
    network: NetworkFile | None = None, all_columns: bool = False,
) -> Outcome:  # fmt: skip
    """Fields -> cells -> features -> one pooled row a field; goes on where an earlier run stopped."""
    work, folder = extraction.prepare(job, reading, masks, network, all_columns=all_columns), job.folder
    with job.at_work(job.data, job.path(masks), work.network) as workers:
        before = measured_before(folder, work.sources)
        work, acquisition = extraction.decide_scale(work, folder, workers, job.quiet)
        remember_settings(folder, work.settings, acquisition, job.data)
        shards = extraction.plan(work, folder)
        extraction.measure(work, shards, workers, job.quiet)
        n_columns = pool(folder, work.settings, shards, workers, job.quiet)
        measured = collect_measured(folder.failures, chain(*shards.values()))
        unused = list_unused(folder.unused, work.sources.values())
        folder.note("extract", noted_settings(work.settings) | {"data": str(job.data)})
        keep_places(folder, job.data, job.quiet)
    return extract_outcome(job, work, measured, n_columns, before, unused, acquisition)


def fit(
    job: Job, *, groups: Path | None = None, n_folds: int | None = None, rounds: int | None = None,
    covariates: bool = True, members: tuple[str, ...] = (), settings_file: Path | None = None, show: bool = False,
    like_before: bool = False, own_classes: bool = False, plates: PlateOptions = NO_PLATES,
) -> Outcome:  # fmt: skip
    """Matrix and labels -> folds -> first level -> stack -> calibration -> thresholds -> leaderboard."""
    options = fitting.FitOptions(groups, n_folds, rounds, covariates, members, settings_file, own_classes, plates)
    earlier = earlier_fit(job.folder) if like_before else None
    if earlier is not None:
        options = fitting.remembered(job.folder, options)
    prepared = fitting.prepare(job, options, earlier)
    training = prepared.training
    if show:
        return fitting.show_settings(job, training, prepared.settings, options)
    with job.at_work() as workers:
        fitted = fitting.train(job, prepared, workers, earlier)
        quality = data_quality.write_data_quality(job.folder, fitted, training)
        choices = fitting.noted_choices(job.folder, options, like_before=earlier is not None)
        job.folder.note("fit", fitted.settings.of_result() | fitting.noted_of_training(job, training) | choices)
    return fit_outcome(job, training, fitted, quality)


def importances(job: Job, organelle: str | None = None, *, plot: Path | None = None, top: int = 15) -> Outcome:
    """Boosters -> what drives each organelle; measured once for a fit."""
    fitted = finished_fit(job.folder)
    organelle = explaining.check_request(fitted.classes, organelle, plot)
    with job.at_work() as workers:
        importance = explaining.importance_of_run(job.folder, fitted, workers, job.quiet)
    return explaining.show(job, importance, fitted, organelle, plot, top)


def predict(
    job: Job, images: Path, *, out: Path | None = None, pictures: Path | None = None, label_images: Path | None = None,
    coverage: float = 0.9, neighbours: int = 5, masks: Path | None = None, reading: ReadingOptions = FOUR_COLOURS,
    network: Path | None = None, fields: Path | None = None,
) -> Outcome:  # fmt: skip
    """New fields -> cells -> features -> calls, sets, reasons, look-alikes, pictures."""
    fitted = finished_fit(job.folder)
    work = prediction.prepare(
        job, images, out=out, reading=reading, masks=masks, network=network, coverage=coverage,
        neighbours=neighbours, fields=fields,
    )  # fmt: skip
    with job.at_work(on=out) as workers:
        work = prediction.decide_scale(job, work, workers)
        shards = prediction.measure(work, workers, job.quiet)
        failures = collect_measured(work.files.failures, shards).failures
        unused = list_unused(work.files.unused, [work.source])
        tables, reference = prediction.interpret(job, work, fitted, shards, workers, fields)
        if pictures or label_images:
            draw_all(work.source, tables, pictures, label_images, workers, job.quiet)
        noted = {"images": str(images), "run": str(job.run), "coverage": coverage}
        work.results.note("predict", noted_settings(work.settings) | noted)
    return prediction.outcome(job, work, tables, reference, failures, unused, pictures, label_images)


def submit(job: Job, *, prior_shift: str = "none") -> Outcome:
    """Predict the test fields and write them in Kaggle's order."""
    fitted = finished_fit(job.folder, job.data)
    submission.refuse_other_classes(job.folder, fitted.classes)
    submission.refuse_missing_folder(job.data)
    refuse_other_values(job.folder, fitted)
    warn_of_changed_labels(job.folder, fitted, job.data)
    ids, values = submission.read_test_fields(job, fitted)
    known = (fitted.prior, fitted.trainable, fitted.settings.per_field)
    calls = submission.Calls(ids, *shift(prior_shift, *fitted.predict(values), *known))
    wanted = submission.wanted_ids(job.folder, job.data / submission.SAMPLE, calls.ids)
    with job.at_work():
        n_without = submission.write(job, calls, wanted, fitted, prior_shift)
    return submission.outcome(job, calls, wanted, n_without, prior_shift)


def report(job: Job, *, masks: Path | None = None, images: Path | None = None) -> Outcome:
    """Everything in the run folder -> one page for people."""
    fitted = finished_fit(job.folder, job.data)
    with job.at_work() as workers:
        page = reporting.report_run(job.folder, fitted, job.data, masks, workers, job.quiet, images)
    return reporting.outcome(job, page)


def review(
    job: Job, *, port: int | None = None, browser: bool = True, masks: Path | None = None, images: Path | None = None
) -> NoReturn:
    """The run and the images -> a local page, until it is interrupted; what it corrects, `fit` learns."""
    quiet = replace(job, quiet=True)
    options = reviewing.ReviewOptions(port, browser, masks, images)
    reviewing.show(job, options, refit=lambda: fit(quiet, like_before=reviewing.comparable(quiet)))


def export(job: Job, file: Path, *, level: str, split: str) -> Outcome:
    """The cells or fields of a run -> one file that other tools read."""
    writer = exporting.writer_of(file)
    exporting.refuse_files_of_runs(file)
    table = flat_table(job.folder, level, split)
    exporting.refuse_fields_of_another_fit(table, writer)
    exporting.write_table(file, table, writer, job.quiet)
    return exporting.outcome(file, table)


def demo(job: Job, *, fields: int, test_fields: int) -> Outcome:
    """Everything on simulated fields, in the order in which a user would type it."""
    run = job.run
    simulate(job, fields=fields, test_fields=test_fields)
    extracted = extract(job, network=choose_network())
    outcomes = {
        "extract": extracted,
        "fit": fit(job, n_folds=DEMO_FOLDS, rounds=DEMO_ROUNDS),
        "importances": importances(job, plot=run / "importances.png", top=1),
        "report": report(job),
        "predict": predict(job, job.data / "test", pictures=run / "overlays", neighbours=3),
        "submit": submit(job),
    }
    facts = {command: outcome.facts for command, outcome in outcomes.items()}
    page = command_line("review", data=job.data, run=run)
    lines = [line for outcome in outcomes.values() for line in outcome.lines]
    lines.append(f"to look at fields and cells, correct labels and refit, in the browser: {page}")
    learnt = "Golgi apparatus" not in read_json(job.folder.fit.metrics)["not_trainable"]
    command = command_line("importances", *(["Golgi apparatus"] if learnt else []), run=run)
    return Outcome(tuple(lines), command, facts, extracted.n_failed, extracted.failure)
