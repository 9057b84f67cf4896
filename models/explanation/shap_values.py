"""Gain and SHAP values of a single model, computed by its library and returned in one form.

The linear member's contributions are its terms.
"""

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np

from models.first_level import linear

EXPLAINED: tuple[str, ...] = ("lightgbm", "xgboost")
"""The members that are boosters; the linear member has neither gain nor trees."""


def gain(member: str, model: Any, n_columns: int) -> np.ndarray:
    """Each column's share of the loss reduction by the booster's splits.

    Parameters
    ----------
    member : str
        One of `EXPLAINED`.
    model
        As the member's `load` gives it.
    n_columns : int

    Returns
    -------
    ndarray of float64, shape (n_columns,)
        Sums to 1; all NaN where the booster has no split.
    """
    total = _GAIN[member](model, n_columns)
    return total / total.sum() if total.sum() > 0 else np.full(n_columns, np.nan)


def contributions(member: str, model: Any, values: np.ndarray) -> np.ndarray:
    """TreeSHAP: how far each column moved each field's log-odds from the average of the training fields.

    For the linear member, how far each moved its score: the SHAP values of independent columns.

    Parameters
    ----------
    member : str
        Any member.
    model
        As the member's `load` gives it.
    values : ndarray of float32, shape (n_fields, n_columns)

    Returns
    -------
    ndarray of float64, shape (n_fields, n_columns)
        Without the constant: a row and the constant sum to the field's log-odds (or score).

    References
    ----------
    Lundberg et al. 2020, "From local explanations to global understanding with explainable AI for trees", Nature
    Machine Intelligence 2:56.
    """
    return _CONTRIBUTIONS[member](model, values)


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
    {"lightgbm": _contributions_lightgbm, "xgboost": _contributions_xgboost, "linear": _contributions_linear}
)
