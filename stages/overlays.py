"""Pictures and label images of predicted fields: cells found again as they were measured, drawn, written whole."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import numpy as np
import pandas as pd
import tifffile

from engine.files import whole
from engine.parallel import run_units
from engine.progress import progress
from features._batches import read_cells
from features._images import FieldSource
from features._settings import ExtractSettings
from models.labels import ORGANELLES
from stages.drawing import overlay
from stages.interpreting import Told
from stages.predicting import speaking_cells

MARKED = 3
"""Cells that are marked in a picture: those that speak most for the most probable call."""


@dataclass(frozen=True)
class Drawn:
    """What is to be written of one field.

    Attributes
    ----------
    field : str
    caption : tuple of str
    marked : frozenset of int
        Numbers of cells.
    pictures, labels : Path or None
        Folders.
    """

    field: str
    caption: tuple[str, ...]
    marked: frozenset[int]
    pictures: Path | None
    labels: Path | None


def draw_all(
    source: FieldSource, settings: ExtractSettings, told: Told, pictures: Path | None, labels: Path | None,
    workers: int, quiet: bool,
) -> None:  # fmt: skip
    """Write <Id>.png, and <Id>_cells.ome.tif and <Id>_nuclei.ome.tif, of every predicted field."""
    drawn = list(_plan(told, pictures, labels))
    units = ((source.part([one.field]), settings.no_er, settings.masks, one) for one in drawn)
    with progress("overlays", len(drawn), "fields", quiet) as bar:
        for _ in run_units(write_drawn, units, workers):
            bar.advance()


def write_drawn(source: FieldSource, no_er: bool, masks: str | None, drawn: Drawn) -> None:
    """Find the cells of one field again and write what is wanted of them."""
    pixels, found = read_cells(source, drawn.field, no_er, masks)
    if drawn.pictures is not None:
        png = overlay(pixels, found.cells, found.nuclei, drawn.marked, drawn.caption)
        with whole(drawn.pictures / f"{drawn.field}.png") as temporary:
            temporary.write_bytes(png)
    if drawn.labels is not None:
        for kind, image in (("cells", found.cells), ("nuclei", found.nuclei)):
            with whole(drawn.labels / f"{drawn.field}_{kind}.ome.tif") as temporary:
                write_labels(temporary, image, f"{drawn.field} {kind}")


def write_labels(path: Path, labels: np.ndarray, name: str) -> None:
    """Write a label image (int, shape (H, W)) as OME-TIFF, uint16 where that holds its ids, without a physical size."""
    small = labels.max(initial=0) <= np.iinfo(np.uint16).max
    stored = labels.astype(np.uint16 if small else np.int32)
    own = UUID(bytes=hashlib.sha256(name.encode() + stored.tobytes()).digest()[:16])  # the same bytes on every run
    metadata = {"axes": "YX", "Name": name, "Channel": {"Name": [name]}, "UUID": f"urn:uuid:{own}"}
    tifffile.imwrite(
        path, stored, ome=True, photometric="minisblack",
        compression="adobe_deflate", metadata=metadata,
    )  # fmt: skip


def _plan(told: Told, pictures: Path | None, labels: Path | None) -> Iterator[Drawn]:
    cells = dict(iter(told.cells.groupby("Id")))
    for row in told.predictions.to_dict("records"):
        called = called_first(row)
        marked = speaking_cells(cells[row["Id"]], called[0], MARKED)
        yield Drawn(
            row["Id"], tuple(_caption(row, cells[row["Id"]], called, marked)), frozenset(marked), pictures, labels
        )


def called_first(row: dict[str, object]) -> list[str]:
    """The organelles a field (a row of predictions.csv) is called for, the most probable first."""
    return by_probability(row, str(row["Called"]).split("; "))


def by_probability(row: dict[str, object], organelles: Sequence[str]) -> list[str]:
    """Organelles of a field, the most probable first."""
    return sorted(organelles, key=lambda name: (-float(row[name]), ORGANELLES.index(name)))


def said(row: dict[str, object], organelles: Sequence[str]) -> str:
    """E.g. "Golgi apparatus 0.83, Cytosol 0.61"."""
    return ", ".join(f"{name} {float(row[name]):.2f}" for name in organelles)


def could_be(row: dict[str, object]) -> list[str]:
    """The organelles of a field's set that it is not called for, the most probable first."""
    called = str(row["Called"]).split("; ")
    return by_probability(row, [name for name in str(row["Set"]).split("; ") if name not in called])


def _caption(row: dict[str, object], cells: pd.DataFrame, called: list[str], marked: list[int]) -> Iterator[str]:
    yield f"{row['Id']}: {said(row, called)}"
    if others := could_be(row):
        more = f" and {len(others) - 4} more" if len(others) > 4 else ""
        yield f"could also be: {said(row, others[:4])}{more}"
    if marked:
        yield f"yellow: cells {', '.join(map(str, marked))} speak most for {called[0]}"
    for organelle in called[1:]:
        if loudest := speaking_cells(cells, organelle, MARKED):
            yield f"cells {', '.join(map(str, loudest))} speak most for {organelle}"
