"""What a refit changed: scores before and after on the same fields, folds and labels, and the calls that changed."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from models.evaluation.comparison import Change, compare
from models.evaluation.metrics import average_precision
from models.fitted import Fitted

MOST_SHOWN = 200
"""Changed calls that are listed."""


@dataclass(frozen=True)
class Refitted:
    """A refit compared with the fit before it.

    Attributes
    ----------
    first : bool
        Whether there was no fit before.
    other_classes : bool
        Whether the fit before had other classes, so that scores do not compare.
    n_fields, n_same_fold : int
        Fields scored in both, and how many of them are in the same fold.
    ap, f1 : Change or None
        Macro scores over the classes that both fits learnt, on the labels as they stand now.
    classes : list of dict
        By class: name, labelled fields now, how many labels were added and removed, average precision before and after.
    calls : list of dict
        id, class, called and labelled (now), before and after (probabilities); the largest changes first.
    n_calls : int
        All changed calls.
    """

    first: bool
    other_classes: bool
    n_fields: int
    n_same_fold: int
    ap: Change | None
    f1: Change | None
    classes: list[dict[str, Any]]
    calls: list[dict[str, Any]]
    n_calls: int

    def shown(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def compare_fits(before: Fitted | None, after: Fitted) -> Refitted:
    """Compare a refit with the fit before it."""
    names = after.settings.organelles
    if before is None or before.settings.organelles != names:
        scores = _class_rows(names, after, None, np.arange(len(after.ids)), np.arange(0))
        return Refitted(before is None, before is not None, int((after.fold >= 0).sum()), 0, None, None, scores, [], 0)
    at = pd.Index(before.ids).get_indexer(pd.Index(after.ids))
    mine = np.flatnonzero((at >= 0) & (after.fold >= 0) & (before.fold[at] >= 0))
    old = at[mine]
    both = before.trainable & after.trainable
    labels, groups = after.labels[mine][:, both], after.groups[mine]
    ap, f1 = (
        compare(labels, first[old][:, both], second[mine][:, both], groups, score)
        for score, first, second in (
            ("ap", before.probabilities, after.probabilities), ("f1", before.calls, after.calls),
        )
    )  # fmt: skip
    changed = np.argwhere(before.calls[old] != after.calls[mine])
    size = np.array([abs(after.probabilities[mine[i], j] - before.probabilities[old[i], j]) for i, j in changed])
    calls = [
        {
            "id": after.ids[mine[i]], "class": names[j], "called": bool(after.calls[mine[i], j]),
            "labelled": bool(after.labels[mine[i], j]),
            "before": float(before.probabilities[old[i], j]), "after": float(after.probabilities[mine[i], j]),
        }
        for i, j in changed[np.argsort(-size, kind="stable")[:MOST_SHOWN]]
    ]  # fmt: skip
    same = int((before.fold[old] == after.fold[mine]).sum())
    return Refitted(
        False, False, len(mine), same, ap, f1, _class_rows(names, after, before, mine, old), calls, len(changed)
    )


def _class_rows(
    names: tuple[str, ...], after: Fitted, before: Fitted | None, mine: np.ndarray, old: np.ndarray
) -> list[dict[str, Any]]:
    rows = []
    for j, name in enumerate(names):
        labels = after.labels[mine, j]
        row: dict[str, Any] = {"class": name, "n": int(after.labels[:, j].sum()), "before": None, "after": None}
        given = labels if before is None else before.labels[old, j]
        row |= {"added": int((labels & ~given).sum()), "removed": int((given & ~labels).sum())}
        if after.trainable[j] and labels.any():
            row["after"] = average_precision(labels, after.probabilities[mine, j])
        if before is not None and before.trainable[j] and labels.any():
            row["before"] = average_precision(labels, before.probabilities[old, j])
        rows.append(row)
    return rows
