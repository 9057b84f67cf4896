"""`fit`: reads the training set, chooses the settings, and trains the models."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from commands.earlier_fit import clear_earlier_fit, folds_like, like_earlier
from commands.job import Job
from commands.plates import NO_PLATES, PlateOptions, left_out, normalised, plates_of_fit
from engine.command_line import command_line
from engine.counted import counted
from engine.errors import InputError, UsageError
from engine.outcome import Outcome
from features.core.device import device_names
from models.data.labels_per_field import AT_LEAST_ONE, keeps_to, per_field_of
from models.data.trainability import reason_lines, why_not_trainable
from models.data.training_set import TrainingSet, read_training_set
from models.design import Design, make_design
from models.fit import fit, settings_for
from models.fitted import Fitted, PlatesOfFit
from models.other_folds import LeftOut
from models.settings import FitSettings
from models.settings_file import read_settings_file, settings_text
from store.noted_options import FIT_OPTIONS, noted_options
from store.run_folder import RunFolder, read_config, table_note


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
    own_classes: bool = False
    plates: PlateOptions = NO_PLATES

    def typed(self) -> dict[str, object]:
        """The options that were given, of those that config.json notes as typed."""
        typed = {
            "folds": self.n_folds, "members": ",".join(self.members), "rounds": self.rounds,
            "settings": str(self.file.absolute()) if self.file else "", "leave_out": self.plates.leave_out,
            "no_covariates": not self.covariates,
        }  # fmt: skip
        return {name: typed[name] for name in FIT_OPTIONS if typed[name]}


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


def remembered(folder: RunFolder, options: FitOptions) -> FitOptions:
    """The options with the tables of groups and fields that the run was fitted with, where no other is given."""
    table = options.plates.table or folder.noted_table("fields")
    groups = options.groups or folder.noted_table("groups")
    return replace(options, groups=groups, plates=replace(options.plates, table=table))


def noted_of_training(job: Job, training: TrainingSet) -> dict[str, object]:
    """What config.json notes of the training set."""
    return {"data": str(job.data), "groups": training.groups_from, "own_classes": training.own_classes}


def noted_choices(folder: RunFolder, options: FitOptions, like_before: bool) -> dict[str, object]:
    """What config.json notes of the options: the tables of groups and fields, and what was typed.

    The tables are as `RunFolder.noted_table` reads them, None if not given. With the settings of the earlier fit, the
    options that it was given hold on.
    """
    given = {"groups_table": options.groups, "fields_table": options.plates.table}
    tables = {name: table_note(path) if path else None for name, path in given.items()}
    before = read_config(folder.config).get("fit", {}).get("options", {}) if like_before else None
    return {**tables, "options": options.typed() if before is None else before}


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
        own = options.own_classes or job.folder.own_classes
        training = read_training_set(
            job.data, job.folder, options.groups, covariates=True, own_classes=own, fields_table=options.plates.table
        )
        training = like_earlier(training, earlier)
        before = earlier.settings.per_field
        kept = training.classes.is_kaggle or keeps_to(training.labels, before)
        return training, replace(earlier.settings, per_field=before if kept else per_field_of(training.labels))
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
    by_labels = AT_LEAST_ONE if training.classes.is_kaggle else per_field_of(training.labels)
    return training, replace(
        settings, organelles=training.classes.names, per_field=given.get("per_field", by_labels),
        normalise_by=options.plates.normalise_by, controls=options.plates.controls,
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


def show_settings(job: Job, training: TrainingSet, settings: FitSettings, options: FitOptions) -> Outcome:
    """All settings that a fit of this run would use, and the fit with the options that a settings file cannot hold."""
    matrix = training.matrix
    design = make_design(matrix.values, matrix.columns, training.labels, training.groups, settings)
    whole = settings_for(design.training, settings)
    text = settings_text(whole, int(design.in_folds.sum()), len(matrix.columns))
    others = replace(options, n_folds=None, rounds=None, members=())
    noted = settings.of_result() | noted_of_training(job, training) | noted_choices(job.folder, others, False)
    named = noted_options("fit", {"fit": noted}) | {"settings": "fit.toml"}
    command = command_line("fit", data=job.data, run=job.run, **named)
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
        clear=partial(
            clear_earlier_fit, job.folder, matrix.columns, data=job.data, noted=noted_of_training(job, training)
        ),
        named=grouped,
        simulated=(job.data / "simulated.json").is_file(),
        fold=folds_like(training, earlier),
        plates=prepared.plates,
        left_out=prepared.left_out,
    )  # fmt: skip


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
