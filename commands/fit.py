"""`fit`: clears an outdated fit, trains the models, and reports the scores."""

import logging
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from commands.data_quality import DataQuality
from commands.job import Job
from commands.plates import NO_PLATES, PlateOptions, left_out, normalised, plates_of_fit
from engine.command_line import command_line
from engine.counted import counted
from engine.errors import InputError, UsageError
from engine.files import read_json
from engine.ids import shown
from engine.outcome import Outcome
from features.core.device import device_names
from models.data.duplicates import join
from models.data.trainability import reason_lines, why_not_trainable
from models.data.training_set import TrainingSet, read_training_set
from models.design import Design, make_design
from models.fit import fit, settings_for
from models.fit_file import read_fit_file
from models.fitted import Fitted, PlatesOfFit, load
from models.folds import NEW
from models.other_folds import LeftOut
from models.settings import FitSettings
from models.settings_file import read_settings_file, settings_text
from store.run_folder import RunFolder, read_config

_log = logging.getLogger(__name__)


def clear_earlier_fit(folder: RunFolder, columns: pd.DataFrame, settings: FitSettings) -> None:
    """Log why the earlier fit is outdated, and remove the tables made from it.

    The report and the submission are kept, and named in a warning.
    """
    if folder.fit.fit_file.is_file():
        _log.warning("%s: fitting again", _why_again(folder, settings, columns))
    made = {"report": [folder.report], "submit": [folder.submission, folder.predictions]}
    for command, paths in made.items():
        names = " and ".join(path.name for path in paths if path.is_file())
        if names:
            _log.warning("still of an earlier fit: %s; run %s again", names, folder.command(command))
    for stale in (folder.duplicates, folder.label_errors):
        stale.unlink(missing_ok=True)


def _why_again(folder: RunFolder, settings: FitSettings, columns: pd.DataFrame) -> str:
    try:
        earlier = read_fit_file(folder.fit)
    except InputError:
        return "the earlier fit cannot be read"
    before = earlier.settings.of_result() | {"features": len(earlier.columns)}
    today = settings.of_result() | {"features": len(columns)}
    changed = [f"{name}: {shown(str(before[name]))} -> {now}" for name, now in today.items() if before[name] != now]
    if changed:
        return f"settings differ from the earlier fit ({'; '.join(changed)})"
    return "labels, groups, features or the program differ from the earlier fit's, or one of its files is missing"


@dataclass(frozen=True)
class FitOptions:
    """What a user chose; None and empty leave it to the settings file, or else to the defaults.

    Attributes
    ----------
    groups : Path or None
        The table of groups.
    n_folds, rounds : int or None
    covariates : bool
        Use features that depend on how a field was acquired, too.
    members : tuple of str
    file : Path or None
        A settings file.
    like_before : bool
        The settings, groups and folds of the earlier fit, so that scores before and after a change of labels can be
        compared; everything else is ignored if there is one.
    own_classes : bool
        Take every label as the name of a class of the lab's own.
    plates : PlateOptions
    """

    groups: Path | None = None
    n_folds: int | None = None
    rounds: int | None = None
    covariates: bool = True
    members: tuple[str, ...] = ()
    file: Path | None = None
    like_before: bool = False
    own_classes: bool = False
    plates: PlateOptions = NO_PLATES


def earlier_fit(job: Job, options: FitOptions) -> Fitted | None:
    """The earlier fit whose folds are to be kept, if any was asked for and there is one that can be read."""
    if not options.like_before or not job.folder.fit.fit_file.is_file():
        return None
    try:
        return load(job.folder.root)
    except InputError as error:
        _log.warning("the earlier fit cannot be read (%s): settings and folds are chosen anew", error)
        return None


@dataclass(frozen=True)
class Prepared:
    """What a fit needs.

    Attributes
    ----------
    training : TrainingSet
        Its features are normalised already.
    settings : FitSettings
    plates : PlatesOfFit or None
    left_out : LeftOut or None
        Plates to leave out for a row of the leaderboard.
    """

    training: TrainingSet
    settings: FitSettings
    plates: PlatesOfFit | None
    left_out: LeftOut | None


def prepare(job: Job, options: FitOptions, earlier: Fitted | None = None) -> Prepared:
    """Read labels, features, groups and plates, and choose the settings, or take those of the earlier fit."""
    training, settings = _training_and_settings(job, options, earlier)
    places, by = training.places, settings.normalise_by
    column = (places.find(by) or by) if by else ""
    settings = replace(settings, normalise_by=column)
    plates = plates_of_fit(places, column, settings.controls)
    return Prepared(normalised(training, plates), settings, plates, left_out(places, options.plates))


