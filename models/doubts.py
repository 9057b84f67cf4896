"""Where labels and models disagree: organelles taken for each other, labels to look at again, fields worth showing."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Suspect:
    """A label that the models, which have not seen the field, disagree with.

    Attributes
    ----------
    row : int
        The field.
    organelle : int
    labelled : bool
        True if the label may be wrong, False if one may be missing.
    probability : float
        Of the organelle.
    usual : float
        What the probability is on average where the label is the other way round.
    """

    row: int
    organelle: int
    labelled: bool
    probability: float
    usual: float


@dataclass(frozen=True)
class Example:
    """A field that shows how an organelle is called.

    Attributes
    ----------
    row : int
        The field.
    kind : str
        "hit", "missed" or "false call".
    """

    row: int
    kind: str


def suspects(labels: np.ndarray, probabilities: np.ndarray, evaluable: np.ndarray) -> list[Suspect]:
    """Labels that may be wrong or missing, the most doubtful first.

    A label is doubted where the model is at least as sure of the opposite as it is, on average, of fields that carry
    the opposite: confident learning for each organelle (Northcutt, Jiang, Chuang 2021, J. Artif. Intell. Res. 70).
    They are ordered by how far they pass that mark.

    Parameters
    ----------
    labels : ndarray of bool, shape (n_fields, n_organelles)
    probabilities : ndarray of float, shape (n_fields, n_organelles)
        From models that have not seen the field.
    evaluable : ndarray of bool, shape (n_organelles,)
    """
    found = []
    for j in np.flatnonzero(evaluable):
        mine, p = labels[:, j], probabilities[:, j].astype(np.float64)
        if mine.all() or not mine.any():
            continue
        with_label, without = float(p[mine].mean()), float(p[~mine].mean())
        if with_label <= without:
            continue
        found += [
            Suspect(int(i), int(j), False, float(p[i]), with_label) for i in np.flatnonzero(~mine & (p >= with_label))
        ]
        found += [Suspect(int(i), int(j), True, float(p[i]), without) for i in np.flatnonzero(mine & (p <= without))]
    return sorted(found, key=lambda s: (-abs(s.probability - s.usual), s.row, s.organelle))


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
    """The surest hits, and of both kinds of error the worst.

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
