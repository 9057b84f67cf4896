"""Label errors, confusions between organelles, and example fields: where labels and held-out models disagree."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.evaluation.metrics import average_precision
from store.classes import Classes
from store.schema import LABEL_ERRORS

N_SIMILAR = 5
"""Number of similar fields whose labels are compared."""

_EVEN = 0.5  # from here on the organelle is more likely present than absent
_LEAST = 1e-4  # probabilities are clipped this far from 0 and 1


@dataclass(frozen=True)
class LabelError:
    """A probable label error: a label that the held-out models confidently contradict.

    Attributes
    ----------
    row : int
        The field.
    organelle : int
    labelled : bool
        True if the label may be wrong, False if one may be missing.
    probability : float
        Held-out probability of the organelle.
    usual : float
        Mean probability of the fields with the opposite label.
    doubt : float
        From 0 to 1: the predicted probability that the label is wrong, times the models' average precision for the
        organelle.
    """

    row: int
    organelle: int
    labelled: bool
    probability: float
    usual: float
    doubt: float


@dataclass(frozen=True)
class Example:
    """A field that illustrates how an organelle is called.

    Attributes
    ----------
    row : int
        The field.
    kind : str
        "hit", "missed" or "false call".
    """

    row: int
    kind: str


def find_label_errors(labels: np.ndarray, probabilities: np.ndarray, trainable: np.ndarray) -> list[LabelError]:
    """Labels that may be wrong or missing, the most probable errors first.

    Confident learning for each organelle (Northcutt, Jiang, Chuang 2021, J. Artif. Intell. Res. 70): a label is listed
    if the model finds the opposite more likely, and at least as likely as it is, on average, for fields with the
    opposite label. The order weighs the model's confidence by its average precision for the organelle, so that
    organelles that are predicted poorly come late.

    Parameters
    ----------
    labels : ndarray of bool, shape (n_fields, n_organelles)
    probabilities : ndarray of float, shape (n_fields, n_organelles)
        Held-out probabilities.
    trainable : ndarray of bool, shape (n_organelles,)
    """
    found = []
    for j in np.flatnonzero(trainable):
        mine, p = labels[:, j], probabilities[:, j].astype(np.float64)
        if mine.all() or not mine.any():
            continue
        with_label, without, skill = float(p[mine].mean()), float(p[~mine].mean()), average_precision(mine, p)
        missing = np.flatnonzero(~mine & (p >= max(with_label, _EVEN)))
        wrong = np.flatnonzero(mine & (p <= without) & (p < _EVEN))
        if with_label > without:
            found += [LabelError(int(i), int(j), False, float(p[i]), with_label, skill * float(p[i])) for i in missing]
            found += [LabelError(int(i), int(j), True, float(p[i]), without, skill * float(1 - p[i])) for i in wrong]
    return sorted(found, key=lambda s: (-s.doubt, s.row, s.organelle))


def label_errors_table(
    ids: tuple[str, ...],
    classes: Classes,
    labels: np.ndarray,
    probabilities: np.ndarray,
    trainable: np.ndarray,
    groups: np.ndarray,
) -> pd.DataFrame:
    """The label errors as a table to review, the most probable first.

    Each is listed with the labels of the most similar fields: those of other groups whose predicted log-odds of all
    organelles are nearest.

    Parameters
    ----------
    ids : tuple of str
        n fields.
    classes : Classes
    labels, probabilities, trainable
        As in `find_label_errors`, for all classes.
    groups : ndarray of int, shape (n,)

    Returns
    -------
    DataFrame
        Id, organelle, kind ("missing" or "wrong"), probability, usual, doubt, labels ("; " between), similar_with
        (how many of the `similar` most similar fields carry the organelle), similar, most_similar (an Id, or ""),
        most_similar_labels.
    """
    found = find_label_errors(labels, probabilities, trainable)
    rows = sorted({one.row for one in found})
    near = dict(zip(rows, _similar(probabilities[:, trainable], groups, np.array(rows, np.int64)), strict=True))

    def joined(row: np.ndarray) -> str:
        return "; ".join(classes.named(row))

    table = [
        {
            "Id": ids[one.row],
            "organelle": classes.names[one.organelle],
            "kind": "wrong" if one.labelled else "missing",
            "probability": one.probability,
            "usual": one.usual,
            "doubt": one.doubt,
            "labels": joined(labels[one.row]),
            "similar_with": int(labels[near[one.row], one.organelle].sum()),
            "similar": len(near[one.row]),
            "most_similar": ids[near[one.row][0]] if len(near[one.row]) else "",
            "most_similar_labels": joined(labels[near[one.row][0]]) if len(near[one.row]) else "",
        }
        for one in found
    ]
    return pd.DataFrame(table, columns=list(LABEL_ERRORS))


def _similar(probabilities: np.ndarray, groups: np.ndarray, rows: np.ndarray) -> list[np.ndarray]:
    """For each of some rows the `N_SIMILAR` rows of other groups with the nearest log-odds, the nearest first."""
    from sklearn.metrics import pairwise_distances_chunked  # takes half a second, not needed by most commands

    if not len(rows):
        return []
    p = probabilities.astype(np.float64).clip(_LEAST, 1 - _LEAST)
    odds = np.log(p) - np.log1p(-p)

    def nearest(distances: np.ndarray, start: int) -> list[np.ndarray]:
        out = []
        for row, distance in zip(rows[start:], distances):
            apart = np.where(groups == groups[row], np.inf, distance)
            limit = np.partition(apart, min(N_SIMILAR, len(apart)) - 1)[min(N_SIMILAR, len(apart)) - 1]
            close = np.flatnonzero((apart <= limit) & (apart < np.inf))
            out.append(close[np.argsort(apart[close], kind="stable")][:N_SIMILAR].copy())  # not a view of a long array
        return out

    return [near for part in pairwise_distances_chunked(odds[rows], odds, reduce_func=nearest) for near in part]


def confusions(labels: np.ndarray, calls: np.ndarray) -> np.ndarray:
    """How often one organelle was called in place of another.

    Parameters
    ----------
    labels, calls : ndarray of bool, shape (n_fields, n_organelles)

    Returns
    -------
    ndarray of int64, shape (n_organelles, n_organelles)
        Fields that carry the row's organelle and were not called for it, but for the column's, which they do not carry.
    """
    missed, false = labels & ~calls, calls & ~labels
    return missed.T.astype(np.int64) @ false.astype(np.int64)


def examples(labels: np.ndarray, calls: np.ndarray, probabilities: np.ndarray, n: int) -> list[Example]:
    """The most confident hits, and the worst errors of both kinds.

    Parameters
    ----------
    labels, calls : ndarray of bool, shape (n_fields,)
    probabilities : ndarray of float, shape (n_fields,)
    n : int
        Of each kind at most.
    """
    sure = np.argsort(-probabilities, kind="stable")
    hits = [i for i in sure if labels[i] and calls[i]]
    missed = [i for i in sure[::-1] if labels[i] and not calls[i]]
    false = [i for i in sure if calls[i] and not labels[i]]
    kinds = (("hit", hits), ("missed", missed), ("false call", false))
    return [Example(int(i), kind) for kind, rows in kinds for i in rows[:n]]
