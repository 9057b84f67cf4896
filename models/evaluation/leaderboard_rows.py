"""Leaderboard rows of a fit's steps and ways of splitting, all scored on held-out fields."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from models.evaluation.leaderboard import macro_row, organelle_rows, step_row
from models.evaluation.metrics import best_f1, brier, calibration_error, each, f1, log_loss, macro, macro_ap
from models.second_level.second_level import CrossFitted
from models.second_level.thresholds import best_threshold, call
from models.settings import FitSettings


def step_rows(
    members: np.ndarray, settings: FitSettings, cross_fitted: CrossFitted, labels: np.ndarray, calls: np.ndarray
) -> list[pd.DataFrame]:
    """One row a step: each member, their mean, the stack, the calibration, and the kinds of threshold.

    Parameters
    ----------
    members : ndarray, shape (n_fields, n_organelles, n_members)
        Out-of-fold scores of the trainable organelles.
    settings : FitSettings
    cross_fitted : CrossFitted
    labels, calls : ndarray of bool, shape (n_fields, n_organelles)
    """
    p = cross_fitted.probabilities
    rows = [
        step_row(f"member {name}", ap=macro_ap(labels, members[:, :, m])) for m, name in enumerate(settings.members)
    ]
    rows.append(step_row("mean of members", ap=macro_ap(labels, cross_fitted.mean)))
    rows.append(step_row(f"stack: {_ways(cross_fitted, 0)}", ap=macro_ap(labels, cross_fitted.scores)))
    quality = {"brier": brier, "log_loss": log_loss, "ece": calibration_error}
    calibrated = {name: macro(each(score, labels, p)) for name, score in quality.items()}
    rows.append(step_row(f"calibration: {_ways(cross_fitted, 1)}", ap=macro_ap(labels, p), **calibrated))
    for name, threshold in (("threshold 0.5", 0.5), ("one threshold", best_threshold(p.ravel(), p.ravel()))):
        called = call(p, np.full(p.shape[1], threshold), settings.per_field)
        rows.append(step_row(name, f1=_macro_f1(labels, called)))
    rows.append(step_row(f"own thresholds: {_ways(cross_fitted, 2)}", f1=_macro_f1(labels, calls)))
    rows.append(step_row("an oracle's thresholds", f1=macro(each(best_f1, labels, p))))
    return rows


def split_row(
    name: str,
    labels: np.ndarray,
    probabilities: np.ndarray,
    calls: np.ndarray,
    trainable: np.ndarray,
    organelles: Sequence[str],
) -> pd.DataFrame:
    """Macro scores of one way of splitting; parameters as for `organelle_rows`."""
    return macro_row("split", name, organelle_rows(labels, probabilities, calls, trainable, organelles))


def leak_rows(
    name: str, grouped: np.ndarray, random: np.ndarray, labels: np.ndarray, fold: np.ndarray, random_fold: np.ndarray
) -> list[pd.DataFrame]:
    """Scores of one member with grouped and with random folds: the difference is the leak from splitting groups.

    Parameters
    ----------
    name : str
        The member.
    grouped, random : ndarray, shape (n_fields, n_organelles)
        Its scores; NaN for fields outside the folds compared.
    labels : ndarray of bool, shape (n_fields, n_organelles)
    fold, random_fold : ndarray of int, shape (n_fields,)
    """
    return [
        member_row(f"{kind} folds, {name} alone", scores, labels, folds)
        for kind, scores, folds in (("grouped", grouped, fold), ("random", random, random_fold))
    ]


def member_row(name: str, scores: np.ndarray, labels: np.ndarray, folds: np.ndarray) -> pd.DataFrame:
    """The average precision of one member's held-out scores: macro over classes, mean over folds."""
    known = (folds >= 0) & ~np.isnan(scores).any(1)
    by_fold = [macro_ap(labels[known & (folds == k)], scores[known & (folds == k)]) for k in np.unique(folds[known])]
    row = step_row(name, ap=macro(np.array(by_fold)))
    return row.assign(kind="split", n_organelles=float(labels.shape[1]))


def _macro_f1(labels: np.ndarray, calls: np.ndarray) -> float:
    return macro(each(f1, labels, calls))


def _ways(cross_fitted: CrossFitted, step: int) -> str:
    """The ways chosen in the folds, the most frequent first."""
    chosen = [ways[step] for ways in cross_fitted.chosen]
    return ", ".join(sorted(set(chosen), key=lambda way: (-chosen.count(way), way)))
