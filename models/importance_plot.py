"""Pictures of importances: a heat map of organelles against families, and bars for one organelle."""

import os
from io import StringIO
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from engine.files import whole
from models.importance import find_organelle, top
from models.labels import ORGANELLES
from models.words import channel_in_words, compartment_in_words, family_in_words

PLAIN_TEXT = {"svg.fonttype": "none", "svg.hashsalt": "importance", "font.family": "sans-serif"}
"""Text stays text in an SVG, and the same picture gives the same bytes."""

CHANNEL_COLOURS = {"Microtubules": "#c8102e", "Protein": "#1a8f3a", "Nucleus": "#1f4fd8", "ER": "#c9a400"}
"""HPA's colours, dark enough for white paper."""

_GREY, _BLUE = "#6b7280", "#2b5c8a"
_MAX_BARS = 12


def plot(importance: pd.DataFrame, path: Path, organelle: str | None = None) -> None:
    """Draw a heat map of all organelles, or bars for one.

    Parameters
    ----------
    importance : DataFrame
        As `measure_importance` gives it.
    path : Path
        Its ending says the form: .png, .svg or .pdf.
    organelle : str, optional

    Raises
    ------
    InputError
        If the organelle is unknown or had too few positives to be learnt.
    """
    figure = heat_map(importance) if organelle is None else bars(importance, organelle)
    with whole(path) as temporary, mpl.rc_context(PLAIN_TEXT):
        figure.savefig(temporary, format=path.suffix.removeprefix(".") or "png", dpi=150, metadata=_undated(path))


def svg(figure: Figure) -> str:
    """The figure as an <svg> element to put into a page."""
    buffer = StringIO()
    with mpl.rc_context(PLAIN_TEXT):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :]


def heat_map(importance: pd.DataFrame) -> Figure:
    """Gain shares, one row an organelle, one column a family; cividis, which colour-blind readers see alike."""
    families = importance[importance["level"] == "family"]
    table = families.pivot_table(index="organelle", columns="what", values="gain_mean", observed=True)
    table = table.reindex([name for name in ORGANELLES if name in table.index])
    table = table[table.mean().sort_values(ascending=False, kind="stable").index]
    n_rows, n_columns = table.shape
    figure = Figure(figsize=(3.2 + 0.62 * n_columns, max(3.6, 1.9 + 0.27 * n_rows)), layout="constrained")
    axes = figure.add_subplot()
    image = axes.imshow(100 * table.to_numpy(), cmap="cividis", aspect="auto", vmin=0)
    axes.set_xticks(range(n_columns), [family_in_words(name) for name in table.columns], rotation=40, ha="right")
    axes.set_yticks(range(n_rows), table.index)
    axes.tick_params(length=0, labelsize=9)
    half = 50 * float(table.to_numpy().max())
    for i, row in enumerate(100 * table.to_numpy()):
        for j, value in enumerate(row):
            axes.text(j, i, f"{value:.0f}", ha="center", va="center", fontsize=7.5,
                      color="black" if value > half else "white")  # fmt: skip
    axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, shrink=0.8, label="share of gain, %")
    return figure


def bars(importance: pd.DataFrame, organelle: str) -> Figure:
    """Families, channels and compartments of one organelle: gain beside what permuting the group costs."""
    name = find_organelle(importance, organelle)
    levels = ("family", "channel", "compartment")
    tables = [top(importance, name, level, _MAX_BARS).iloc[::-1] for level in levels]
    heights = [len(table) + 0.8 for table in tables]
    figure = Figure(figsize=(8.6, 1.2 + 0.27 * sum(heights)), layout="constrained")
    figure.suptitle(name, fontsize=13)
    axes = figure.subplots(len(levels), 2, height_ratios=heights, sharey="row", squeeze=False)
    for (left, right), level, table in zip(axes, levels, tables, strict=True):
        labels = [_LABEL[level](what) for what in table["what"]]
        colours = [CHANNEL_COLOURS.get(what, _GREY if level == "channel" else _BLUE) for what in table["what"]]
        _bars(left, labels, 100 * table["gain_mean"], 100 * table["gain_sd"], colours)
        _bars(right, labels, table["permutation_mean"], table["permutation_sd"], colours)
        left.set_ylabel(level)
    axes[-1, 0].set_xlabel("share of the gain, %")
    axes[-1, 1].set_xlabel("average precision lost when permuted")
    return figure


def _bars(axes: Axes, labels: list[str], mean: pd.Series, sd: pd.Series, colours: list[str]) -> None:
    """Bars with their sd over folds as a thin line."""
    axes.barh(range(len(labels)), mean.fillna(0), xerr=sd.fillna(0), color=colours, height=0.7,
              error_kw={"elinewidth": 1, "ecolor": "#222222"})  # fmt: skip
    axes.set_yticks(range(len(labels)), labels)
    axes.axvline(0, color="#222222", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)


def _undated(path: Path) -> dict[str, None] | None:
    return {"Date": None} if os.fspath(path).endswith(".svg") else None


_LABEL = {"family": family_in_words, "channel": channel_in_words, "compartment": compartment_in_words}
