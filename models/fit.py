"""From the field matrix to calibrated calls: folds, first level, stack, calibration, thresholds, leaderboard."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from engine.counted import counted
from engine.errors import InputError
from engine.files import digest, made_from
from engine.progress import Progress, progress
from models.align import fit_alignment
from models.boosters import INPUTS, chosen_strengths, evaluable, train_first_level, unit_keys
from models.chain import Nested, fit_chain, fit_nested
from models.fitted import Fitted, conclude, ensemble_scores, load, widen
from models.folds import make_folds, split_off
from models.judge import leak_rows, split_row, step_rows, weight_rows
from models.leaderboard import Leaderboard, add_intervals, assemble, organelle_rows
from models.settings import FEWEST_FOLDS, FitSettings
from models.units import Training

LEAST_GROUPS_TO_HOLD_OUT = 200
_CHAIN_STEPS = 2
_CONCLUDED_BY = (
    "folds", "align", "logistic", "stack", "calibrate", "thresholds", "chain", "metrics", "judge", "leaderboard", "fit",
    "fitted",
)  # fmt: skip


@dataclass(frozen=True)
class Design:
    """Which field is used for what.

    Attributes
    ----------
    training : Training
    kind : str
        "grouped" where groups are named, even if each holds one field; "random" where nothing is known of them.
    evaluable : ndarray of bool, shape (28,)
    """

    training: Training
    kind: str
    evaluable: np.ndarray

    @property
    def in_folds(self) -> np.ndarray:
        """The fields that are not held out."""
        return self.training.fold >= 0

    @property
    def organelles(self) -> list[int]:
        """The evaluable ones."""
        return np.flatnonzero(self.evaluable).tolist()


def fit(
    matrix: np.ndarray,
    columns: pd.DataFrame,
    labels: np.ndarray,
    groups: np.ndarray | None,
    settings: FitSettings,
    folder: Path,
    quiet: bool = False,
    clear: Callable[[], None] = lambda: None,
    named: bool = True,
) -> Fitted:
    """Fit everything, going on from what is already finished in the folder.

    Parameters
    ----------
    matrix : ndarray of float32, shape (n_fields, n_columns)
        NaN where a value does not exist.
    columns : DataFrame
        One row a column, with `name`.
    labels : ndarray of bool, shape (n_fields, 28)
    groups : ndarray of int, shape (n_fields,), or None
        Fields that are no independent evidence share a number; None where nothing is known.
    settings : FitSettings
    folder : Path
        For the models, fit.json and the out-of-fold arrays.
    quiet : bool
        Show no progress.
    clear : callable
        Called if there is something to fit, while fit.json of an earlier fit is still there: the place to say so and to
        remove tables of that fit elsewhere, so that no two fits mix.
    named : bool
        Whether somebody said which fields belong together; False where groups are of near-identical fields only.

    Raises
    ------
    InputError
        If there are fewer groups than folds, or the shapes do not fit.
    """
    named = named and groups is not None
    groups = np.arange(len(matrix)) if groups is None else groups
    _check(matrix, columns, labels, groups, settings)
    design = make_design(matrix, labels, groups, settings, named)
    data_keys = unit_keys(design.training, settings)
    key = digest([settings.of_result(), data_keys, design.kind, list(columns["name"]), _sources()])
    if made_from(folder / "fit.json") == key:
        return load(folder, settings.organelles)
    clear()
    (folder / "fit.json").unlink(missing_ok=True)
    with _shown(design, settings, quiet) as shown:
        first = train_first_level(design.training, design.organelles, range(settings.n_folds), settings, folder, shown)
        leak = _leak(design, first, settings, folder, shown)
        fitted = _conclude(design, first, leak, tuple(columns["name"]), settings, folder, shown)
    fitted.save(key)
    return fitted


def make_design(
    matrix: np.ndarray, labels: np.ndarray, groups: np.ndarray, settings: FitSettings, named: bool = True
) -> Design:
    """Hold out whole groups, divide the rest into folds, and see which organelles can be learnt."""
    fold = np.full(len(labels), -1, np.int8)
    kept = np.ones(len(labels), bool)
    if settings.held_out > 0 and len(np.unique(groups)) >= LEAST_GROUPS_TO_HOLD_OUT:
        kept = ~split_off(labels, groups, settings.held_out, settings.seed)
    folds = make_folds(labels[kept], groups[kept], settings.n_folds, settings.seed)
    fold[kept] = folds.fold
    training = Training(np.ascontiguousarray(matrix, np.float32), labels, np.asarray(groups, np.int64), fold)
    return Design(training, "grouped" if named else "random", evaluable(labels, groups, fold))


def _leak(
    design: Design, first: np.ndarray, settings: FitSettings, folder: Path, shown: Progress
) -> list[pd.DataFrame]:
    """The first member again, on folds that split groups: rows for the leaderboard."""
    if not _tries_random_folds(design, settings):
        return []
    training = design.training
    random_fold = np.full(len(training.fold), -1, np.int8)
    mine = design.in_folds
    alone = np.arange(int(mine.sum()))
    random_fold[mine] = make_folds(training.labels[mine], alone, settings.n_folds, settings.seed).fold
    random_training = Training(training.values, training.labels, np.arange(len(mine)), random_fold)
    tried = range(settings.random_folds)
    only = FitSettings(**vars(settings) | {"members": settings.members[:1]})
    random = train_first_level(random_training, design.organelles, tried, only, folder / "random_folds", shown)
    grouped = np.where(np.isin(training.fold, tried)[:, None], first[:, :, 0], np.nan)
    able = design.evaluable
    return leak_rows(
        settings.members[0], grouped[:, able], random[:, able, 0], training.labels[:, able], training.fold, random_fold
    )


def _conclude(
    design: Design, first: np.ndarray, leak: list[pd.DataFrame], columns: Sequence[str], settings: FitSettings,
    folder: Path, shown: Progress,
) -> Fitted:  # fmt: skip
    """Stack, calibration, thresholds and their judgement."""
    able, inner = design.evaluable, design.in_folds
    labels, fold = design.training.labels, design.training.fold
    prior = (labels[inner].sum(0) + 0.5) / (inner.sum() + 1)
    alignment = fit_alignment(first[inner][:, able], fold[inner], settings.n_folds)
    members = alignment.apply(first[inner][:, able], fold[inner])
    known, inputs = labels[inner][:, able], folder / f"{INPUTS}nested"
    nested = fit_nested(members, known, fold[inner], inputs, settings.workers, settings.at_least_one)
    shown.advance()
    chain = fit_chain(members, known, fold[inner], settings.at_least_one)
    shown.advance()
    aligned = np.full_like(first, np.nan)
    aligned[np.ix_(inner, able)] = members
    probabilities, calls = np.empty(labels.shape, np.float32), np.empty(labels.shape, bool)
    probabilities[inner], calls[inner] = conclude(
        nested.probabilities, nested.threshold, able, prior, settings.at_least_one
    )
    if not inner.all():
        held_out = ensemble_scores(folder, settings, able, alignment, design.training.values[~inner])
        aligned[np.ix_(~inner, able)] = held_out
        threshold = chain.thresholds.threshold
        probabilities[~inner], calls[~inner] = conclude(
            chain.probabilities(held_out), threshold, able, prior, settings.at_least_one
        )
    board = _board(design, members, nested, probabilities, calls, [*_weights(folder, settings), *leak], settings)
    board = _with_thresholds(board, widen(chain.thresholds.threshold, able, np.nan))
    return Fitted(
        folder, settings, tuple(columns), able, prior, alignment, chain, fold, aligned, probabilities, calls, board
    )


def _board(
    design: Design, members: np.ndarray, nested: Nested, probabilities: np.ndarray, calls: np.ndarray,
    others: list[pd.DataFrame], settings: FitSettings,
) -> Leaderboard:  # fmt: skip
    able, inner, training = design.evaluable, design.in_folds, design.training
    labels, p, mine = training.labels[inner], probabilities[inner], calls[inner]
    names = settings.organelles
    organelles = organelle_rows(labels, p, mine, able, names)
    rng = np.random.default_rng(settings.seed)
    organelles = add_intervals(organelles, labels, p, mine, training.groups[inner], settings.n_resamples, rng)
    steps = step_rows(members, settings, nested, labels[:, able], mine[:, able]) if able.any() else []
    splits = [split_row(f"{design.kind} folds", labels, p, mine, able, names)]
    if not inner.all():
        out = ~inner
        held_out = (training.labels[out], probabilities[out], calls[out])
        splits.append(split_row("held-out groups", *held_out, able, names))
    return assemble(organelles, [*steps, *splits, *others], design.kind)


def _weights(folder: Path, settings: FitSettings) -> list[pd.DataFrame]:
    """What the pilots of the class weights said: rows for the leaderboard."""
    chosen = {name: chosen_strengths(folder, name, settings.n_folds) for name in settings.members}
    return [row for name, strengths in chosen.items() for row in weight_rows(name, strengths)]


def _with_thresholds(board: Leaderboard, threshold: np.ndarray) -> Leaderboard:
    table = board.table.copy()
    table.loc[table["kind"] == "organelle", "threshold"] = threshold
    return Leaderboard(table, board.folds)


def _tries_random_folds(design: Design, settings: FitSettings) -> bool:
    groups = design.training.groups[design.in_folds]
    some_shared = len(np.unique(groups)) < len(groups)
    return design.kind == "grouped" and some_shared and settings.random_folds > 0


def _shown(design: Design, settings: FitSettings, quiet: bool) -> AbstractContextManager[Progress]:
    fits = settings.n_folds * len(settings.members)
    fits += settings.random_folds if _tries_random_folds(design, settings) else 0
    return progress("fit", fits * len(design.organelles) + _CHAIN_STEPS, "models", quiet)


def _sources() -> str:
    """A hash of the code that follows the first level, so that another version's conclusions are not taken for ours."""
    return digest([(Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8") for name in _CONCLUDED_BY])


def _check(
    matrix: np.ndarray, columns: pd.DataFrame, labels: np.ndarray, groups: np.ndarray, settings: FitSettings
) -> None:
    expected = {"labels": (len(matrix), len(settings.organelles)), "groups": (len(matrix),)}
    found = {"labels": labels.shape, "groups": groups.shape}
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
