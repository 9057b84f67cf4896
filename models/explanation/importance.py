"""Feature importance for each organelle: by single feature, and by family, channel and compartment.

There are three measures, each computed fold by fold to know its spread; the first two are of all members as the stack
weighs them.

Shapley values: how far a column, or a group of columns as one player, moved the stacked score of held-out fields (for
groups: from that of fields without the label). Permutation: the average precision that is lost on held-out fields when
all columns of a group are permuted together, that is when each field gets the group's values of another field. Gain: a
column's share of the loss reduction by a booster's splits, averaged over the libraries.

Correlated features share Shapley values and gain arbitrarily, and permuting one of them alone does little, because the
others replace it. So look at groups first: a family, channel or compartment is known or unknown as a whole, and its
permutation removes all its information. Redundant groups (nucleus and protein in the nucleus) can still replace one
another.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from engine.errors import InputError
from engine.running.parallel import run_tasks
from engine.running.progress import Progress
from models.explanation.feature_groups import GROUP_LEVELS, Groups, make_groups
from models.explanation.fold_importance import FoldFields, FoldImportance, measure_fold, sample_fields
from models.explanation.readable import READABLE, explain_embedding, is_embedding, readable_rows
from models.explanation.stacked_models import Stacked
from models.fit_file import fit_again
from models.fitted import Fitted
from store.classes import plain
from store.matrix import FieldMatrix
from store.schema import IMPORTANCE_VALUES, MEASURES

LEVELS: tuple[str, ...] = ("feature", *GROUP_LEVELS, READABLE)


@dataclass(frozen=True)
class ImportanceSettings:
    """How much to measure.

    Attributes
    ----------
    seed : int
        Seed of the choice of fields and of the permutations.
    fields : int
        Most held-out fields of a fold that are permuted and explained. If a fold has more, those with the rarest
        organelles are taken first and the others drawn at random; the scores are weighted accordingly.
    repeats : int
        Permutations of each group in each fold.
    shap_fields : int
        Number of these fields explained by Shapley values for each organelle: up to half with the organelle, the others
        without.
    workers : int
        Number of processes; results do not depend on it.
    """

    seed: int = 0
    fields: int = 300
    repeats: int = 2
    shap_fields: int = 40
    workers: int = 1


def measure_importance(
    fitted: Fitted, matrix: FieldMatrix, settings: ImportanceSettings, progress: Progress
) -> pd.DataFrame:
    """Measure the importance of features for each organelle.

    Parameters
    ----------
    fitted : Fitted
    matrix : FieldMatrix
        The training fields that were fitted on, in order; further columns are ignored.
    settings : ImportanceSettings
    progress : Progress
        Advanced by one for each fold.

    Returns
    -------
    DataFrame
        One row an organelle, level and group: organelle, level (one of `LEVELS`), what, and of each of `MEASURES` mean
        and sd over folds. SHAP is in log-odds of the stack; share is its share of the sum over the level. Permutation
        is a difference of average precision, for families, channels and compartments (a column of two channels is
        permuted with both, and known once both are). Gain is a share of 1; a column of two channels counts half for
        each. Kept is the share of the boosters that a column was given to: 1 unless it was screened out in some fold.
        NaN where not measured. Organelles without models are absent, and so are features that no member used. Where the
        fit has an embedding, rows of the level "readable" say which features go with it (see `readable`): share is then
        the share of what the embedding adds that they explain, and shap their slope.

    Raises
    ------
    InputError
        If matrix and fit do not belong together.
    """
    matrix = fitted.training_fields(_fitted_columns(fitted, matrix))
    groups, stacked = make_groups(matrix.columns), Stacked.of(fitted)
    tasks = [
        (_fields(fitted, matrix, settings, k), stacked, groups, settings.repeats, settings.shap_fields)
        for k in range(fitted.settings.n_folds)
    ]
    folds = []
    for fold in run_tasks(measure_fold, tasks, settings.workers):
        folds.append(fold)
        progress.advance()
    folds.sort(key=lambda fold: fold.fold)
    names = fitted.classes.named(fitted.trainable)
    table = _tidy(folds, groups, matrix.columns, names)
    if (embedding := is_embedding(matrix.columns)).any() and not embedding.all():
        values, added = [task[0].values for task in tasks], [fold.embedding for fold in folds]
        more = readable_rows(explain_embedding(values, added, embedding), matrix.columns, names)
        table = _by_organelle([table, more], names)
    return table


def _fitted_columns(fitted: Fitted, matrix: FieldMatrix) -> FieldMatrix:
    chosen = matrix.select(matrix.columns["name"].isin(fitted.columns).to_numpy())
    if tuple(chosen.columns["name"]) != fitted.columns:
        raise InputError(
            f"the run in {fitted.folder.root} was fitted on {len(fitted.columns)} columns, of which the matrix has "
            f"{len(chosen.columns)} in this order. {fit_again(fitted.folder)}"
        )
    return chosen


def _fields(fitted: Fitted, matrix: FieldMatrix, settings: ImportanceSettings, k: int) -> FoldFields:
    rng = np.random.default_rng(np.random.SeedSequence([settings.seed, k]))
    mine = np.flatnonzero(fitted.fold == k)
    chosen, weights = sample_fields(fitted.labels[mine], settings.fields, rng)
    able = np.flatnonzero(fitted.trainable)
    return FoldFields(k, matrix.values[mine[chosen]], fitted.labels[mine[chosen]][:, able], weights, rng)


def _tidy(folds: list[FoldImportance], groups: Groups, columns: pd.DataFrame, names: tuple[str, ...]) -> pd.DataFrame:
    """Mean and sd over folds as one table, class by class."""
    parts = []
    for level, what, measured in (
        (np.full(len(columns), "feature"), columns["name"].to_numpy(str), _over_folds(fold.features for fold in folds)),
        (groups.level, groups.what, _over_folds(fold.groups for fold in folds)),
    ):
        n = len(what)
        part = pd.DataFrame({
            "organelle": np.repeat(np.array(names, str), n), "level": np.tile(level, len(names)),
            "what": np.tile(what, len(names)),
        })  # fmt: skip
        for name in MEASURES:
            for end, values in zip(("mean", "sd"), measured[name], strict=True):
                part[f"{name}_{end}"] = values.ravel().astype(np.float32)
        parts.append(part)
    table = pd.concat(parts)
    used = (table["level"] != "feature") | (table["gain_mean"] > 0) | (table["shap_mean"] > 0)
    return _by_organelle([table[used]], names)


def _by_organelle(tables: list[pd.DataFrame], names: tuple[str, ...]) -> pd.DataFrame:
    """One table, its values as float32, organelle by organelle."""
    kinds = [{name: np.float32 for name in IMPORTANCE_VALUES if name in table} for table in tables]
    joined = pd.concat([table.astype(kind) for table, kind in zip(tables, kinds, strict=True)])
    order = {name: j for j, name in enumerate(names)}
    return joined.sort_values("organelle", key=lambda c: c.map(order), kind="stable").reset_index(drop=True)


def _over_folds(folds: Iterable[dict[str, np.ndarray]]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Mean and sd (n - 1) of each measure over the folds where it is known; NaN where there are too few."""
    folds = list(folds)
    out = {}
    for name in MEASURES:
        values = np.stack([fold[name] for fold in folds])
        known = ~np.isnan(values)
        n = known.sum(0)
        mean = np.where(known, values, 0).sum(0) / np.where(n > 0, n, np.nan)
        squares = np.where(known, (values - mean) ** 2, 0).sum(0)
        out[name] = mean, np.sqrt(squares / np.where(n > 1, n - 1, np.nan))
    return out


