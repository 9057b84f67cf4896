"""From the field matrix to calibrated calls: folds, first level, stack, calibration, thresholds, leaderboard."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from engine.counted import counted
from engine.errors import InputError
from engine.running.progress import Progress, progress
from models.design import Design, make_design
from models.ensemble import conclude, ensemble_scores, widen
from models.evaluation.leaderboard import Leaderboard, add_intervals, assemble, organelle_rows
from models.evaluation.leaderboard_rows import split_row, step_rows
from models.first_level.fold_model import Training
from models.first_level.members import BOOSTERS, COLUMN_SETS, kind_of
from models.first_level.training import INPUTS, fold_model_stamps, train_first_level
from models.fitted import Fitted, PlatesOfFit
from models.other_folds import LeftOut, left_out_rows, random_fold_rows, tries_random_folds
from models.saved_fit import load, save
from models.second_level.second_level import CrossFitted, fit_and_cross_fit
from models.second_level.standardisation import fit_standardisation
from models.settings import FEWEST_FOLDS, FitSettings
from store.fit_folder import FitFolder
from store.stamp import array_hash, code_of, stamp, stamp_of


def fit(
    ids: tuple[str, ...],
    matrix: np.ndarray,
    columns: pd.DataFrame,
    labels: np.ndarray,
    groups: np.ndarray | None,
    settings: FitSettings,
    folder: Path,
    quiet: bool = False,
    check: Callable[[Design], None] = lambda _: None,
    clear: Callable[[FitSettings], None] = lambda _: None,
    named: bool = True,
    simulated: bool = False,
    fold: np.ndarray | None = None,
    plates: PlatesOfFit | None = None,
    left_out: LeftOut | None = None,
) -> Fitted:
    """Fit first and second level and write the leaderboard; finished models in the folder are reused.

    Parameters
    ----------
    ids : tuple of str
        The fields, each once.
    matrix : ndarray of float32, shape (n_fields, n_columns)
        NaN for missing values.
    columns : DataFrame
        One row a column, with `name`; family and channels, if given, tell its set (see `column_sets`).
    labels : ndarray of bool, shape (n_fields, n_classes)
    groups : ndarray of int, shape (n_fields,), or None
        Fields that are not independent (e.g. one antibody) share a number; None if unknown.
    settings : FitSettings
    folder : Path
        The run folder, or another for the files that `FitFolder` names.
    quiet : bool
        Show no progress.
    check : callable
        Called with the design before anything is trained; may refuse it.
    clear : callable
        Called with all settings before a new fit replaces the tables of an earlier one, e.g. to print a message and to
        remove the results that depend on them.
    named : bool
        Whether groups were given; False if they consist of near-identical fields only.
    simulated : bool
        Whether the fields are simulated; noted in metrics.json.
    fold : ndarray of int8, shape (n_fields,), optional
        The folds of an earlier fit to keep; `NEW` for a field that was not in it.
    plates : PlatesOfFit, optional
        What the matrix was normalised by; kept with the fit.
    left_out : LeftOut, optional
        Plates to leave out one after the other, for a row of the leaderboard.

    Raises
    ------
    InputError
        If there are fewer groups than folds, or the shapes do not fit.
    """
    named = named and groups is not None
    groups = np.arange(len(matrix)) if groups is None else groups
    _check(ids, matrix, columns, labels, groups, settings)
    design = make_design(matrix, columns, labels, groups, settings, named, fold)
    check(design)
    settings = settings_for(design.training, replace(settings, per_field=design.per_field(settings.per_field)))
    first_level = fold_model_stamps(design.training, settings)
    used = [settings.of_result(), design.kind, simulated]
    used += [] if left_out is None else [left_out.what, left_out.names.tolist()]
    used += [] if plates is None else [plates.names.tolist(), plates.controls.tolist()]
    mark = stamp(used, [first_level, list(columns["name"]), ids], fit_code())
    results = FitFolder(folder)
    if is_up_to_date(results, mark, settings.members):
        return load(folder)
    clear(settings)
    results.clear()
    plate_folds = None if left_out is None else left_out.folds(design.training, settings)
    with _shown(design, settings, quiet, plate_folds) as shown:
        every, models = range(settings.n_folds), results.models
        first = train_first_level(design.training, design.organelles, every, settings, models, shown)
        leak = random_fold_rows(design, first, settings, models, shown)
        if left_out is not None and plate_folds is not None:
            leak += left_out_rows(design, first, left_out, plate_folds, settings, models, shown)
        fitted = _conclude(design, first, leak, ids, tuple(columns["name"]), settings, results, shown, mark)
    fitted = replace(fitted, plates=plates)
    save(fitted, simulated)
    return fitted


def is_up_to_date(results: FitFolder, mark: str, members: Sequence[str]) -> bool:
    """Whether the fit in a folder is finished, has this stamp and all its tables, so that it is not done again."""
    return stamp_of(results.fit_file) == mark and all(path.is_file() for path in results.tables(members))


def settings_for(training: Training, settings: FitSettings) -> FitSettings:
    """The settings with the members and parameters for this table; raises InputError if they cannot be."""
    sets = tuple(name for number, name in enumerate(COLUMN_SETS) if (training.column_set == number).any())
    try:
        return settings.for_table(int((training.fold >= 0).sum()), training.values.shape[1], sets)
    except ValueError as error:
        raise InputError(f"settings of the fit: {error}.") from error


def _conclude(
    design: Design, first: np.ndarray, leak: list[pd.DataFrame], ids: tuple[str, ...], columns: tuple[str, ...],
    settings: FitSettings, folder: FitFolder, shown: Progress, mark: str,
) -> Fitted:  # fmt: skip
    """Fit the second level and evaluate it."""
    able, inner = design.trainable, design.in_folds
    labels, fold = design.training.labels, design.training.fold
    prior = (labels[inner].sum(0) + 0.5) / (inner.sum() + 1)
    standardisation = fit_standardisation(first[inner][:, able], fold[inner], settings.n_folds)
    members = standardisation.apply(first[inner][:, able], fold[inner])
    known, inputs = labels[inner][:, able], folder.models / f"{INPUTS}cross_fitted"
    second_level, cross_fitted = fit_and_cross_fit(
        members, known, fold[inner], inputs, settings.workers, settings.per_field
    )
    shown.advance()
    aligned = np.full_like(first, np.nan)
    aligned[np.ix_(inner, able)] = members
    probabilities, calls = np.empty(labels.shape, np.float32), np.empty(labels.shape, bool)
    probabilities[inner], calls[inner] = conclude(
        cross_fitted.probabilities, cross_fitted.threshold, able, prior, settings.per_field
    )
    if not inner.all():
        held_out = ensemble_scores(folder.models, settings, able, standardisation, design.training.values[~inner])
        aligned[np.ix_(~inner, able)] = held_out
        threshold = second_level.thresholds.threshold
        probabilities[~inner], calls[~inner] = conclude(
            second_level.probabilities(held_out), threshold, able, prior, settings.per_field
        )
    board = _board(design, members, cross_fitted, probabilities, calls, leak, settings)
    board = _with_thresholds(board, widen(second_level.thresholds.threshold, able, np.nan))
    return Fitted(
        folder, settings, columns, able, prior, standardisation, second_level, ids, labels, design.training.groups,
        fold, aligned, probabilities, calls, board, mark, array_hash(design.training.values),
    )  # fmt: skip


def _board(
    design: Design, members: np.ndarray, cross_fitted: CrossFitted, probabilities: np.ndarray, calls: np.ndarray,
    leak: list[pd.DataFrame], settings: FitSettings,
) -> Leaderboard:  # fmt: skip
    able, inner, training = design.trainable, design.in_folds, design.training
    labels, p, called = training.labels[inner], probabilities[inner], calls[inner]
    names = settings.organelles
    organelles = organelle_rows(labels, p, called, able, names)
    rng = np.random.default_rng(settings.seed)
    organelles = add_intervals(organelles, labels, p, called, training.groups[inner], settings.n_resamples, rng)
    steps = step_rows(members, settings, cross_fitted, labels[:, able], called[:, able]) if able.any() else []
    splits = [split_row(f"{design.kind} folds", labels, p, called, able, names)]
    if not inner.all():
        out = ~inner
        held_out = (training.labels[out], probabilities[out], calls[out])
        splits.append(split_row("held-out groups", *held_out, able, names))
    return assemble(organelles, [*steps, *splits, *leak], design.kind)


def _with_thresholds(board: Leaderboard, threshold: np.ndarray) -> Leaderboard:
    table = board.table.copy()
    table.loc[table["kind"] == "organelle", "threshold"] = threshold
    return Leaderboard(table, board.folds)


def _shown(
    design: Design, settings: FitSettings, quiet: bool, plate_folds: np.ndarray | None = None
) -> AbstractContextManager[Progress]:
    boosters = [name for name in settings.members if kind_of(name) in BOOSTERS]
    fits = settings.n_folds * len(boosters)
    fits += settings.random_folds * len(boosters[:1]) if tries_random_folds(design, settings) else 0
    n_plates = 0 if plate_folds is None else len(np.unique(plate_folds[plate_folds >= 0]))
    fits += n_plates * len(boosters[:1])
    steps = fits * len(design.organelles) + 1  # the last is the second level
    return progress("fit", steps, "boosters and steps", quiet)


def fit_code() -> str:
    """Hash of the sources that a fit depends on; the first-level models have separate stamps."""
    return code_of("models.fit")


def _check(
    ids: tuple[str, ...], matrix: np.ndarray, columns: pd.DataFrame, labels: np.ndarray, groups: np.ndarray,
    settings: FitSettings,
) -> None:  # fmt: skip
    expected = {"ids": (len(matrix),), "labels": (len(matrix), len(settings.organelles)), "groups": (len(matrix),)}
    found = {"ids": (len(ids),), "labels": labels.shape, "groups": groups.shape}
    for name, shape in expected.items():
        if found[name] != shape:
            raise InputError(f"{name} of shape {found[name]} do not fit {len(matrix)} fields (expected {shape}).")
    if len(columns) != matrix.shape[1]:
        raise InputError(f"the matrix has {matrix.shape[1]} columns, but {len(columns)} are described. Extract again.")
    n_groups = len(np.unique(groups))
    if n_groups < settings.n_folds:
        fewer = f", or ask for fewer folds (--folds {n_groups}; in Python n_folds={n_groups})"
        raise InputError(
            f"{counted(n_groups, 'group')} of fields cannot fill {settings.n_folds} folds (fields of one group share a "
            f"fold; at least {FEWEST_FOLDS} folds). Give more fields or finer groups"
            f"{fewer if n_groups >= FEWEST_FOLDS else ''}."
        )
