"""The page: evidence into tables and cards, through a template that escapes all text, into one file."""

import base64
import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from engine.files import whole
from models.importance_plot import CHANNEL_COLOURS, heat_map, svg
from models.report.cards import make_cards
from models.report.evidence import PICTURE_SIDE, Evidence
from models.report.figures import fold_figure

N_SUSPECTS, N_LISTED = 25, 50
_HERE = Path(__file__).parent


def write_report(path: Path, evidence: Evidence) -> Path:
    """Write a self-contained page.

    Ids, errors and all other text are escaped, and the page's own policy forbids every script but the one it comes
    with, so that a run folder from a stranger cannot make the page act.

    Parameters
    ----------
    path : Path
    evidence : Evidence

    Returns
    -------
    Path
        The file.
    """
    environment = Environment(
        autoescape=True, loader=FileSystemLoader(_HERE), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"score": _score, "percent": _percent, "count": _count, "anchor": _anchor}
    text = environment.get_template("page.html.j2").render(_view(evidence))
    with whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def _view(evidence: Evidence) -> dict[str, Any]:
    """All that the template uses, by name."""
    board = evidence.leaderboard
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    learnt = len(evidence.importance) > 0
    return {
        "evidence": evidence,
        "organelles": _rows(board, "organelle"),
        "macros": _rows(board, "macro"),
        "steps": _rows(board, "step"),
        "splits": _rows(board, "split"),
        "largest": max(1.0, float(board.loc[board["kind"] == "organelle", "n_positive"].max())),
        "folds": _folds(evidence),
        "cards": make_cards(evidence),
        "fold_figure": Markup(svg(fold_figure(evidence.labels, evidence.fold, evidence.cells), "folds")),
        "heat_map": Markup(svg(heat_map(evidence.importance), "families")) if learnt else "",
        "doubts": {kind: evidence.suspects[evidence.suspects["kind"] == kind] for kind in ("missing", "wrong")},
        "n_suspects": N_SUSPECTS,
        "n_listed": N_LISTED,
        "side": PICTURE_SIDE,
        "colours": CHANNEL_COLOURS,
        "style": Markup((_HERE / "page.css").read_text(encoding="utf-8")),
        "script": Markup(script),
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    }


def _rows(board: pd.DataFrame, kind: str) -> list[dict[str, Any]]:
    """Rows of a kind; None where there is nothing to say."""
    rows = board[board["kind"] == kind].to_dict("records")
    return [{name: None if pd.isna(value) else value for name, value in row.items()} for row in rows]


def _folds(evidence: Evidence) -> list[dict[str, Any]]:
    """Fields, groups and organelles of each fold; the held-out fields last."""
    order = [k for k in np.unique(evidence.fold) if k >= 0] + ([-1] if (evidence.fold < 0).any() else [])
    out = []
    for k in order:
        mine = evidence.fold == k
        out.append({
            "name": f"fold {k + 1}" if k >= 0 else "held out",
            "fields": int(mine.sum()),
            "groups": len(np.unique(evidence.groups[mine])),
            "organelles": int(evidence.labels[mine].any(0).sum()),
        })  # fmt: skip
    return out


def _score(value: float | None, digits: int = 3) -> str:
    # Adding 0.0 to the rounded value turns a negative zero into zero.
    return "–" if value is None or np.isnan(value) else f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def _percent(value: float | None, digits: int = 0) -> str:
    return "–" if value is None or np.isnan(value) else f"{100 * value:.{digits}f} %"


def _count(value: float | None) -> str:
    return "–" if value is None or np.isnan(value) else f"{int(value):,}"


def _anchor(organelle: str) -> str:
    return organelle.lower().replace(" ", "-").replace("&", "and")
