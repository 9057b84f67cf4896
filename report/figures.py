"""Plots of the data: organelles by fold, labels and cells per field."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from report.importance_plot import verbatim
from store.classes import Classes

_BLUE, _ORANGE, _GREY = "#4f86b8", "#c2570c", "#808a97"
_SMALL = 8  # pt


def fold_figure(classes: Classes, labels: np.ndarray, fold: np.ndarray, cells: np.ndarray | None) -> Figure:
    """Fields of each organelle in each fold, beside histograms of the labels and cells of a field.

    Parameters
    ----------
    classes : Classes
    labels : ndarray of bool, shape (n_fields, n_classes)
    fold : ndarray of int, shape (n_fields,)
        -1 for held-out fields, which come last.
    cells : ndarray of float, shape (n_fields,), or None
        Cells of each field, if they were counted.
    """
    order = [k for k in np.unique(fold) if k >= 0] + ([-1] if (fold < 0).any() else [])
    counts = np.stack([labels[fold == k].sum(0) for k in order], axis=1)
    figure = Figure(figsize=(10.6, 5.6))
    grid = figure.add_gridspec(2, 2, width_ratios=(1 + 0.35 * len(order), 3.4), wspace=0.14, hspace=0.3)
    grid.update(left=0.2, right=0.99, top=0.95, bottom=0.08)
    folds = ["held out" if k < 0 else f"fold {k + 1}" for k in order]
    _count_map(figure.add_subplot(grid[:, 0]), counts, folds, classes.names)
    axes = [figure.add_subplot(grid[k, 1]) for k in range(1 if cells is None else 2)]
    most = max(int(labels.sum(1).max(initial=0)), 1)
    axes[0].hist(labels.sum(1), bins=(np.arange(most + 2) - 0.5).tolist(), color=_BLUE, rwidth=0.85)
    axes[0].set_xticks(range(most + 1))
    axes[0].set_xlabel("labels of a field", fontsize=_SMALL)
    if cells is not None:
        axes[1].hist(cells[~np.isnan(cells)], bins=24, color=_BLUE, rwidth=0.92)
        axes[1].set_xlabel("cells of a field", fontsize=_SMALL)
    for one in axes:
        one.set_ylabel("fields", fontsize=_SMALL)
        _plain(one)
    return figure


def _count_map(axes: Axes, counts: np.ndarray, folds: Sequence[str], classes: Sequence[str]) -> None:
    """A heat map with its counts written in; the darker, the more, and zero is white."""
    shown = np.ma.masked_equal(counts, 0)
    axes.imshow(shown, cmap="Blues", norm=LogNorm(1, max(int(counts.max(initial=1)), 2)), aspect="auto")
    axes.set_xticks(range(len(folds)), folds)
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(classes)), [verbatim(name) for name in classes])
    axes.tick_params(length=0, labelsize=_SMALL)
    axes.spines[:].set_visible(False)
    dark = max(int(counts.max(initial=1)), 2) ** 0.6
    for (i, k), n in np.ndenumerate(counts):
        colour = _ORANGE if n == 0 else ("white" if n > dark else "#1c2430")
        axes.text(k, i, str(n), ha="center", va="center", fontsize=_SMALL, color=colour)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#98a1ae")
    axes.tick_params(labelsize=_SMALL, colors=_GREY, length=2.5)
    axes.xaxis.label.set(fontsize=_SMALL, color=_GREY)
    axes.yaxis.label.set(fontsize=_SMALL, color=_GREY)