def top(
    importance: pd.DataFrame, organelle: str, level: str = "feature", n: int = 10, by: str = "share_mean"
) -> pd.DataFrame:
    """The most important features or groups of one organelle.

    Parameters
    ----------
    importance : DataFrame
        As `measure_importance` gives it.
    organelle : str
        Its name, or an unambiguous part of it, in any case.
    level : str
        One of `LEVELS`.
    n : int
        Rows at most.
    by : str
        The column to sort by, highest first; equal rows keep their order.

    Raises
    ------
    InputError
        If it was not learnt.
    """
    if level not in LEVELS:
        raise ValueError(f"level {level!r} is not one of {', '.join(LEVELS)}")
    mine = importance[(importance["organelle"] == find_learnt(importance, organelle)) & (importance["level"] == level)]
    return mine.sort_values(by, ascending=False, kind="stable", na_position="last").head(n).reset_index(drop=True)


def find_learnt(importance: pd.DataFrame, organelle: str) -> str:
    """The organelle's name as the table writes it; raises as `top` does."""
    learnt = {plain(name): name for name in importance["organelle"].unique()}
    parts = [name for key, name in learnt.items() if plain(organelle) in key]
    if plain(organelle) not in learnt and len(parts) == 1:
        return parts[0]
    if plain(organelle) not in learnt:
        raise InputError(
            f"{organelle} was not learnt in this run: too few fields or groups with it, or without it (fit gives the "
            f"reason). Learnt were: {', '.join(learnt.values()) or 'none'}."
        )
    return learnt[plain(organelle)]
