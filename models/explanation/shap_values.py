"""Gain and SHAP values of a single model, computed by its library and returned in one form, over all columns.

The linear kind's contributions are its terms, the kernel's are integrated gradients. Groups of columns have Shapley
values of their own: exact for boosters and linear models, drawn orders (`group_shapley`) otherwise.
"""

from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

from models.explanation.group_shapley import group_shapley
from models.explanation.tree_paths import TreePaths, tree_group_shapley
from models.first_level import kernel, linear
from models.first_level.fold_model import TrainedModel
from models.first_level.members import BOOSTERS, kind_of, member

BACKGROUNDS_A_PAIR = 5
"""Background fields of the exact values of boosters, for each pair of orders that other models get."""


def gain(booster: TrainedModel) -> np.ndarray:
    """Each column's share of the loss reduction by the booster's splits.

    Returns
    -------
    ndarray of float64, shape (n_columns,)
        Sums to 1, and 0 for columns that were screened out; all NaN where the booster has no split.
    """
    total = _GAIN[kind_of(booster.member)](booster.model, booster.n_used)
    return booster.widened(total / total.sum()) if total.sum() > 0 else np.full(booster.n_columns, np.nan)


def kept(booster: TrainedModel) -> np.ndarray:
    """1 for each column that the booster was given, 0 for those screened out: float64, shape (n_columns,)."""
    return booster.widened(np.ones(booster.n_used))


def contributions(model: TrainedModel, values: np.ndarray) -> np.ndarray:
    """TreeSHAP: how far each column moved each field's log-odds from the average of the training fields.

    For the linear and kernel kinds, how far each moved its score from that of the mean field.

    Parameters
    ----------
    model : TrainedModel
        Of any member.
    values : ndarray of float32, shape (n_fields, n_columns)

    Returns
    -------
    ndarray of float64, shape (n_fields, n_columns)
        Without the constant: a row and the constant sum to the field's log-odds (or score). 0 for columns that the
        model does not use.

    References
    ----------
    Lundberg et al. 2020, "From local explanations to global understanding with explainable AI for trees", Nature
    Machine Intelligence 2:56.
    """
    return model.widened(_CONTRIBUTIONS[kind_of(model.member)](model.model, model.used(values)))


def part_of(model: TrainedModel, columns: np.ndarray, values: np.ndarray) -> np.ndarray:
    """What some columns (bool, shape (n_columns,)) add to each field's score, up to a constant: float64, shape (n,)."""
    mine = columns if model.columns is None else columns[model.columns]
    if mine.all():
        return model.score(values).astype(np.float64)
    return contributions(model, values)[:, columns].sum(1) if mine.any() else np.zeros(len(values))


def group_contributions(
    model: TrainedModel, values: np.ndarray, background: np.ndarray, members: np.ndarray, rng: np.random.Generator,
    pairs: int, alike: bool = False,
) -> np.ndarray:  # fmt: skip
    """How far each group of columns as a whole moved each field's score from that of the background.

    A linear model's values have a closed form: they are exact, and against the mean of all background fields. Those of
    boosters are exact for some background fields if no column is of two groups (`tree_group_shapley`). Groups without a
    column of the model get 0 and cost nothing.

    Parameters
    ----------
    model : TrainedModel
        Of any member.
    values, background, members, rng, pairs, alike
        As in `group_shapley`.

    Returns
    -------
    ndarray of float64, shape (n_fields, n_groups)
    """
    used = members if model.columns is None else members[model.columns]
    mine, absent = model.used(values), model.used(background)
    if kind_of(model.member) == "linear":
        terms = _contributions_linear(model.model, mine) - _contributions_linear(model.model, absent).mean(0)
        return np.stack([term @ (used / np.maximum(used.sum(1, keepdims=True), 1)) for term in terms])
    if kind_of(model.member) in BOOSTERS and used.sum(1).max() <= 1:
        group = np.where(used.any(1), used.argmax(1), -1)
        chosen = rng.integers(len(absent), size=(1 if alike else len(mine), pairs * BACKGROUNDS_A_PAIR))
        return tree_group_shapley(TreePaths.of(model), mine, absent[chosen], group, used.shape[1])
    total, players = np.zeros((len(values), members.shape[1])), used.any(0)
    score = partial(member(model.member).score, model.model)
    total[:, players] = group_shapley(score, mine, absent, used[:, players], pairs, rng, alike)
    return total


def _gain_lightgbm(model: Any, n_columns: int) -> np.ndarray:
    return np.asarray(model.feature_importance("gain"), np.float64)


def _gain_xgboost(model: Any, n_columns: int) -> np.ndarray:
    total = np.zeros(n_columns)
    for column, value in model.get_score(importance_type="total_gain").items():
        total[int(column.removeprefix("f"))] = value
    return total


def _contributions_lightgbm(model: Any, values: np.ndarray) -> np.ndarray:
    return model.predict(values, pred_contrib=True)[:, :-1]


def _contributions_xgboost(model: Any, values: np.ndarray) -> np.ndarray:
    import xgboost

    return model.predict(xgboost.DMatrix(values, nthread=1), pred_contribs=True)[:, :-1].astype(np.float64)


def _contributions_linear(model: Any, values: np.ndarray) -> np.ndarray:
    return linear.terms(model, values).astype(np.float64)


_GAIN: MappingProxyType[str, Callable] = MappingProxyType({"lightgbm": _gain_lightgbm, "xgboost": _gain_xgboost})
_CONTRIBUTIONS: MappingProxyType[str, Callable] = MappingProxyType(
    {
        "lightgbm": _contributions_lightgbm,
        "xgboost": _contributions_xgboost,
        "linear": _contributions_linear,
        "kernel": kernel.contributions,
    }
)
