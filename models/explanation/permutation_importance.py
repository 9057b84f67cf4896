"""Permutation importance, gain and SHAP values of one fold's boosters, on its held-out fields."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.evaluation.metrics import average_precision
from models.explanation.feature_groups import Groups
from models.explanation.shap_values import contributions, gain, kept
from models.first_level.fold_model import FoldModel, TrainedModel, load_models


@dataclass(frozen=True)
class Boosters:
    """The boosters to explain.

    Attributes
    ----------
    folder : Path
        Where they lie.
    names : tuple of str
        Members that are boosters.
    centre, spread : ndarray of float64, shape (n_organelles, n_names)
        Mean and spread of their log-odds over the training fields, to average them.
    """

    folder: Path
    names: tuple[str, ...]
    centre: np.ndarray
    spread: np.ndarray

    def load(self, organelle: int, fold: int, n_columns: int) -> list[TrainedModel]:
        """The models of one organelle (0 to 27) that have not seen a fold."""
        asked = [FoldModel(self.folder, organelle, name, fold) for name in self.names]
        return [load_models([one], n_columns)[0] for one in asked]


@dataclass(frozen=True)
class FoldFields:
    """Held-out fields of one fold.

    Attributes
    ----------
    fold : int
    organelles : ndarray of int, shape (n_organelles,)
        Those with models.
    values : ndarray of float32, shape (n_fields, n_columns)
    labels : ndarray of bool, shape (n_fields, n_organelles)
    weights : ndarray of float64, shape (n_fields,)
        How many fields of the fold each stands for.
    rng : Generator
        For the permutations.
    """

    fold: int
    organelles: np.ndarray
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
    """

    fold: int
    features: dict[str, np.ndarray]
    groups: dict[str, np.ndarray]


def sample_fields(labels: np.ndarray, limit: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Sample fields, keeping rare organelles.

    Half of the limit goes to the fields whose rarest organelle is rarest, the rest is drawn evenly from the others.

    Parameters
    ----------
    labels : ndarray of bool, shape (n_fields, 28)
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
    fields: FoldFields, boosters: Boosters, groups: Groups, repeats: int, shap_fields: int
) -> FoldImportance:
    """Gain, permutation and SHAP of the boosters of one fold.

    The score of the permutation importance is that of the boosters alone: the mean of their standardised log-odds.

    Parameters
    ----------
    fields : FoldFields
    boosters : Boosters
    groups : Groups
    repeats, shap_fields : int
        As in `ImportanceSettings`; 0 leaves the measure out.
    """
    n_columns, n_groups = groups.share.shape
    names = ("gain", "permutation", "shap", "kept")
    by_feature = {name: np.full((len(fields.organelles), n_columns), np.nan) for name in names}
    by_group = {name: np.full((len(fields.organelles), n_groups), np.nan) for name in names}
    models = [boosters.load(int(organelle), fields.fold, n_columns) for organelle in fields.organelles]
    for i, mine in enumerate(models):
        by_feature["gain"][i] = _known_mean([gain(model) for model in mine])
        by_feature["kept"][i] = np.mean([kept(model) for model in mine], axis=0)
        by_group["gain"][i] = by_feature["gain"][i] @ groups.share
        if shap_fields:
            by_feature["shap"][i], by_group["shap"][i] = _shap(mine, _some(fields, i, shap_fields), groups)
    if repeats:
        by_group["permutation"][:, groups.permuted] = _permutation(fields, boosters, models, groups, repeats)
    return FoldImportance(fields.fold, by_feature, by_group)


def _known_mean(shares: list[np.ndarray]) -> np.ndarray:
    known = [share for share in shares if not np.isnan(share).any()]
    return np.mean(known, axis=0) if known else shares[0]


def _permutation(
    fields: FoldFields, boosters: Boosters, models: list[list[TrainedModel]], groups: Groups, repeats: int
) -> np.ndarray:
    """Average precision lost by permuting each group: (n_organelles, n_permuted); group by group, to save memory."""
    orders = [fields.rng.permutation(len(fields.values)) for _ in range(repeats)]
    before = _precision(fields, _scores(boosters, models, fields.values), 1)
    drops = np.empty((len(models), len(groups.permuted)))
    for g, group in enumerate(groups.permuted):
        mine = groups.share[:, group] > 0
        permuted = np.concatenate([np.where(mine, fields.values[order], fields.values) for order in orders])
        drops[:, g] = before - _precision(fields, _scores(boosters, models, permuted), repeats)
    return drops


def _scores(boosters: Boosters, models: list[list[TrainedModel]], values: np.ndarray) -> np.ndarray:
    """The boosters' common score of each organelle: (n_organelles, len(values))."""
    scores = np.zeros((len(models), len(values)))
    for i, mine in enumerate(models):
        for b, model in enumerate(mine):
            scores[i] += (model.score(values) - boosters.centre[i, b]) / boosters.spread[i, b]
    return scores


def _precision(fields: FoldFields, scores: np.ndarray, repeats: int) -> np.ndarray:
    """Average precision of each organelle, the mean of the repeats; NaN without a positive."""
    return np.array([
        np.mean([average_precision(labels, one, fields.weights) for one in np.split(row, repeats)])
        for labels, row in zip(fields.labels.T, scores, strict=True)
    ])  # fmt: skip


def _some(fields: FoldFields, i: int, n: int) -> np.ndarray:
    """Values of n fields, up to half of them with the organelle."""
    mine = np.flatnonzero(fields.labels[:, i])[: n // 2]
    others = np.flatnonzero(~fields.labels[:, i])[: n - len(mine)]
    return fields.values[np.concatenate([mine, others])]


def _shap(models: list[TrainedModel], values: np.ndarray, groups: Groups) -> tuple[np.ndarray, np.ndarray]:
    """Mean absolute contribution of each column, and of each group as a whole, in log-odds."""
    shap = np.mean([contributions(model, values) for model in models], axis=0)
    return abs(shap).mean(0), abs(shap @ groups.share).mean(0)
