"""Which readable features go with the embedding: how much of what it adds to a score the classical features explain.

A network's values have no names that a biologist could read. So what the embedding adds to each held-out field's
stacked score is regressed on the classical features: on all of them together (ridge regression) and on each alone. The
regressions are learnt on the other folds' fields, so that a share is what they explain of fields they have not seen (R
squared, held out). A feature that goes with the embedding need not be its cause.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.first_level.standard import moments, standardised
from store.matrix import EMBEDDING

READABLE = "readable"
"""The level of these rows in the table of importances."""

ALL_READABLE = "all readable features"

LEAST_SHARE = 0.1
"""Below this share of all readable features together, none of them is said to go with the embedding."""

_FEATURES = 3
_LEAST_ALONE = 0.02
_PENALTIES = np.geomspace(1e-3, 1e3, 7)  # for each column


@dataclass(frozen=True)
class Explained:
    """What of the embedding's part readable features explain, fold by fold.

    Attributes
    ----------
    together : ndarray of float64, shape (n_folds, n_organelles)
        Held-out R squared of all readable features; NaN where the embedding adds the same to all fields.
    alone : ndarray of float64, shape (n_folds, n_organelles, n_columns)
        Of each column alone; NaN for columns of the embedding.
    slope : ndarray of float64, shape (n_organelles, n_columns)
        By how much the embedding's part rises with a spread of the column.
    """

    together: np.ndarray
    alone: np.ndarray
    slope: np.ndarray


@dataclass(frozen=True)
class Counterparts:
    """What goes with the embedding for one class: the share that all readable features explain, and the leading ones.

    Attributes
    ----------
    share, spread : float
        Mean and standard deviation over the folds.
    features : tuple of (str, float, float)
        Name of the column, the share that it explains alone, and its slope; the largest share first. None if the share
        of all is below `LEAST_SHARE`.
    """

    share: float
    spread: float
    features: tuple[tuple[str, float, float], ...]


def is_embedding(columns: pd.DataFrame) -> np.ndarray:
    """Which columns are a network's: bool, shape (n_columns,)."""
    return (columns["family"] == EMBEDDING).to_numpy(bool)


def explain_embedding(values: Sequence[np.ndarray], added: Sequence[np.ndarray], embedding: np.ndarray) -> Explained:
    """Regress what the embedding adds on the readable features.

    Parameters
    ----------
    values : sequence of ndarray of float32, shape (n_fields, n_columns)
        Held-out fields of each fold.
    added : sequence of ndarray of float64, shape (n_organelles, n_fields)
        What the embedding adds to their scores, by models that have not seen the fold.
    embedding : ndarray of bool, shape (n_columns,)
    """
    from sklearn.linear_model import RidgeCV  # takes half a second, not needed by most commands

    fold = np.repeat(np.arange(len(values)), [len(part) for part in values])
    readable = np.concatenate([part[:, ~embedding] for part in values])
    x, y = standardised(readable, *moments(readable)).astype(np.float64), np.concatenate(added, axis=1).T
    alone = np.full((len(values), y.shape[1], len(embedding)), np.nan)
    together, slopes = np.full(alone.shape[:2], np.nan), np.zeros((len(values), y.shape[1], x.shape[1]))
    for k in range(len(values)):
        seen, new = fold != k, fold == k
        centre, level = x[seen].mean(0), y[seen].mean(0)
        x_seen, x_new, y_seen, y_new = x[seen] - centre, x[new] - centre, y[seen] - level, y[new] - level
        total = (y_new**2).sum(0)
        total[(total <= 1e-12 * len(y_new)) | ~y_seen.any(0)] = np.nan
        ridge = RidgeCV(_PENALTIES * x.shape[1], alpha_per_target=True, fit_intercept=False).fit(x_seen, y_seen)
        together[k] = 1 - ((y_new - ridge.predict(x_new).reshape(y_new.shape)) ** 2).sum(0) / total
        slopes[k] = (y_seen.T @ x_seen) / np.maximum((x_seen**2).sum(0), 1e-9)
        left = total[:, None] - 2 * slopes[k] * (y_new.T @ x_new) + slopes[k] ** 2 * (x_new**2).sum(0)
        alone[k][:, ~embedding] = 1 - left / total[:, None]
    slope = np.zeros(alone.shape[1:])
    slope[:, ~embedding] = slopes.mean(0)
    return Explained(together, alone, slope)


def readable_rows(explained: Explained, columns: pd.DataFrame, organelles: Sequence[str]) -> pd.DataFrame:
    """Rows for the table of importances: all readable features together, then the leading ones, one a family.

    Returns
    -------
    DataFrame
        organelle, level, what, share_mean, share_sd; and shap_mean, the slope. No rows for an organelle without
        anything to explain.
    """
    rows = []
    for i, name in enumerate(organelles):
        share, spread = _over_folds(explained.together[:, i])
        if np.isnan(share):
            continue
        rows.append((name, READABLE, ALL_READABLE, share, spread, np.nan))
        for c in _leading(explained.alone[:, i], columns) if share >= LEAST_SHARE else ():
            of_one = _over_folds(explained.alone[:, i, c])
            rows.append((name, READABLE, columns["name"].iloc[c], *of_one, explained.slope[i, c]))
    return pd.DataFrame(rows, columns=["organelle", "level", "what", "share_mean", "share_sd", "shap_mean"])


def _over_folds(shares: np.ndarray) -> tuple[float, float]:
    """Mean, not below 0, and sd of the known shares; NaN where there are too few."""
    known = shares[~np.isnan(shares)]
    mean = max(float(known.mean()), 0.0) if len(known) else np.nan
    return mean, float(known.std(ddof=1)) if len(known) > 1 else np.nan


def _leading(alone: np.ndarray, columns: pd.DataFrame) -> list[int]:
    """The columns that explain most by themselves, the best one of each family."""
    known = ~np.isnan(alone).all(0)
    mean = np.full(alone.shape[1], -np.inf)
    mean[known] = np.nanmean(alone[:, known], axis=0)
    found: dict[str, int] = {}
    for c in np.argsort(-mean, kind="stable"):
        if len(found) == _FEATURES or mean[c] < _LEAST_ALONE:
            break
        found.setdefault(columns["family"].iloc[c], int(c))
    return list(found.values())


def counterparts(importance: pd.DataFrame, organelle: str) -> Counterparts | None:
    """What goes with the embedding for a class, from the table of importances; None without an embedding."""
    rows = importance[(importance["organelle"] == organelle) & (importance["level"] == READABLE)]
    of_all, of_one = rows[rows["what"] == ALL_READABLE], rows[rows["what"] != ALL_READABLE]
    if of_all.empty:
        return None
    features = zip(of_one["what"].astype(str), of_one["share_mean"], of_one["shap_mean"], strict=True)
    return Counterparts(float(of_all["share_mean"].iloc[0]), float(of_all["share_sd"].iloc[0]), tuple(features))


def all_counterparts(importance: pd.DataFrame) -> dict[str, Counterparts]:
    """What goes with the embedding, by class."""
    found = {str(name): counterparts(importance, name) for name in importance["organelle"].unique()}
    return {name: one for name, one in found.items() if one is not None}
