"""Pages of cells for the gallery: in the order of their fields, by a feature, or by their scores for a class."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from engine.errors import UsageError
from review.answers import is_trainable
from review.cell_features import task_of
from review.cell_scores import MOST_FIELDS, TASK
from review.cells import CellIndex
from review.selection import number, page_of, select
from review.state import Review


def cells_page(review: Review, query: Mapping[str, Any]) -> dict[str, Any]:
    """A page of cells: those of the fields that a query selects, with `cells` only those with these numbers."""
    index = review.cells()
    if index is None:
        return {"total": 0, "rows": [], **review.tasks.unfinished("cells")}
    if query.get("sort") == "score":
        return _scored_page(review, index, query)
    chosen = _selected_cells(review, index, query)
    if name := query.get("feature") if query.get("sort") == "feature" else None:
        of_all = review.cell_feature(str(name))
        if of_all is None:
            return {"total": 0, "rows": [], **review.tasks.unfinished(task_of(str(name)))}
        values = of_all[chosen].astype(np.float64)
        keys = np.where(np.isnan(values), np.inf, -values if query.get("descending", True) else values)
        chosen = chosen[np.argsort(keys, kind="stable")]
    elif not query.get("descending", True):
        chosen = chosen[::-1]
    rows = [_cell_facts(review, index, int(k)) for k in page_of(chosen, query)]
    return {"total": len(chosen), "waiting": False, "rows": rows}


def _cell_facts(review: Review, index: CellIndex, k: int) -> dict[str, Any]:
    return {"id": review.catalogue.ids[index.field[k]], "cell": int(index.number[k]), "index": k,
            "border": bool(index.at_border[k])}  # fmt: skip


def _scored_page(review: Review, index: CellIndex, query: Mapping[str, Any]) -> dict[str, Any]:
    """Cells of the fields that are called as the class `score`, by their own scores for it.

    Only the `MOST_FIELDS` most probable of these fields are scored. `called` counts all of them, `scored` those.
    """
    name = str(query.get("score"))
    if not is_trainable(review, name):
        raise UsageError("choose a class that the fit has learnt, to sort cells by their score for it.")
    j, known, chosen = review.catalogue.classes.index(name), review.known(), _selected_cells(review, index, query)
    called = np.unique(index.field[chosen])
    called = called[known.calls[called, j]]
    rows = called[np.argsort(-known.probabilities[called, j], kind="stable")[:MOST_FIELDS]]
    counts = {"called": len(called), "scored": len(rows)}
    found = review.scored_cells(j, rows)
    if found is None:
        return {"total": 0, "rows": [], **review.tasks.unfinished(TASK), **counts}
    least = None if query.get("least") is None else number(query, "least", 0.0)
    cells, scores = found.best(least, bool(query.get("descending", True)))
    wanted = np.zeros(len(index.field), bool)
    wanted[chosen] = True
    cells, scores = cells[wanted[cells]], scores[wanted[cells]]
    page = zip(page_of(cells, query), page_of(scores, query), strict=True)
    return {"total": len(cells), "waiting": False, **counts,
            "rows": [_cell_facts(review, index, int(k)) | {"score": round(float(score), 3)} for k, score in page],
            }  # fmt: skip


def _selected_cells(review: Review, index: CellIndex, query: Mapping[str, Any]) -> np.ndarray:
    plain = {name: value for name, value in query.items() if name not in ("sort", "feature")}
    rows = select(plain, review.catalogue, review.labels.table(), review.known())
    wanted = np.zeros(len(review.catalogue.ids) + 1, bool)
    wanted[rows] = True
    kept = wanted[index.field]
    if query.get("border") is not None:
        kept &= index.at_border == bool(query["border"])
    if query.get("cells") is None:
        return np.flatnonzero(kept)
    named = query["cells"]
    if not isinstance(named, list) or not all(type(k) is int and 0 <= k < len(index.field) for k in named):
        raise UsageError("a cell that was asked for does not exist.")
    cells = np.array(named, np.int64)
    return cells[kept[cells]]
