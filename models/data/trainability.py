"""Which classes have enough fields and groups to be trained and tested, and why the others have not."""

from collections.abc import Sequence

import numpy as np

from engine.counted import counted

LEAST_FIELDS = 5
"""Fewest fields with a class, and without it."""


def trainable(labels: np.ndarray, groups: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Which classes have enough positives and negatives to be trained and tested.

    Both need at least five fields, as many groups as there are folds, and a field in the training part of every fold.

    Returns
    -------
    ndarray of bool, shape (n_classes,)
    """
    return np.array([not reason for reason in why_not_trainable(labels, groups, fold)], bool)


def why_not_trainable(labels: np.ndarray, groups: np.ndarray, fold: np.ndarray) -> tuple[str, ...]:
    """Why each class cannot be learnt, to follow its name; "" for a trainable one.

    Parameters
    ----------
    labels : ndarray of bool, shape (n_fields, n_classes)
    groups, fold : ndarray of int, shape (n_fields,)
        Fields of fold -1 do not count.
    """
    used, n_folds = fold >= 0, len(np.unique(fold[fold >= 0]))
    return tuple(_reason(column[used], groups[used], fold[used], n_folds) for column in labels.T)


def _reason(positive: np.ndarray, groups: np.ndarray, fold: np.ndarray, n_folds: int) -> str:
    n, n_fields = int(positive.sum()), len(positive)
    if n == 0:
        return "on no field"
    if n == n_fields:
        return f"on every field ({n_fields}): it takes fields without it to learn what shows it"
    if n < LEAST_FIELDS:
        return f"too rare: {counted(n, 'field')}; at least {LEAST_FIELDS} are needed"
    if n_fields - n < LEAST_FIELDS:
        return f"on all but {counted(n_fields - n, 'field')}; at least {LEAST_FIELDS} without it are needed"
    for mine, which in ((positive, "its fields"), (~positive, "the fields without it")):
        n_groups = len(np.unique(groups[mine]))
        if n_groups < n_folds:
            return (
                f"{which} ({mine.sum()}) are in {counted(n_groups, 'group')} only; at least {n_folds} are needed, one "
                "for each fold"
            )
        if len(np.unique(fold[mine])) < 2:
            return f"{which} ({mine.sum()}) all came into one fold, so that no model would see one"
    return ""


def reason_lines(names: Sequence[str], reasons: Sequence[str]) -> list[str]:
    """A line for each reason with its classes; none if all are trainable."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in zip(names, reasons, strict=True):
        if reason:
            by_reason.setdefault(reason, []).append(name)
    return [f"{', '.join(found)}: {reason}" for reason, found in by_reason.items()]
