"""The story: simulate, embed, extract, fit, importances, predict, submit, report. One function a command, in order."""

import shlex
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np

from engine.command_line import command_line
from engine.counted import counted
from engine.errors import UsageError
from engine.files import read_json
from engine.lock import locked
from engine.parallel import default_workers, workers_for
from engine.progress import progress
from engine.run_folder import Outcome, RunFolder, failure_of, open_run
from features._device import device_names
from features._embedder import backbone, own_network
from features._images import find_fields
from features._portrait_shards import ShownCells
from features._settings import ExtractSettings, NetworkFile
from features._shards import plan_shards, settle
from models.fit import fit as fit_models
from models.fitted import Fitted
from models.importance import ImportanceSettings
from models.labels import find_organelle
from models.prior_shift import shift
from models.settings import FitSettings
from simulate import simulate as simulate_fields
from stages import (
    cleaning,
    embedding,
    explaining,
    extraction,
    fitting,
    overlays,
    predicting,
    prediction_lines,
    submission,
)
from stages.evidence import gather_evidence
from stages.export import reading, refuse_files_of_runs, write_table, writer_of
from stages.new_fields import named_network, settings_like
from stages.submission import Calls
from stages.tables import flat_table

DEMO_FOLDS, DEMO_ROUNDS, DEMO_COVERAGE = 3, 60, 0.9
"""Few, so that the demo ends within minutes, and organelles of three antibodies can be learnt."""


def simulate(data: Path, *, fields: int, test_fields: int, size: int, workers: int, seed: int, quiet: bool) -> Outcome:
    """Write HPA-like fields with known labels."""
    workers = workers or default_workers()
    with progress("simulate", fields + test_fields, "fields", quiet) as bar:
        simulate_fields(data, fields, test_fields, size, seed, workers, lambda done, total: bar.advance())
    lines = (f"{fields} training and {counted(test_fields, 'test field')} of {size} x {size} px in {data}",)
    facts = {"data": str(data), "fields": fields, "test_fields": test_fields}
    return Outcome(lines, command_line("extract", data=data), facts)


def embed(
    data: Path, run: Path, *, groups: Path | None, no_er: bool, masks: Path | None, device: str, steps: int,
    minutes: float | None, workers: int, seed: int, quiet: bool, scheduler: str | None = None,
) -> Outcome:  # fmt: skip
    """Fields -> cells -> a network that has learnt, without labels, which cells are of one field."""
    from features._contrastive import TrainingSettings
    from features._network import save_network
    from features._torch_device import use

    data, run, masks = _absolute(scheduler, data, run, masks)
    folder = open_run(run)
    settings = TrainingSettings(seed=seed)
    place = use(device, workers or default_workers())
    sources = extraction.find_splits(data)
    with locked(run):
        reading = ExtractSettings(no_er, str(masks) if masks else None, "cpu")
        per_field = embedding.cells_a_field(sum(len(source.ids) for source in sources.values()))
        shown = ShownCells(reading, settings.network.portrait, per_field)
        with workers_for(workers, scheduler, run, [data, masks]) as n_workers:
            shards = embedding.cut_out(sources, shown, folder.portraits, n_workers, quiet)
        portraits = embedding.gather(shards, shown)
        numbers, said = embedding.group_numbers(portraits, data, groups)
        checkpoint = folder.portraits / "checkpoint.safetensors"
        training, loss = embedding.train(
            portraits, numbers, settings, checkpoint, place, steps=steps, minutes=minutes, quiet=quiet
        )
        told = {"steps": training.done, "fields": len(portraits.fields), "cells": len(portraits.cells), "seed": seed}
        save_network(folder.network, training.averaged, told)
        folder.note("embed", asdict(settings) | told | {"data": str(data), "groups": said})
    after = f"; loss {loss:.3f}" if loss == loss else ""
    lines = (
        f"{counted(told['cells'], 'cell')} of {counted(told['fields'], 'field')} in "
        f"{counted(len(np.unique(numbers)), 'group')} (from {said})",
        f"{counted(training.done, 'step')} on {place}{after}; network in {folder.network}",
    )
    command = command_line("extract", data=data, run=run, no_er=no_er, masks=masks, embedding=folder.network)
    return Outcome(lines, command, told | {"network": str(folder.network)})


def choose_network(
    embedding_file: Path | None, backbone_file: Path | None, *, channels: str, side: int, mean: str, sd: str
) -> NetworkFile | None:
    """The network that `extract` adds, if any: what `embed` wrote, or the user's own."""
    choose_file(embedding_file, backbone_file)
    if embedding_file:
        return own_network(embedding_file.absolute())
    return backbone(backbone_file.absolute(), channels, side, mean, sd) if backbone_file else None


