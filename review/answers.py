"""What the page shows of the run, its fields and its cells, as JSON can hold it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models.data.labels_per_field import EXCLUSIVE
from report.feature_descriptions import in_words
from report.rows import rows_of
from review.labels import LabelTable
from review.reasons import cell_scores, measured_cells, reasons
from review.selection import Known, learnt_classes, page_of, select
from review.spaces import similar
from review.state import Review
from store.channels import IMAGE, PROTEIN
from store.corrections import LONGEST_NOTE
from store.matrix import matrix_columns

SIMILAR = 6


def run_facts(review: Review) -> dict[str, Any]:
    """What does not change while the page is open, but by a refit."""
    known, labels = review.catalogue, review.labels.table()
    fitted = known.fitted
    return {
        "run": str(review.folder.root), "data": str(review.data), "by": review.by, "classes": list(known.classes),
        "trainable": [is_trainable(review, name) for name in known.classes], "may_add": review.may_add_classes,
        "fields": {split: int((known.split == split).sum()) for split in ("train", "test")},
        "fit": fitted is not None, "version": review.version, "no_fit": known.no_fit,
        "one_call": fitted is not None and fitted.settings.per_field in EXCLUSIVE,
        "groups": _names(known.group), "plates": _names(known.plate),
        "longest_note": LONGEST_NOTE, "counts": label_counts(labels),
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
    review.notice()
    without = review.tasks.state("pictures").result or review.pictures.replaced
    return {"tasks": review.tasks.shown(), "pictures": without,
            "version": review.version, **changed_since(review, since)}  # fmt: skip


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
    waiting = review.tasks.unfinished("fields") if useful and review.placed() is None else {"waiting": False}
    return {"total": len(rows), "rows": [field_facts(review, int(i), labels, known) for i in page_of(rows, query)],
            **waiting}  # fmt: skip


def field_facts(review: Review, i: int, labels: LabelTable, known: Known) -> dict[str, Any]:
    """One field for the gallery."""
    of_all, p = review.catalogue, known.probabilities[i]
    names, learnt = of_all.classes, learnt_classes(of_all)
    order = [j for j in np.argsort(-p, kind="stable") if p[j] >= 0 and learnt[j]]
    return {
        "id": of_all.ids[i], "row": i, "split": str(of_all.split[i]), "group": of_all.group[i],
        "cells": None if np.isnan(of_all.cells[i]) else int(of_all.cells[i]),
        "labels": [names[j] for j in np.flatnonzero(labels.matrix[i])], "labelled": bool(labels.labelled[i]),
        "corrected": bool(labels.corrected[i]), "unusable": bool(labels.unusable[i]), "note": labels.notes.get(i, ""),
        "calls": [[names[j], round(float(p[j]), 4)] for j in order if known.calls[i, j]],
        "probabilities": [[names[j], round(float(p[j]), 4)] for j in order],
        "unlike": bool(known.unlike[i]), "held_out": bool(of_all.fitted_row[i] >= 0),
        "doubts": [[names[j], labelled, round(q, 4), round(doubt, 4)]
                   for j, labelled, q, doubt in of_all.doubts.get(i, ())],
    }  # fmt: skip


def one_field(review: Review, i: int) -> dict[str, Any]:
    """One field for its own view: its cells, its history and the fields most similar to it.

    `unfinished` counts the tasks of which more will be known of it.
    """
    labels, known = review.labels.table(), review.known()
    index, cells = review.cells(), []
    if index is not None:
        cells = [
            [int(index.number[k]), round(float(index.x[k]), 1), round(float(index.y[k]), 1), int(index.width[k])]
            for k in index.of_field(i)
        ]
    return field_facts(review, i, labels, known) | {
        "where": cells,
        "history": [vars(one) for one in review.labels.history(review.catalogue.ids[i])],
        "similar": _similar(review, i, labels),
        "unfinished": sum(review.tasks.state(name).busy for name in ("fields", "predictions", "cells")),
    }  # fmt: skip


def _similar(review: Review, i: int, labels: LabelTable) -> list[dict[str, Any]]:
    placed, known = review.placed(), review.catalogue
    if placed is None:
        return []
    training = np.flatnonzero((known.split == "train") & (labels.labelled | (known.fitted is None)))
    return [
        {"id": known.ids[k], "distance": round(apart, 3),
         "labels": [known.classes[j] for j in np.flatnonzero(labels.matrix[k])]}
        for k, apart in similar(placed, i, training, SIMILAR)
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
    j, of_field, index = known.classes.index(name), review.values.row(i), review.cells()

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
