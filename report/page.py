"""The report page: one self-contained HTML file from a template that escapes all text."""

import base64
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from engine.files import whole
from models.data.trainability import why_not_trainable
from report.cards import make_cards
from report.figures import fold_figure
from report.importance_plot import CHANNEL_COLOURS, heat_map, svg
from report.plate_maps import MOST_PLATES, draw_plates, plate_maps
from report.report_data import PICTURE_SIDE, ReportData
from report.rows import Row, rows_of
from report.score_words import what_it_is
from report.summary import in_short
from store.matrix import EMBEDDING

N_LABEL_ERRORS, N_LISTED = 25, 50
_SECTIONS = (
    "short", "data", "plates", "scores", "leaderboard", "why", "cards", "label-errors", "duplicates", "failures",
    "words", "find", "found",
)  # fmt: skip
_HERE = Path(__file__).parent


def write_report(path: Path, data: ReportData) -> Path:
    """Write a self-contained page.

    Ids, errors and all other text are escaped, and the page's content security policy forbids every script but its
    own, so that a run folder from someone else cannot make the page run code.

    Parameters
    ----------
    path : Path
    data : ReportData

    Returns
    -------
    Path
        The file.
    """
    environment = Environment(
        autoescape=True, loader=FileSystemLoader(_HERE), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"score": _score, "percent": _percent, "count": _count, "what_it_is": what_it_is}
    text = environment.get_template("page.html.j2").render(_view(data))
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _view(data: ReportData) -> dict[str, Any]:
    """The variables of the template."""
    board = data.leaderboard
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    learnt = len(data.importance) > 0
    return {
        "data": data,
        "classes": data.classes,
        "anchors": _anchors(data.classes.names),
        "organelles": _rows(board, "organelle"),
        "macros": _rows(board, "macro"),
        "in_short": in_short(data),
        "absent": _absent(data),
        "steps": _rows(board, "step"),
        "splits": _rows(board, "split"),
        "largest": max(1.0, float(board.loc[board["kind"] == "organelle", "n_positive"].max())),
        "folds": _folds(data),
        "cards": make_cards(data),
        "embedded": bool((data.columns["family"] == EMBEDDING).any()),
        "fold_figure": Markup(svg(fold_figure(data.classes, data.labels, data.fold, data.cells), "folds")),
        "plates": _plates(data),
        "heat_map": Markup(svg(heat_map(data.importance), "families")) if learnt else "",
        "label_errors": {kind: data.label_errors[data.label_errors["kind"] == kind] for kind in ("missing", "wrong")},
        "n_label_errors": N_LABEL_ERRORS,
        "n_listed": N_LISTED,
        "side": PICTURE_SIDE,
        "colours": CHANNEL_COLOURS,
        "style": Markup((_HERE / "page.css").read_text(encoding="utf-8")),
        "script": Markup(script),
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    }


def _rows(board: pd.DataFrame, kind: str) -> list[Row]:
    """Leaderboard rows of a kind; missing values are None."""
    rows = rows_of(board[board["kind"] == kind])
    return [{name: None if pd.isna(value) else value for name, value in row.items()} for row in rows]


def _absent(data: ReportData) -> dict[str, list[str]]:
    """The classes without models, by the reason why they were not learnt."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in zip(data.classes.names, why_not_trainable(data.labels, data.groups, data.fold), strict=True):
        if reason:
            by_reason.setdefault(reason, []).append(name)
    return by_reason


def _folds(data: ReportData) -> list[dict[str, Any]]:
    """Fields, groups and organelles of each fold; the held-out fields last."""
    order = [k for k in np.unique(data.fold) if k >= 0] + ([-1] if (data.fold < 0).any() else [])
    out = []
    for k in order:
        mine = data.fold == k
        out.append({
            "name": f"fold {k + 1}" if k >= 0 else "held out",
            "fields": int(mine.sum()),
            "groups": len(np.unique(data.groups[mine])),
            "organelles": int(data.labels[mine].any(0).sum()),
        })  # fmt: skip
    return out


def _plates(data: ReportData) -> dict[str, Any] | None:
    """The figure of the first plates by name, and how many are not drawn; None where no wells are known."""
    if data.wells is None:
        return None
    mistakes = np.where(data.scored, (data.calls != data.labels)[:, data.trainable].sum(1), np.nan)
    cells = np.full(len(data.ids), np.nan) if data.cells is None else data.cells
    maps = plate_maps(data.wells, cells, mistakes)
    if not maps:
        return None
    figure = Markup(svg(draw_plates(maps[:MOST_PLATES]), "plates"))
    return {"figure": figure, "shown": min(len(maps), MOST_PLATES), "more": max(len(maps) - MOST_PLATES, 0)}


def _score(value: float | None, digits: int = 3) -> str:
    # Adding 0.0 to the rounded value turns a negative zero into zero.
    return "–" if value is None or np.isnan(value) else f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def _percent(value: float | None, digits: int = 0) -> str:
    return "–" if value is None or np.isnan(value) else f"{100 * value:.{digits}f} %"


def _count(value: float | None) -> str:
    return "–" if value is None or np.isnan(value) else f"{int(value):,}"


def _anchors(names: Sequence[str]) -> dict[str, str]:
    """The id of each class's card: its name in small letters; with its number where that is no plain or unique id."""
    found: dict[str, str] = {}
    for number, name in enumerate(names):
        plain = name.lower().replace(" ", "-").replace("&", "and")
        unique = plain not in (*found.values(), *_SECTIONS) and re.fullmatch(r"[a-z][a-z0-9-]*", plain)
        found[name] = plain if unique else f"class-{number}"
    return found
