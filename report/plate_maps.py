"""Plates as heat maps of their wells: cells of a field, and mistakes of the calls. Edges and rows that differ show."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from report.importance_plot import verbatim
from report.report_data import Wells

MOST_PLATES = 8
_WELL = re.compile(r"([A-Z]{1,2})(\d{1,2})")
_FORMATS = ((8, 12), (16, 24), (32, 48))
"""Rows and columns of plates with 96, 384 and 1,536 wells."""

_SMALL = 7  # pt


@dataclass(frozen=True)
class PlateMap:
    """What is drawn of one plate: arrays of its format, NaN for wells without fields."""

    plate: str
    cells: np.ndarray
    mistakes: np.ndarray


def plate_maps(wells: Wells, cells: np.ndarray, mistakes: np.ndarray) -> list[PlateMap]:
    """The maps of all plates with at least two wells, by name.

    Parameters
    ----------
    wells : Wells
    cells : ndarray of float, shape (n_fields,)
    mistakes : ndarray of float, shape (n_fields,)
        Wrong and missing calls of each field; NaN for fields that are not scored.
    """
    places = [_place(well) for well in wells.well]
    maps = []
    for plate in sorted({name for name, place in zip(wells.plate, places, strict=True) if place is not None}):
        mine = [k for k, place in enumerate(places) if place is not None and wells.plate[k] == plate]
        at = np.array([places[k] for k in mine])
        if len(np.unique(at, axis=0)) < 2:
            continue
        n_rows, n_columns = at.max(0) + 1
        shape = next((one for one in _FORMATS if one[0] >= n_rows and one[1] >= n_columns), (n_rows, n_columns))
        maps.append(PlateMap(plate, _means(cells[mine], at, shape), _means(mistakes[mine], at, shape)))
    return maps


def _place(well: str) -> tuple[int, int] | None:
    """Row and column of a well from 0: B02 is (1, 1), AA01 (26, 0)."""
    match = _WELL.fullmatch(well.upper())
    if match is None or int(match[2]) == 0:
        return None
    row = 0
    for letter in match[1]:
        row = 26 * row + ord(letter) - 64
    return row - 1, int(match[2]) - 1


def _means(values: np.ndarray, at: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """The mean of each well; NaN where there is no known value."""
    known = np.isfinite(values)
    total, count = np.zeros(shape), np.zeros(shape)
    np.add.at(total, tuple(at[known].T), values[known])
    np.add.at(count, tuple(at[known].T), 1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def draw_plates(maps: Sequence[PlateMap]) -> Figure:
    """A row a plate: cells of a field on the left, mistakes on the right, each on one scale for all plates."""
    n = len(maps)
    figure = Figure(figsize=(9.4, 0.5 + 2.35 * n))
    axes = figure.subplots(n, 2, squeeze=False)
    figure.subplots_adjust(0.03, 0.08 / n, 0.945, 1 - 0.4 / (0.5 + 2.35 * n), wspace=0.16, hspace=0.28)
    for column, (title, of) in enumerate((("cells of a field", "cells"), ("mistakes of a field", "mistakes"))):
        images = [getattr(one, of) for one in maps]
        known = np.concatenate([image[np.isfinite(image)] for image in images])
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
        for k, (one, image) in enumerate(zip(maps, images, strict=True)):
            alone = 0.5 if high == low else 0.0  # one value: in the middle of its scale
            drawn = axes[k, column].imshow(image, cmap="cividis", vmin=low - alone, vmax=high + alone, aspect="auto")
            _label_wells(axes[k, column], image.shape)
            axes[k, column].set_title(f"{verbatim(one.plate)}: {title}", fontsize=_SMALL + 1, loc="left")
            ticks = [low] if alone else None
            scale = figure.colorbar(drawn, ax=axes[k, column], fraction=0.03, pad=0.01, ticks=ticks, format="{x:g}")
            scale.ax.tick_params(labelsize=_SMALL)
    return figure


def _label_wells(axes: Axes, shape: tuple[int, ...]) -> None:
    rows, columns = range(0, shape[0], 1 if shape[0] <= 8 else 3), range(0, shape[1], 3)
    axes.set_yticks(rows, [_letters(row) for row in rows])
    axes.set_xticks(columns, [str(column + 1) for column in columns])
    axes.tick_params(length=0, labelsize=_SMALL)
    axes.spines[:].set_visible(False)


def _letters(row: int) -> str:
    """0 to A, 26 to AA."""
    return (chr(64 + row // 26) if row >= 26 else "") + chr(65 + row % 26)