def choose_file(embedding_file: Path | None, backbone_file: Path | None) -> Path | None:
    """The one of them that was given, if any."""
    if embedding_file and backbone_file:
        raise UsageError("--embedding and --backbone were both given; expected one network. Leave one of them out.")
    return embedding_file or backbone_file


def extract(
    data: Path, run: Path, *, no_er: bool, masks: Path | None, device: str, workers: int, quiet: bool,
    network: NetworkFile | None = None, scheduler: str | None = None,
) -> Outcome:  # fmt: skip
    """Fields -> cells -> features -> one pooled row a field; goes on where an earlier run stopped."""
    data, run, masks = _absolute(scheduler, data, run, masks)
    folder = open_run(run)
    devices = extraction.choose_devices(_device(device, scheduler), quiet)
    settings = ExtractSettings(no_er, str(masks) if masks else None, devices[0].partition(":")[0], network)
    sources = extraction.find_splits(data)
    needed = [data, masks, Path(network.path) if network else None]
    with locked(run), workers_for(workers, scheduler, run, needed) as workers:
        measured = extraction.measured_before(folder, sources)
        extraction.remember_settings(folder, settings)
        shards = {split: plan_shards(source, split, settings, folder.features) for split, source in sources.items()}
        every = [shard for of_split in shards.values() for shard in of_split]
        todo = {split: settle(of_split) for split, of_split in shards.items()}
        extraction.compile_kernels(workers, quiet)
        for split, source in sources.items():
            extraction.measure_missing(source, todo[split], settings, devices, workers, quiet)
        columns = extraction.write_columns(folder, settings)
        for of_split in shards.values():
            extraction.pool_split(folder, of_split, columns, workers, quiet)
        failures = extraction.collect_failures(folder.failures, every)
        folder.note("extract", asdict(settings) | {"data": str(data)})
    counts = {split: extraction.count_cells(of_split) for split, of_split in shards.items()}
    n_fields, n_cells = (sum(numbers) for numbers in zip(*counts.values()))
    n_columns = int((columns["compartment"] != "Image").sum())
    found = f"{counted(n_fields, 'field')}, {counted(n_cells, 'cell')}, {counted(n_columns, 'feature')} a cell"
    lines = [f"{found} in {folder.features}"]
    lines += [*extraction.no_longer_there(folder, sources, measured), *extraction.not_used(sources.values())]
    _, n_to_fit = counts.get("train", (0, 0))
    facts = {"features": str(folder.features), "fields": n_fields, "failed": len(failures), "cells": n_cells}
    command = command_line("fit", data=data, run=run) if n_to_fit else ""
    failure = failure_of(failures, n_fields, folder.failures)
    return Outcome(tuple(lines), command, facts, len(failures), failure)


def fit(
    data: Path, run: Path, *, groups: Path | None, n_folds: int, rounds: int, covariates: bool,
    device: str, workers: int, seed: int, quiet: bool, scheduler: str | None = None,
) -> Outcome:  # fmt: skip
    """Matrix and labels -> folds -> first level -> stack -> calibration -> thresholds -> leaderboard."""
    data, run = _absolute(scheduler, data, run)
    folder = open_run(run)
    training = fitting.read_training_set(data, folder, groups, covariates)
    place = device_names(_device(device, scheduler))[0]
    with locked(run), workers_for(workers, scheduler, run, []) as workers:
        settings = FitSettings(n_folds=n_folds, rounds=rounds, seed=seed, device=place, workers=workers)
        matrix = training.matrix
        fitted = fit_models(
            matrix.values, matrix.columns, training.labels, training.groups, settings, folder.models, quiet,
            clear=partial(fitting.clear_earlier_fit, folder, settings, matrix.columns),
            named=bool(training.groups_given.named.any()),
        )  # fmt: skip
        fitting.write_fit_tables(folder, fitted, training, (data / "simulated.json").is_file())
        duplicates = cleaning.write_duplicates(folder, training)
        suspects = cleaning.write_suspects(folder, fitted, training)
        folder.note("fit", settings.of_result() | {"data": str(data), "groups": training.groups_from})
    outcome = _fit_outcome(data, folder, fitted, training)
    lines, facts = cleaning.lines_and_facts(folder, duplicates, suspects)
    return replace(outcome, lines=outcome.lines + lines, facts=outcome.facts | facts)


