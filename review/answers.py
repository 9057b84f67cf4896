"""What the page shows of the run, its fields and its cells, as JSON can hold it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.errors import UsageError
from report.feature_descriptions import in_words
from report.rows import rows_of
from review.catalogue import entropies
from review.labels import LabelTable
from review.reasons import cell_scores, measured_cells, reasons
from review.selection import Known, page_of, select
from review.spaces import plane, scaled
from review.state import Review
from store.channels import IMAGE, PROTEIN
from store.matrix import matrix_columns

SIMILAR = 6
MOST_POINTS = 20_000
"""Fields on the map at most, evenly spaced; cells are sampled in `review.cells`."""


def run_facts(review: Review) -> dict[str, Any]:
    """What does not change while the page is open, but by a refit."""
    known, labels = review.catalogue, review.labels.table()
    fitted = known.fitted
    return {
        "run": str(review.folder.root), "data": str(review.data), "by": review.by, "classes": list(known.classes),
        "trainable": [is_trainable(review, name) for name in known.classes], "may_add": review.may_add_classes,
        "fields": {split: int((known.split == split).sum()) for split in ("train", "test")},
        "fit": fitted is not None, "fits": review.fits, "no_fit": known.no_fit,
        "folds": fitted.leaderboard.folds if fitted else "",
        "groups": _names(known.group), "plates": _names(known.plate),
        "doubted": len(known.doubts), "counts": label_counts(labels),
    }  # fmt: skip


def _names(of_all: Sequence[str]) -> list[str]:
    """The names of groups or plates in order of appearance, as many as a list can show."""
    return [name for name in dict.fromkeys(of_all) if name][:2000]


def label_counts(labels: LabelTable) -> dict[str, Any]:
    """How many fields are labelled, corrected and unusable, and how many carry each class."""
    usable = labels.labelled & ~labels.unusable
    return {
        "labelled": int(usable.sum()), "corrected": int(labels.corrected.sum()),
        "unusable": int(labels.unusable.sum()), "of_class": labels.matrix[usable].sum(0).tolist(),
        "version": labels.version,
    }  # fmt: skip


def status(review: Review, since: int) -> dict[str, Any]:
    """How far the background work is, how many labels there are, and what `changed_since` gives."""
    return {"tasks": review.tasks.shown(), "pictures": review.tasks.state("pictures").result or "",
            "fits": review.fits, **changed_since(review, since)}  # fmt: skip


def changed_since(review: Review, since: int) -> dict[str, Any]:
    """The fields that anybody corrected after the first `since` corrections, and how many labels there are."""
    labels, corrections = review.labels.table(), review.labels.journal.rows()
    later = corrections[since:] if 0 <= since <= len(corrections) else corrections
    fields = dict.fromkeys(one.field for one in later if one.field in review.catalogue.row)
    known = review.known() if fields else None
    rows = [field_facts(review, review.catalogue.row[field], labels, known) for field in fields] if known else []
    return {"rows": rows, "counts": label_counts(labels)}


def fields_page(review: Review, query: Mapping[str, Any]) -> dict[str, Any]:
    """A page of fields."""
    labels, useful = review.labels.table(), query.get("sort") == "most useful"
    known = review.known(useful)
    rows = select(query, review.catalogue, labels, known)
    return {"total": len(rows), "rows": [field_facts(review, int(i), labels, known) for i in page_of(rows, query)],
            "waiting": useful and review.space() is None}  # fmt: skip


def field_facts(review: Review, i: int, labels: LabelTable, known: Known) -> dict[str, Any]:
    """One field for the gallery."""
    of_all, p = review.catalogue, known.probabilities[i]
    seen = not np.isnan(p).all()
    names, unsure = of_all.classes, float(np.nansum(entropies(p))) if seen else None
    order = [j for j in np.argsort(-p, kind="stable") if p[j] >= 0] if seen else []
    return {
        "id": of_all.ids[i], "row": i, "split": str(of_all.split[i]), "group": of_all.group[i],
        "cells": None if np.isnan(of_all.cells[i]) else int(of_all.cells[i]),
        "labels": [names[j] for j in np.flatnonzero(labels.matrix[i])], "labelled": bool(labels.labelled[i]),
        "corrected": bool(labels.corrected[i]), "unusable": bool(labels.unusable[i]), "note": labels.notes.get(i, ""),
        "calls": [[names[j], round(float(p[j]), 4)] for j in order if known.calls[i, j]],
        "next": [[names[j], round(float(p[j]), 4)] for j in order[:5] if not known.calls[i, j]],
        "unsure": unsure, "unlike": bool(known.unlike[i]), "held_out": bool(of_all.fitted_row[i] >= 0),
        "doubts": [[names[j], labelled, round(q, 4), round(doubt, 4)]
                   for j, labelled, q, doubt in of_all.doubts.get(i, ())],
    }  # fmt: skip


def one_field(review: Review, i: int) -> dict[str, Any]:
    """One field for its own view: all probabilities, its cells, its history."""
    labels, known = review.labels.table(), review.known()
    p, names = known.probabilities[i], review.catalogue.classes
    seen = not np.isnan(p).all()
    index, cells = review.cells(), []
    if index is not None:
        cells = [
            [int(index.number[k]), round(float(index.x[k]), 1), round(float(index.y[k]), 1), int(index.width[k])]
            for k in index.of_field(i)
        ]
    return field_facts(review, i, labels, known) | {
        "probabilities": [[name, float(q), bool(c)] for name, q, c in zip(names, p, known.calls[i], strict=True)
                          if not np.isnan(q)]
        if seen else [],
        "where": cells,
        "history": [vars(one) for one in review.labels.history(review.catalogue.ids[i])],
        "similar": _similar(review, i, labels),
    }  # fmt: skip


def _similar(review: Review, i: int, labels: LabelTable) -> list[dict[str, Any]]:
    space, known = review.space(), review.catalogue
    if space is None:
        return []
    training = np.flatnonzero((known.split == "train") & (labels.labelled | (known.fitted is None)))
    return [
        {"id": known.ids[k], "distance": round(apart, 3),
         "labels": [known.classes[j] for j in np.flatnonzero(labels.matrix[k])]}
        for k, apart in space.similar(i, training, SIMILAR)
    ]  # fmt: skip


def scale(review: Review, field: str) -> dict[str, Any]:
    """Height and width of a field, px, and the size of its pixels, µm, or None if it is not known."""
    (height, width), pixel_size = review.pictures.scale(field)
    return {"height": height, "width": width, "pixel_size": pixel_size}


def why(review: Review, i: int, name: str) -> dict[str, Any]:
    """Reasons in words and scores of the cells for one class of one field."""
    known = review.catalogue
    if known.fitted is None or not is_trainable(review, name):
        return {"reasons": [], "cells": []}
    j, of_field, index = known.classes.index(name), review.field_values(i), review.cells()

    def on_scale(values: np.ndarray) -> np.ndarray:
        return review.on_scale(i, values)

    fitted, columns = known.fitted, known.columns
    cells = None if index is None else measured_cells(fitted, index, columns, i, of_field, on_scale)
    found = reasons(fitted, columns, of_field, j, on_scale, *review.background(fitted), cells)
    return {"reasons": found, "cells": cell_scores(fitted, cells, j) if cells else []}


def is_trainable(review: Review, name: str) -> bool:
    """Whether the fit has learnt a class."""
    fitted = review.catalogue.fitted
    return (
        fitted is not None and name in fitted.classes.names and bool(fitted.trainable[fitted.classes.names.index(name)])
    )


def features(review: Review) -> dict[str, Any]:
    """The features of fields and of cells by name, with what they measure in words."""
    columns = review.catalogue.columns
    of_cell = columns[columns["compartment"] != IMAGE]
    protein_first = sorted(rows_of(of_cell), key=lambda row: PROTEIN.name not in row["channels"])
    fields = sorted(rows_of(matrix_columns(columns)), key=lambda row: PROTEIN.name not in row["channels"])
    return {level: [[row["name"], in_words(row)] for row in rows]
            for level, rows in (("fields", fields), ("cells", protein_first))}  # fmt: skip


def points(review: Review, level: str, colour: str, name: str) -> dict[str, Any]:
    """The map: places from 0 to 10,000, and a colour value of each point.

    Parameters
    ----------
    level : str
        "fields" or "cells".
    colour : str
        "label", "call", "probability" (of the class `name`), "group", "plate", "split", "feature" (of that name), or
        "none".
    """
    if level == "cells":
        found, index = review.cell_map(), review.cells()
        if found is None or index is None:
            state = review.tasks.state("map of cells" if index is not None else "cells")
            return {"waiting": state.stage != "failed", "error": state.error}
        rows, keys = index.field[found.cells], found.cells
        xy, n_all = found.points, found.n_all
        of_all = review.cell_feature(name) if colour == "feature" else None
        if of_all is None and colour == "feature":
            return {"waiting": True}
        own = None if of_all is None else of_all[found.cells]
    else:
        space = review.space()
        if space is None:
            state = review.tasks.state("fields")
            return {"waiting": state.stage != "failed", "error": state.error}
        n_all = len(review.catalogue.ids)
        rows = np.arange(0, n_all, max(-(-n_all // MOST_POINTS), 1))
        keys, xy = rows, plane(space.space.fields[rows])
        own = review.feature(name)[rows] if colour == "feature" else None
    places = scaled(xy)
    return {
        "waiting": False, "x": places[0], "y": places[1], "key": keys.tolist(), "row": rows.tolist(), "all": n_all,
        **_colours(review, rows, colour, name, own),
    }  # fmt: skip


def _colours(review: Review, rows: np.ndarray, colour: str, name: str, own: np.ndarray | None) -> dict[str, Any]:
    known, labels = review.catalogue, review.labels.table()
    if own is not None:
        low, high = np.nanpercentile(own, (2, 98)) if not np.isnan(own).all() else (0.0, 1.0)
        share = (own - low) / (high - low if high > low else 1)
        return {"value": [None if np.isnan(v) else round(float(min(max(v, 0), 1)), 3) for v in share],
                "low": float(low), "high": float(high)}  # fmt: skip
    if colour == "probability":
        p = review.predicted()[0][rows, _class_number(review, name)]
        return {"value": [None if np.isnan(v) else round(float(v), 3) for v in p], "low": 0.0, "high": 1.0}
    if colour in ("label", "call"):
        matrix = labels.matrix if colour == "label" else review.predicted()[1]
        names = list(known.classes)
        if name:
            chosen = matrix[rows, _class_number(review, name)]
            return {"category": chosen.astype(int).tolist(), "names": [f"not {name}", name]}
        first = np.where(matrix.any(1), matrix.argmax(1), -1)
        rarest = np.where(matrix, matrix.sum(0), np.iinfo(np.int64).max).argmin(1)
        return {"category": np.where(first < 0, -1, rarest)[rows].tolist(), "names": names}
    if colour in ("group", "plate", "split"):
        of_all = {"group": known.group, "plate": known.plate, "split": known.split.tolist()}[colour]
        names = list(dict.fromkeys(filter(None, of_all)))
        at = {text: k for k, text in enumerate(names)}
        return {"category": [at.get(of_all[i], -1) for i in rows], "names": names}
    return {"category": [0] * len(rows), "names": ["all"]}


def _class_number(review: Review, name: str) -> int:
    if name not in review.catalogue.classes:
        raise UsageError("choose a class to colour by.")
    return review.catalogue.classes.index(name)
