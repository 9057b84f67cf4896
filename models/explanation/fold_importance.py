"""Shapley values and permutation importance of one fold's models, on its held-out fields; and the boosters' gain."""

from dataclasses import dataclass

import numpy as np

from models.evaluation.metrics import average_precision
from models.explanation.feature_groups import PERMUTED_LEVELS, Groups
from models.explanation.group_shapley import PAIRS
from models.explanation.shap_values import gain, kept
from models.explanation.stacked_models import Stacked, StackedModels
from store.matrix import EMBEDDING

_EVERY = 4
"""Blocks are explained in every fourth field, to save time."""


@dataclass(frozen=True)
class FoldFields:
    """Held-out fields of one fold.

    Attributes
    ----------
    fold : int
    values : ndarray of float32, shape (n_fields, n_columns)
    labels : ndarray of bool, shape (n_fields, n_organelles)
    weights : ndarray of float64, shape (n_fields,)
        How many fields of the fold each stands for.
    rng : Generator
        For the permutations.
    """

    fold: int
    values: np.ndarray
    labels: np.ndarray
    weights: np.ndarray
    rng: np.random.Generator


@dataclass(frozen=True)
class FoldImportance:
    """What was measured on one fold.

    Attributes
    ----------
    fold : int
    features : dict of str to ndarray, shape (n_organelles, n_columns)
        By measure; NaN where not measured.
    groups : dict of str to ndarray, shape (n_organelles, n_groups)
    embedding : ndarray of float64, shape (n_organelles, n_fields)
        What the embedding adds to each field's score.
    """

    fold: int
    features: dict[str, np.ndarray]
    groups: dict[str, np.ndarray]
    embedding: np.ndarray


def sample_fields(labels: np.ndarray, limit: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Sample fields, keeping rare organelles.

    Half of the limit goes to the fields whose rarest organelle is rarest, the rest is drawn evenly from the others.

    Parameters
    ----------
    labels : ndarray of bool, shape (n_fields, n_classes)
    limit : int
    rng : Generator

    Returns
    -------
    chosen : ndarray of int, shape (n,)
        In random order.
    weights : ndarray of float64, shape (n,)
        How many fields each stands for; they sum to n_fields.
    """
    order = rng.permutation(len(labels))
    if len(labels) <= limit:
        return order, np.ones(len(labels))
    rarity = np.where(labels[order], labels.sum(0), len(labels)).min(1)
    order = order[np.argsort(rarity, kind="stable")]
    n_rare = limit // 2
    drawn = n_rare + rng.permutation(len(order) - n_rare)[: limit - n_rare]
    weights = np.repeat([1.0, (len(order) - n_rare) / (limit - n_rare)], [n_rare, limit - n_rare])
    mixed = rng.permutation(limit)
    return np.concatenate([order[:n_rare], order[drawn]])[mixed], weights[mixed]


def measure_fold(
    fields: FoldFields, stacked: Stacked, groups: Groups, repeats: int, shap_fields: int
) -> FoldImportance:
    """All measures of one fold.

    Parameters
    ----------
    fields : FoldFields
    stacked : Stacked
    groups : Groups
    repeats, shap_fields : int
        As in `ImportanceSettings`; 0 leaves the measure out.
    """
    (n_columns, n_groups), n_organelles = groups.share.shape, fields.labels.shape[1]
    names = ("share", "shap", "permutation", "gain", "kept")
    by_feature = {name: np.full((n_organelles, n_columns), np.nan) for name in names}
    by_group = {name: np.full((n_organelles, n_groups), np.nan) for name in names}
    fold = stacked.load(fields.fold, n_columns)
    for i in range(n_organelles):
        if boosters := fold.boosters(i):
            by_feature["gain"][i] = _known_mean([gain(model) for model in boosters])
            by_feature["kept"][i] = np.mean([kept(model) for model in boosters], axis=0)
            by_group["gain"][i] = by_feature["gain"][i] @ groups.share
    if repeats:
        by_group["permutation"][:, groups.permuted] = _permutation(fields, fold, groups, repeats)
    for i in range(n_organelles) if shap_fields else ():
        mine = fold.only(i)
        by_feature["shap"][i], by_group["shap"][i] = _shap(mine, *_some(fields, i, shap_fields), groups, fields.rng)
        by_feature["share"][i] = _shares(by_feature["shap"][i])
        for level in np.unique(groups.level):
            at = groups.level == level
            by_group["share"][i, at] = _shares(by_group["shap"][i, at])
    of_embedding = (groups.level == "family") & (groups.what == EMBEDDING)
    embedding = np.any(groups.share[:, of_embedding] > 0, axis=1)
    return FoldImportance(fields.fold, by_feature, by_group, fold.part_of(embedding, fields.values))


def _known_mean(shares: list[np.ndarray]) -> np.ndarray:
    known = [share for share in shares if not np.isnan(share).any()]
    return np.mean(known, axis=0) if known else shares[0]


def _shares(sizes: np.ndarray) -> np.ndarray:
    return sizes / sizes.sum() if sizes.sum() > 0 else np.full(len(sizes), np.nan)


def _permutation(fields: FoldFields, fold: StackedModels, groups: Groups, repeats: int) -> np.ndarray:
    """Average precision lost by permuting each group: (n_organelles, n_permuted); group by group, to save memory."""
    orders = [fields.rng.permutation(len(fields.values)) for _ in range(repeats)]
    before = _precision(fields, fold.scores(fields.values), 1)
    drops = np.empty((len(before), len(groups.permuted)))
    for g, group in enumerate(groups.permuted):
        mine = groups.share[:, group] > 0
        permuted = np.concatenate([np.where(mine, fields.values[order], fields.values) for order in orders])
        drops[:, g] = before - _precision(fields, fold.scores(permuted), repeats)
    return drops


def _precision(fields: FoldFields, scores: np.ndarray, repeats: int) -> np.ndarray:
    """Average precision of each organelle, the mean of the repeats; NaN without a positive."""
    return np.array([
        np.mean([average_precision(labels, one, fields.weights) for one in np.split(row, repeats)])
        for labels, row in zip(fields.labels.T, scores, strict=True)
    ])  # fmt: skip


def _some(fields: FoldFields, i: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Values of n fields, up to half of them with the organelle; and of all fields without it (of all, if none)."""
    mine, others = np.flatnonzero(fields.labels[:, i]), np.flatnonzero(~fields.labels[:, i])
    some = np.concatenate([mine[: n // 2], others[: n - len(mine[: n // 2])]])
    return fields.values[some], fields.values[others if len(others) else mine]


def _shap(
    fold: StackedModels, values: np.ndarray, background: np.ndarray, groups: Groups, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Mean absolute contribution of each column, and of each group as a whole.

    Groups are players of their own (`shap_values.group_contributions`): families, channels and compartments in all
    fields; blocks, of which there are ten times as many, in every fourth field and half as precisely. Pools are the
    sums of their columns' contributions with their signs.
    """
    single = fold.contributions(values)
    by_group = abs(single @ groups.share).mean(0)
    for level in (*PERMUTED_LEVELS, "block"):
        at = groups.level == level
        some, pairs = (values[::_EVERY], 1) if level == "block" else (values, PAIRS)
        added = fold.group_contributions(some, background, groups.share[:, at] > 0, rng, pairs)
        by_group[at] = abs(added).mean(0)
    return abs(single).mean(0), by_group
