"""The points of the map and their colours, as JSON can hold them."""

from typing import Any

import numpy as np

from engine.errors import UsageError
from review.spaces import plane, scaled
from review.state import Review

MOST_POINTS = 20_000
"""Fields on the map at most, evenly spaced; cells are sampled in `review.cells`."""


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
            return review.tasks.unfinished("map of cells" if index is not None else "cells")
        rows, keys = index.field[found.cells], found.cells
        xy, n_all = found.points, found.n_all
        own = review.feature_of_cells(found.cells, name) if colour == "feature" else None
    else:
        placed = review.placed()
        if placed is None:
            return review.tasks.unfinished("fields")
        n_all = len(review.catalogue.ids)
        rows = np.arange(0, n_all, max(-(-n_all // MOST_POINTS), 1))
        keys, xy = rows, plane(placed[rows])
        own = review.values.column(name)[rows] if colour == "feature" else None
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