def _fit_outcome(data: Path, folder: RunFolder, fitted: Fitted, training: fitting.TrainingSet) -> Outcome:
    metrics = read_json(folder.metrics)
    macro, folds = metrics["macro"], metrics["folds"]
    kind = f"{'simulated fields, ' if metrics['simulated'] else ''}{folds} folds"
    lines = [
        f"{counted(len(training.labels), 'field')} in {counted(len(np.unique(training.groups)), 'group')} "
        f"(from {training.groups_from})",
        f"too few positives to be learnt: {len(metrics['not_evaluable'])} of 28 organelles"
        + (f" ({', '.join(metrics['not_evaluable'])})" if metrics["not_evaluable"] else ""),
    ]
    if training.n_unmeasured:
        unmeasured = counted(training.n_unmeasured, "labelled field")
        lines.append(f"{unmeasured} without features (image missing or unusable)")
    if macro["n_organelles"]:
        lines.append(
            f"macro over {counted(macro['n_organelles'], 'organelle')} ({kind}): average precision {macro['ap']:.3f} "
            f"(chance {macro['chance_ap']:.3f}), F1 {macro['f1']:.3f}"
        )
    lines.append(f"leaderboard in {folder.leaderboard}")
    facts = {"leaderboard": str(folder.leaderboard), "folds": folds, "simulated": metrics["simulated"], "macro": macro}
    return Outcome(tuple(lines), command_line("report", data=data, run=folder.root), facts)


def importances(
    run: Path, organelle: str | None, *, plot: Path | None, top: int, workers: int, quiet: bool,
    scheduler: str | None = None,
) -> Outcome:  # fmt: skip
    """Boosters -> what drives each organelle; measured once for a fit."""
    from models.importance_plot import check_form
    from models.importance_plot import plot as draw_importance

    organelle = find_organelle(organelle) if organelle is not None else None
    if plot is not None:
        check_form(plot)
    (run,) = _absolute(scheduler, run)
    folder = open_run(run)
    fitted = fitting.finished_fit(folder)
    with locked(run), workers_for(workers, scheduler, run, []) as workers:
        settings = ImportanceSettings(workers=workers)
        fields = partial(explaining.read_fitted_fields, folder)
        importance = explaining.importance_of(folder, fitted, fields, settings, quiet)
    if organelle is None:
        lines = explaining.all_lines(importance, fitted)
    else:
        lines = explaining.organelle_lines(folder, importance, organelle, top)
    if plot is not None:
        draw_importance(importance, plot, organelle)
        lines.append(f"picture in {plot}")
    lines.append(f"table in {folder.importance}")
    facts = {"importance": str(folder.importance), "plot": str(plot) if plot else None}
    return Outcome(tuple(lines), folder.command("report"), facts)


def predict(
    images: Path, run: Path, *, out: Path | None, pictures: Path | None, label_images: Path | None, coverage: float,
    neighbours: int, masks: Path | None, no_er: bool, network: Path | None, device: str, workers: int, quiet: bool,
) -> Outcome:  # fmt: skip
    """New fields -> cells -> features -> calls, sets, cells that speak for them, reasons, neighbours, pictures."""
    folder = open_run(run)
    results = predicting.results_folder(out or folder.predicted)
    files = predicting.PredictionFiles(results.root)
    workers = workers or default_workers()
    fitted = fitting.finished_fit(folder)
    devices = extraction.choose_devices(device, quiet)
    settings = settings_like(folder, no_er=no_er, masks=masks, network=network, device=devices[0].partition(":")[0])
    source = find_fields(images)
    with locked(out or run):
        shards = plan_shards(source, predicting.SPLIT, settings, results.features)
        todo = settle(shards)
        extraction.compile_kernels(workers, quiet)
        extraction.measure_missing(source, todo, settings, devices, workers, quiet)
        failures = extraction.collect_failures(files.failures, shards)
        columns = extraction.write_columns(results, settings)
        evidence, training = gather_evidence(folder, fitted, columns, coverage, neighbours)
        told = predicting.interpret_all(shards, evidence, training, workers, quiet)
        predicting.write_tables(files, told)
        if pictures or label_images:
            overlays.draw_all(source, settings, told, pictures, label_images, workers, quiet)
        results.note("predict", asdict(settings) | {"images": str(images), "run": str(run), "coverage": coverage})
    with_pictures = command_line(
        "predict", images, run=run, out=out, overlays=files.root / "overlays", label_images=label_images,
        coverage=coverage, neighbours=neighbours, masks=masks, no_er=no_er, device=device,
        **named_network(settings.network, network),
    )  # fmt: skip
    command = prediction_lines.what_drives(told, fitted.evaluable, run) if pictures else with_pictures
    remarks = extraction.not_used([source])
    return prediction_lines.outcome(told, files, evidence.sets, pictures, label_images, failures, remarks, command)


