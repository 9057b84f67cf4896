"""Plots of importances: a heat map of all organelles, and bars for one organelle."""

import os
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from engine.errors import UsageError
from engine.files import whole
from models.explanation.importance import find_learnt, top
from report.feature_descriptions import channel_in_words, compartment_in_words, family_in_words

PLAIN_TEXT: dict[Any, str] = {"svg.fonttype": "none", "svg.hashsalt": "importance", "font.family": "sans-serif"}
"""Text stays text in an SVG, and the same data give the same bytes."""

FORMS = (".png", ".svg", ".pdf")

CHANNEL_COLOURS = {"Microtubules": "#c8102e", "Protein": "#1a8f3a", "Nucleus": "#1f4fd8", "ER": "#c9a400"}
"""HPA's colours, dark enough for white paper."""

_GREY, _BLUE, _INK = "#6b7280", "#2b5c8a", "#1c2430"
_MAX_BARS = 12


def plot(importance: pd.DataFrame, path: Path, organelle: str | None = None) -> None:
    """Draw a heat map of all organelles, or bars for one.

    Parameters
    ----------
    importance : DataFrame
        As `measure_importance` gives it.
    path : Path
        Ends in .png, .svg or .pdf.
    organelle : str, optional

    Raises
    ------
    UsageError
        If the path has another ending.
    InputError
        If the organelle was not learnt.
    """
    check_form(path)
    figure = heat_map(importance) if organelle is None else bars(importance, organelle)
    with whole(path) as temporary, mpl.rc_context(PLAIN_TEXT), any_letters():
        figure.savefig(temporary, format=path.suffix.removeprefix("."), dpi=150, metadata=_undated(path))


def check_form(path: Path) -> None:
    """Raise UsageError unless the path ends in a known image format."""
    if path.suffix not in FORMS:
        raise UsageError(
            f"--plot {path}: a picture ends in {', '.join(FORMS)} (found {path.suffix or 'no ending'}). Rename it."
        )


def svg(figure: Figure, name: str) -> str:
    """The figure as an <svg> element for a page, in the page's text colour instead of black.

    Figures with different names share no element ids.
    """
    buffer = StringIO()
    with mpl.rc_context({**PLAIN_TEXT, "svg.hashsalt": name}), any_letters():
        figure.savefig(
            buffer, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")), transparent=True
        )
    text = buffer.getvalue()
    text = re.sub(r'<g id="[^"]*"', "<g", text[text.index("<svg") :])
    return text.replace("#000000", "currentColor")


def verbatim(name: str) -> str:
    """A class name as matplotlib draws it unchanged: a dollar sign would start a formula."""
    return name.replace("$", r"\$")


@contextmanager
def any_letters() -> Iterator[None]:
    """Silence matplotlib about letters that its font lacks: a box is drawn in a bitmap, an SVG keeps the text."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font")
        yield


def heat_map(importance: pd.DataFrame) -> Figure:
    """Shares of the contributions by family, channel and compartment, a row for each organelle; brighter is larger."""
    tables = [_shares(importance, level) for level in _LABEL]
    widths = [table.shape[1] for table in tables]
    most = max(float(table.to_numpy().max()) for table in tables)
    width, height = 3.4 + 0.37 * sum(widths), 1.75 + 0.23 * len(tables[0])
    figure = Figure(figsize=(width, height))
    axes = figure.subplots(1, len(tables) + 1, width_ratios=[*widths, 0.5])
    figure.subplots_adjust(2.15 / width, 1.3 / height, 1 - 0.6 / width, 1 - 0.3 / height, wspace=0.06)
    for one, table, (level, in_words) in zip(axes[:-1], tables, _LABEL.items(), strict=True):
        image = one.imshow(table, cmap="cividis", aspect="auto", vmin=0, vmax=most)  # for colour-blind readers too
        one.set_xticks(range(table.shape[1]), [in_words(name) for name in table.columns])
        one.tick_params("x", rotation=40)
        for text in one.get_xticklabels():
            text.set(ha="right", rotation_mode="anchor")
        one.set_yticks([])
        one.set_title(f"by {level}", fontsize=9, loc="left")
        one.tick_params(length=0, labelsize=8.5)
        one.spines[:].set_visible(False)
        for (i, j), value in np.ndenumerate(table.to_numpy()):
            if value >= 0.5:
                one.text(j, i, f"{value:.0f}", ha="center", va="center", fontsize=7.5,
                         color=_INK if value > most / 2 else "white")  # fmt: skip
    axes[0].set_yticks(range(len(tables[0])), [verbatim(name) for name in tables[0].index])
    figure.colorbar(image, cax=axes[-1], label="share of the contributions, %")
    return figure


def _shares(importance: pd.DataFrame, level: str) -> pd.DataFrame:
    """Per cent of the contributions: classes in their order, groups of the level by falling mean."""
    rows = importance[importance["level"] == level]
    table = 100 * rows.pivot_table(index="organelle", columns="what", values="share_mean", observed=True)
    table = table.reindex(importance["organelle"].unique())
    return table[table.mean().sort_values(ascending=False, kind="stable").index]


def bars(importance: pd.DataFrame, organelle: str) -> Figure:
    """Shares of the contributions and permutation importance of one organelle's families, channels and compartments."""
    name = find_learnt(importance, organelle)
    levels = ("family", "channel", "compartment")
    tables = [top(importance, name, level, _MAX_BARS).iloc[::-1] for level in levels]
    heights = [len(table) + 0.8 for table in tables]
    figure = Figure(figsize=(8.6, 1.2 + 0.27 * sum(heights)), layout="constrained")
    figure.suptitle(verbatim(name), fontsize=13)
    axes = figure.subplots(len(levels), 2, height_ratios=heights, sharey="row", squeeze=False)
    for (left, right), level, table in zip(axes, levels, tables, strict=True):
        labels = [_LABEL[level](what) for what in table["what"]]
        colours = [CHANNEL_COLOURS.get(what, _GREY if level == "channel" else _BLUE) for what in table["what"]]
        _bars(left, labels, 100 * table["share_mean"], 100 * table["share_sd"], colours, (0, 100))
        _bars(right, labels, table["permutation_mean"], table["permutation_sd"], colours)
        left.set_ylabel(level)
    axes[-1, 0].set_xlabel("share of the contributions, %")
    axes[-1, 1].set_xlabel("average precision lost when permuted")
    return figure


def _bars(
    axes: Axes, labels: list[str], mean: pd.Series, sd: pd.Series, colours: list[str],
    possible: tuple[float, float] = (-np.inf, np.inf),
) -> None:  # fmt: skip
    """Bars with their sd over folds as a thin line, clipped to the possible values."""
    length, spread = mean.fillna(0).to_numpy(), sd.fillna(0).to_numpy()
    ends = np.clip([length - spread, length + spread], *possible)
    axes.barh(range(len(labels)), length, xerr=abs(ends - length), color=colours, height=0.7,
              error_kw={"elinewidth": 1, "ecolor": "#222222"})  # fmt: skip
    axes.set_yticks(range(len(labels)), labels)
    axes.axvline(0, color="#222222", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)


def _undated(path: Path) -> dict[str, None] | None:
    return {"Date": None} if os.fspath(path).endswith(".svg") else None


_LABEL = {"family": family_in_words, "channel": channel_in_words, "compartment": compartment_in_words}