def _training_and_settings(job: Job, options: FitOptions, earlier: Fitted | None) -> tuple[TrainingSet, FitSettings]:
    if earlier is not None:
        own = options.own_classes or bool(read_config(job.folder.config).get("fit", {}).get("own_classes"))
        training = read_training_set(
            job.data, job.folder, options.groups, covariates=True, own_classes=own, fields_table=options.plates.table
        )
        return like_earlier(training, earlier), earlier.settings
    given = {} if options.file is None else read_settings_file(options.file)
    chosen = {"n_folds": options.n_folds, "rounds": options.rounds, "members": options.members or None}
    given |= {name: value for name, value in chosen.items() if value is not None}
    try:
        settings = FitSettings(**given, seed=job.seed, device=device_names(job.worker_device)[0])
    except ValueError as error:
        raise UsageError(f"{error}.") from error
    training = read_training_set(
        job.data, job.folder, options.groups, options.covariates, options.own_classes, options.plates.table
    )
    _refuse_one_guessed_group(job, training, settings.n_folds)
    at_least_one = training.classes.is_kaggle or bool(training.labels.any(1).all())
    of_plates = {"normalise_by": options.plates.normalise_by, "controls": options.plates.controls}
    return training, replace(
        settings, organelles=training.classes.names, at_least_one=at_least_one, **of_plates
    )  # fmt: skip


def _refuse_one_guessed_group(job: Job, training: TrainingSet, n_folds: int) -> None:
    """Raise InputError if groups that were guessed from the ids are too few to make folds."""
    groups, ids = training.groups_given, training.matrix.ids
    if (
        training.groups_from.split(" ")[0] != "ids"
        or not groups.named.any()
        or len(np.unique(groups.numbers)) >= n_folds
    ):
        return
    raise InputError(
        f"{counted(len(ids), 'field')} are in {counted(len(np.unique(groups.numbers)), 'group')} only. The groups were "
        f"guessed from the ids: what stands before the first underscore, in the ids of the HPA the antibody (in "
        f"{ids[0]} it is {ids[0].split('_')[0]}). If that is not so here, write a table {job.data / 'groups.csv'} with "
        f"the columns Id and Group, in which only fields of one antibody, well or slide share a group; its first row "
        f"could be {ids[0]},{ids[0]}. Another place for the table: --groups FILE."
    )


def like_earlier(training: TrainingSet, earlier: Fitted) -> TrainingSet:
    """The training set with the columns and classes of an earlier fit, and its groups for the fields that it had.

    Raises
    ------
    InputError
        If a class is new since then.
    """
    matrix, before, now = training.matrix, earlier.classes.names, training.classes.names
    if new_classes := [name for name in now if name not in before]:
        raise InputError(
            f"the earlier fit in {earlier.folder.root} has no class {', '.join(new_classes)}, so it cannot be compared "
            "with a new one. Leave --like-before out."
        )
    labels = np.zeros((len(training.labels), len(before)), bool)
    labels[:, [before.index(name) for name in now]] = training.labels
    at = pd.Index(earlier.ids).get_indexer(pd.Index(matrix.ids))
    new = training.groups + 1 + int(earlier.groups.max(initial=0))
    groups = np.where(at >= 0, earlier.groups[at], new)
    pairs = training.duplicates[training.duplicates[:, 1] < len(matrix.ids)]
    kept = matrix.columns["name"].isin(set(earlier.columns)).to_numpy()
    return replace(
        training, matrix=matrix.select(kept), classes=earlier.classes, labels=labels, groups=join(groups, pairs),
        groups_from="the earlier fit and near-identical fields",
    )  # fmt: skip


def folds_like(training: TrainingSet, earlier: Fitted | None) -> np.ndarray | None:
    """The earlier fit's folds of the training fields, as `models.fit.fit` takes them."""
    if earlier is None:
        return None
    at = pd.Index(earlier.ids).get_indexer(pd.Index(training.matrix.ids))
    return np.where(at >= 0, earlier.fold[at], NEW)


def show_settings(job: Job, training: TrainingSet, settings: FitSettings) -> Outcome:
    """All settings that a fit of this run would use."""
    matrix = training.matrix
    design = make_design(matrix.values, matrix.columns, training.labels, training.groups, settings)
    whole = settings_for(design.training, settings)
    text = settings_text(whole, int(design.in_folds.sum()), len(matrix.columns))
    command = command_line("fit", data=job.data, run=job.run, settings="fit.toml")
    return Outcome(tuple(text.split("\n")), command, {"settings": whole.of_result()})