def submit(data: Path, run: Path, *, prior_shift: str) -> Outcome:
    """Predict the test fields and write them in Kaggle's order."""
    folder = open_run(run)
    fitted = fitting.finished_fit(folder, data)
    test = fitting.read_fields(folder, "test", data)
    predicted = fitted.predict(test.named(fitted.columns))
    calls = Calls(test.ids, *shift(prior_shift, *predicted, fitted.prior, fitted.evaluable))
    sample = data / "sample_submission.csv"
    wanted = submission.wanted_ids(folder, sample, calls.ids)
    with locked(run):
        submission.write_predictions(folder.predictions, calls)
        n_without = submission.write_submission(folder.submission, wanted, calls, int(np.argmax(fitted.prior)))
        folder.note("submit", {"data": str(data), "prior_shift": prior_shift})
    lines = [f"{counted(len(wanted), 'row')} in {folder.submission}"]
    lines += submission.remarks(sample, wanted, calls.ids)
    if prior_shift != "none":
        lines.append(f"organelles' shares in the test fields were assumed ({prior_shift}): no reported score holds")
    if n_without:
        lines.append(f"{n_without} of the rows have no usable image and got the commonest organelle")
    command = ["kaggle", "competitions", "submit", "human-protein-atlas-image-classification"]
    facts = {"submission": str(folder.submission), "rows": len(wanted), "without_image": n_without}
    return Outcome(tuple(lines), shlex.join([*command, "-f", str(folder.submission), "-m", "hpa-boost"]), facts)


def report(data: Path, run: Path, *, masks: Path | None, workers: int, quiet: bool) -> Outcome:
    """Everything in the run folder -> one page for people."""
    from stages.report import report_run

    folder = open_run(run)
    fitted = fitting.finished_fit(folder, data)
    with locked(run):
        page = report_run(folder, fitted, data, masks, workers or default_workers(), quiet)
    facts = {"report": str(page)}
    if folder.matrix("test").is_file():
        return Outcome((f"report in {page}",), command_line("submit", data=data, run=run), facts)
    new = f"new fields, where FOLDER is theirs: {command_line('predict', 'FOLDER', run=run)}"
    return Outcome((f"report in {page}", new), facts=facts)


def export(run: Path, file: Path, *, level: str, split: str, quiet: bool) -> Outcome:
    """The cells or fields of a run -> one file that other tools read."""
    writer = writer_of(file)
    refuse_files_of_runs(file)
    table = flat_table(open_run(run), level, split)
    write_table(file, table, writer, quiet)
    facts = {"file": str(file), "level": level, "rows": table.n_rows, "columns": len(table.columns)}
    lines = (f"{counted(table.n_rows, level[:-1])}, {counted(len(table.columns), 'feature')} in {file}",)
    return Outcome(lines, reading(file), facts)


def demo(folder: Path, *, fields: int, test_fields: int, device: str, workers: int, seed: int, quiet: bool) -> Outcome:
    """Everything on simulated fields, in the order in which a user would type it."""
    data, run = folder / "data", folder / "run"
    simulate(data, fields=fields, test_fields=test_fields, size=512, workers=workers, seed=seed, quiet=quiet)
    extracted = extract(data, run, no_er=False, masks=None, device=device, workers=workers, quiet=quiet)
    fitted = fit(
        data, run, groups=None, n_folds=DEMO_FOLDS, rounds=DEMO_ROUNDS, covariates=True,
        device=device, workers=workers, seed=seed, quiet=quiet,
    )  # fmt: skip
    explained = importances(run, None, plot=run / "importances.png", top=1, workers=workers, quiet=quiet)
    reported = report(data, run, masks=None, workers=workers, quiet=quiet)
    predicted = predict(
        data / "test", run, out=None, pictures=run / "overlays", label_images=None, coverage=DEMO_COVERAGE,
        neighbours=3, masks=None, no_er=False, network=None, device=device, workers=workers, quiet=quiet,
    )  # fmt: skip
    submitted = submit(data, run, prior_shift="none")
    told = (extracted, fitted, explained, reported, predicted, submitted)
    facts = {key: value for outcome in told for key, value in outcome.facts.items()}
    lines = tuple(line for outcome in told for line in outcome.lines)
    learnt = "Golgi apparatus" not in read_json(RunFolder(run).metrics)["not_evaluable"]
    command = command_line("importances", *(["Golgi apparatus"] if learnt else []), run=run)
    return Outcome(lines, command, facts, extracted.n_failed, extracted.failure)


def _absolute(scheduler: str | None, *paths: Path | None) -> tuple[Path | None, ...]:
    """Paths as other machines are told them; as they were given where all is done here."""
    return tuple(path.absolute() if scheduler and path else path for path in paths)


def _device(name: str, scheduler: str | None) -> str:
    """The device asked for; the workers of a cluster measure and fit on their CPUs."""
    if scheduler and name not in ("auto", "cpu"):
        raise UsageError(
            f"--device {name} does not go with --scheduler: a cluster works on CPUs. Leave one of them out."
        )
    return "cpu" if scheduler else name
