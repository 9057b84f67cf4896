"""Which fields the gallery shows, in which order: filters and sorting, a page at a time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import UsageError
from engine.ids import shown
from review.catalogue import Catalogue, entropies
from review.labels import LabelTable

LARGEST_PAGE = 200
_LARGEST_NUMBER = 1e9


@dataclass(frozen=True)
class Known:
    """What is known of the fields beside the catalogue, each array with one entry a field.

    Attributes
    ----------
    probabilities, calls : ndarray, shape (n, k)
        Also of fields that were not fitted on, once they are predicted.
    unlike : ndarray of bool
        Out of distribution.
    useful : ndarray of int
        Rank among the most useful fields to label, from 0; -1 for the others.
    feature : callable
        Returns a feature's value of each field, by its name.
    """

    probabilities: np.ndarray
    calls: np.ndarray
    unlike: np.ndarray
    useful: np.ndarray
    feature: Callable[[str], np.ndarray]

    @property
    def uncertainty(self) -> np.ndarray:
        """Summed entropy of a field's probabilities in bits; -1 where they are not known."""
        unknown = np.isnan(self.probabilities).all(1)
        return np.where(unknown, -1.0, np.nansum(entropies(self.probabilities), axis=1))


def select(query: Mapping[str, Any], catalogue: Catalogue, labels: LabelTable, known: Known) -> np.ndarray:
    """The rows that a query asks for, in its order.

    Parameters
    ----------
    query : mapping
        Filters (all optional): split, label, call, low and high (probability of `call`, or else of `label`, or else
        the highest of a field), labelled, corrected, unusable, doubted, unlike, wrong (labels and calls differ),
        group, plate, text, rows; sort, descending.

    Raises
    ------
    UsageError
        If a class or an order is unknown.
    """
    kept = np.ones(len(catalogue.ids), bool)
    if split := _name(query, "split"):
        kept &= catalogue.split == split
    label, call = _class(query, "label", catalogue), _class(query, "call", catalogue)
    if label is not None:
        kept &= labels.matrix[:, label]
    if call is not None:
        kept &= known.calls[:, call]
    of_class = call if call is not None else label
    values: dict[str, Callable[[], np.ndarray]] = {
        "uncertainty": lambda: known.uncertainty, "doubt": lambda: _doubt(catalogue, labels),
        "probability": lambda: _probability(catalogue, known, of_class), "cells": lambda: catalogue.cells,
        "feature": lambda: known.feature(str(query.get("feature"))),
    }  # fmt: skip
    if query.get("low") is not None or query.get("high") is not None:
        p = values["probability"]()
        kept &= (p >= number(query, "low", 0.0)) & (p <= number(query, "high", 1.0))
    states: dict[str, Callable[[], np.ndarray]] = {
        "labelled": lambda: labels.labelled, "corrected": lambda: labels.corrected, "unusable": lambda: labels.unusable,
        "doubted": lambda: values["doubt"]() > 0, "unlike": lambda: known.unlike,
        "wrong": lambda: _contradicted(catalogue, labels, known),
    }  # fmt: skip
    for name, state in states.items():
        if query.get(name) is not None:
            kept &= state() == bool(query[name])
    for name, of_all in (("group", catalogue.group), ("plate", catalogue.plate)):
        if wanted := _name(query, name):
            kept &= np.array(of_all) == wanted
    if text := str(query.get("text") or "").casefold():
        matching = [text in field.casefold() or text in labels.notes.get(i, "").casefold()
                    for i, field in enumerate(catalogue.ids)]  # fmt: skip
        kept &= np.array(matching, bool)
    if query.get("rows") is not None:
        if not isinstance(query["rows"], list):
            raise UsageError("the rows of a selection are a list of numbers.")
        chosen = np.zeros(len(kept), bool)
        chosen[[row for row in query["rows"] if type(row) is int and 0 <= row < len(kept)]] = True
        kept &= chosen
    return _sorted(np.flatnonzero(kept), query, known, values)


def _class(query: Mapping[str, Any], name: str, catalogue: Catalogue) -> int | None:
    wanted = query.get(name)
    if not wanted:
        return None
    if wanted not in catalogue.classes:
        raise UsageError(f"{shown(str(wanted))!r} is no class of this run.")
    return catalogue.classes.index(wanted)


def learnt_classes(catalogue: Catalogue) -> np.ndarray:
    """Which classes the fit has learnt, a bool for each. The probability of the others is their share of the labels."""
    learnt = np.zeros(len(catalogue.classes), bool)
    if catalogue.fitted:
        learnt[: len(catalogue.fitted.trainable)] = catalogue.fitted.trainable
    return learnt


def _contradicted(catalogue: Catalogue, labels: LabelTable, known: Known) -> np.ndarray:
    """Which labelled fields have other labels than calls, of the classes that can be called."""
    learnt, seen = learnt_classes(catalogue), ~np.isnan(known.probabilities).all(1)
    return labels.labelled & seen & (labels.matrix != known.calls)[:, learnt].any(1)


def _probability(catalogue: Catalogue, known: Known, of_class: int | None) -> np.ndarray:
    """The probability of a class in each field, or the highest of all; where it is not known NaN, or -1."""
    if of_class is not None:
        return known.probabilities[:, of_class]
    return np.nan_to_num(known.probabilities[:, learnt_classes(catalogue)], nan=-1).max(1, initial=-1)


def _doubt(catalogue: Catalogue, labels: LabelTable) -> np.ndarray:
    """The largest doubt of each field about a label that still stands; 0 without one."""
    doubt = np.zeros(len(catalogue.ids))
    for i, found in catalogue.doubts.items():
        doubt[i] = max((much for j, labelled, _, much in found if labels.matrix[i, j] == labelled), default=0)
    return doubt


def _sorted(
    rows: np.ndarray, query: Mapping[str, Any], known: Known, values: Mapping[str, Callable[[], np.ndarray]]
) -> np.ndarray:
    sort, descending = query.get("sort") or "order", query.get("descending", True)
    if sort == "order":
        return rows if descending else rows[::-1]
    if sort == "most useful":
        mine = rows[known.useful[rows] >= 0]
        return mine[np.argsort(known.useful[mine], kind="stable")]
    if str(sort) not in values:
        expected = ", ".join(("order", "most useful", *values))
        raise UsageError(f"the order {shown(str(sort))!r} is unknown (expected one of {expected}).")
    found = values[str(sort)]()[rows].astype(np.float64)
    keys = np.where(np.isnan(found), np.inf, -found if descending else found)
    return rows[np.argsort(keys, kind="stable")]


def number(query: Mapping[str, Any], name: str, otherwise: float) -> float:
    """A number of the query, also as the text of a field of the page; raises UsageError for anything else."""
    found = query.get(name) or otherwise
    try:
        value = float(found)
    except (TypeError, ValueError, OverflowError):
        value = np.nan
    if not abs(value) <= _LARGEST_NUMBER:
        raise UsageError(f"{name} is {shown(str(found))!r} (expected a number).")
    return value


def _name(query: Mapping[str, Any], name: str) -> str:
    """A text of the query, or nothing; raises UsageError for anything else."""
    found = query.get(name) or ""
    if not isinstance(found, str):
        raise UsageError(f"{name} is {shown(str(found), 80)!r} (expected a name).")
    return found


def page_of(rows: np.ndarray, query: Mapping[str, Any]) -> np.ndarray:
    """One page of rows: `start` and `size` of the query, at most `LARGEST_PAGE`."""
    start = max(int(number(query, "start", 0)), 0)
    size = min(max(int(number(query, "size", 60)), 1), LARGEST_PAGE)
    return rows[start : start + size]