def train(job: Job, prepared: Prepared, workers: int, earlier: Fitted | None = None) -> Fitted:
    """Fit what is missing; a fit of other settings, data or code is cleared first."""
    training, settings, matrix = prepared.training, prepared.settings, prepared.training.matrix
    grouped = bool(training.groups_given.named.any()) or (
        earlier is not None and earlier.leaderboard.folds == "grouped"
    )
    return fit(
        matrix.ids, matrix.values, matrix.columns, training.labels, training.groups, replace(settings, workers=workers),
        job.folder.root, job.quiet,
        check=partial(refuse_nothing_to_learn, training),
        clear=partial(clear_earlier_fit, job.folder, matrix.columns),
        named=grouped,
        simulated=(job.data / "simulated.json").is_file(),
        fold=folds_like(training, earlier),
        plates=prepared.plates,
        left_out=prepared.left_out,
    )  # fmt: skip


def _corrections_lines(training: TrainingSet) -> list[str]:
    """How many labels were corrected, and how many fields are left out."""
    counts = {
        "with labels corrected in corrections.csv": training.n_corrected,
        "marked as unusable in corrections.csv and left out": training.n_unusable,
        "without a label left out": training.n_unlabelled,
    }
    return [f"{counted(n, 'field')} {what}" for what, n in counts.items() if n]


def refuse_nothing_to_learn(training: TrainingSet, design: Design) -> None:
    """Raise InputError if no class can be learnt; the message has a reason for each."""
    if design.trainable.any():
        return
    reasons = why_not_trainable(training.labels, training.groups, design.training.fold)
    raise InputError(
        f"nothing can be learnt from {counted(len(training.labels), 'field')} in "
        f"{counted(len(np.unique(training.groups)), 'group')} (groups from {training.groups_from}). "
        f"{'; '.join(reason_lines(training.classes.names, reasons))}. Add fields, classes or groups."
    )


def unlearnt_lines(training: TrainingSet, fitted: Fitted) -> list[str]:
    """How many classes could not be learnt, and why."""
    reasons = why_not_trainable(training.labels, fitted.groups, fitted.fold)
    n = sum(bool(reason) for reason in reasons)
    head = f"not learnt: {n} of {training.classes.counted(len(training.classes.names))}"
    return [head, *(f"  {line}" for line in reason_lines(training.classes.names, reasons))]


def left_out_scores(splits: dict[str, Any]) -> list[tuple[str, float]]:
    """Name and average precision of the rows that compare whole plates left out with the usual folds."""
    if not any("left out" in name for name in splits):
        return []
    return [(name, row["ap"]) for name, row in splits.items() if name.endswith("all folds") and row["ap"] is not None]


def outcome(job: Job, training: TrainingSet, fitted: Fitted, quality: DataQuality) -> Outcome:
    """Report the data, the scores, and where the tables are."""
    folder = job.folder
    metrics = read_json(folder.fit.metrics)
    macro, folds = metrics["macro"], metrics["folds"]
    kind = f"{'simulated fields, ' if metrics['simulated'] else ''}{folds} folds"
    lines = [
        f"{counted(len(training.labels), 'field')} in {counted(len(np.unique(training.groups)), 'group')} "
        f"(from {training.groups_from})",
        *training.remarks,
        *unlearnt_lines(training, fitted),
    ]
    if fitted.plates is not None:
        wells = f" from wells {', '.join(fitted.settings.controls)}" if fitted.settings.controls else ""
        n_plates = len(np.unique(fitted.plates.names))
        lines.append(f"features normalised by {fitted.settings.normalise_by}{wells}: {n_plates} of them")
    lines += [f"{name}: average precision {ap:.3f}" for name, ap in left_out_scores(metrics["splits"])]
    lines += _corrections_lines(training)
    if training.n_unmeasured:
        unmeasured = counted(training.n_unmeasured, "labelled field")
        lines.append(f"{unmeasured} without features (image missing or unusable)")
    if macro["n_organelles"]:
        lines.append(
            f"macro over {training.classes.counted(macro['n_organelles'])} ({kind}): average precision "
            f"{macro['ap']:.3f} (chance {macro['chance_ap']:.3f}), F1 {macro['f1']:.3f}"
        )
    lines += [f"leaderboard in {folder.fit.leaderboard}", *quality.lines(folder)]
    facts = {
        "leaderboard": str(folder.fit.leaderboard),
        "folds": folds,
        "simulated": metrics["simulated"],
        "macro": macro,
    }
    facts |= {"corrected": training.n_corrected, "unusable": training.n_unusable, "unlabelled": training.n_unlabelled}
    facts |= {"duplicates": str(folder.duplicates), "label_errors": str(folder.label_errors)}
    return Outcome(tuple(lines), command_line("report", data=job.data, run=folder.root), facts)
