"""Overlays and label images of predicted fields; the cells are segmented again exactly as they were measured."""

import hashlib
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import tifffile

from engine.counted import counted
from engine.files import whole
from engine.running.parallel import run_tasks
from engine.running.progress import progress
from features.extraction.batches import read_cells
from features.reading.source import FieldSource
from features.segmentation.masks import resized_labels
from report.drawing import overlay
from report.galleries import shown_pixel_size
from report.rows import Row, rows_of
from store.prediction import PredictionTables, top_cells

MARKED = 3
"""At most this many cells are marked in a picture: those with the highest scores for the most probable call."""

LABEL_ENDINGS = ("_cells.ome.tif", "_nuclei.ome.tif")


@dataclass(frozen=True)
class Drawn:
    """What to write for one field.

    Attributes
    ----------
    field : str
    caption : tuple of str
    marked : frozenset of int
        Numbers of cells.
    pictures, labels : Path or None
        Folders to write to.
    """

    field: str
    caption: tuple[str, ...]
    marked: frozenset[int]
    pictures: Path | None
    labels: Path | None


def draw_all(
    source: FieldSource, tables: PredictionTables, pictures: Path | None, labels: Path | None, workers: int, quiet: bool
) -> None:
    """Write <Id>.png, and <Id>_cells.ome.tif and <Id>_nuclei.ome.tif, of every predicted field."""
    drawn = list(_plan(tables, pictures, labels))
    tasks = ((source.part([one.field]), one) for one in drawn)
    with progress("overlays", len(drawn), "fields", quiet) as bar:
        for _ in run_tasks(write_drawn, tasks, workers):
            bar.advance()


def not_of_this_prediction(fields: Collection[str], pictures: Path | None, labels: Path | None) -> list[str]:
    """How many pictures and label images in the folders are of other fields, in a sentence for each folder."""
    kinds = (("picture", pictures, (".png",)), ("label image", labels, LABEL_ENDINGS))
    found = []
    for noun, folder, endings in kinds:
        names = {f"{field}{ending}" for field in fields for ending in endings}
        paths = folder.iterdir() if folder is not None and folder.is_dir() else ()
        if n := sum(path.name.endswith(endings) and path.name not in names for path in paths):
            found.append(
                f"{counted(n, noun)} in {folder} {'is' if n == 1 else 'are'} not of this prediction, perhaps of an "
                "earlier one; name an empty folder to have these fields alone"
            )
    return found


def write_drawn(source: FieldSource, drawn: Drawn) -> None:
    """Segment one field again, and write its overlay and its label images, in the size of the field's files."""
    field, found = read_cells(source, drawn.field)
    if drawn.pictures is not None:
        size = shown_pixel_size(field)
        png = overlay(field.pixels, found.cells, found.nuclei, drawn.marked, drawn.caption, size)
        with whole(drawn.pictures / f"{drawn.field}.png") as temporary:
            temporary.write_bytes(png)
    if drawn.labels is not None:
        for kind, image, ending in zip(("cells", "nuclei"), (found.cells, found.nuclei), LABEL_ENDINGS, strict=True):
            with whole(drawn.labels / f"{drawn.field}{ending}") as temporary:
                labels = resized_labels(image, field.stored_shape)
                write_labels(temporary, labels, f"{drawn.field} {kind}", field.facts.pixel_size)


def write_labels(path: Path, labels: np.ndarray, name: str, pixel_size: float | None) -> None:
    """Write a label image, int (H, W), as OME-TIFF of int32; a pixel size (µm) goes into the OME-XML and the tags."""
    stored = labels.astype(np.int32)
    own = UUID(bytes=hashlib.sha256(name.encode() + stored.tobytes()).digest()[:16])  # the same bytes on every run
    metadata: dict[str, Any] = {"axes": "YX", "Name": name, "Channel": {"Name": [name]}, "UUID": f"urn:uuid:{own}"}
    tags: dict[str, Any] = {}
    if pixel_size:
        size = float(pixel_size)
        metadata |= {f"PhysicalSize{axis}": size for axis in "XY"} | {f"PhysicalSize{axis}Unit": "µm" for axis in "XY"}
        tags = {"resolution": (1e4 / size, 1e4 / size), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(
        path, stored, ome=True, photometric="minisblack", compression="adobe_deflate", metadata=metadata, **tags
    )


def _plan(tables: PredictionTables, pictures: Path | None, labels: Path | None) -> Iterator[Drawn]:
    cells = dict(iter(tables.cells.groupby("Id")))
    for row in rows_of(tables.predictions):
        called = called_first(row)
        marked = top_cells(cells[row["Id"]], called[0], MARKED) if called else []
        yield Drawn(
            row["Id"],
            tuple(map(_in_ascii, _caption(row, cells[row["Id"]], called, marked))),
            frozenset(marked),
            pictures,
            labels,
        )


def called_first(row: Row) -> list[str]:
    """The calls of a field (a row of `PredictionTables.predictions`), the most probable first."""
    return by_probability(row, row["Called"])


def by_probability(row: Row, organelles: Sequence[str]) -> list[str]:
    """Organelles of a field, the most probable first."""
    order = list(row)
    return sorted(organelles, key=lambda name: (-float(row[name]), order.index(name)))


def with_probabilities(row: Row, organelles: Sequence[str]) -> str:
    """E.g. "Golgi apparatus 0.83, Cytosol 0.61"."""
    return ", ".join(f"{name} {float(row[name]):.2f}" for name in organelles)


def could_be(row: Row) -> list[str]:
    """The rest of a field's prediction set beside its calls, the most probable first."""
    return by_probability(row, [name for name in row["Set"] if name not in row["Called"]])


def _in_ascii(line: str) -> str:
    """The letters that can be drawn: accents are left out, other letters become question marks."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", line) if not unicodedata.combining(c))
    return plain.encode("ascii", "replace").decode()


def _caption(row: Row, cells: pd.DataFrame, called: list[str], marked: list[int]) -> Iterator[str]:
    yield f"{row['Id']}: {with_probabilities(row, called) or 'no call'}"
    if others := could_be(row):
        more = f" and {len(others) - 4} more" if len(others) > 4 else ""
        yield f"could also be: {with_probabilities(row, others[:4])}{more}"
    if marked:
        yield f"yellow: cells {', '.join(map(str, marked))} score highest for {called[0]}"
    for organelle in called[1:]:
        if highest := top_cells(cells, organelle, MARKED):
            yield f"cells {', '.join(map(str, highest))} score highest for {organelle}"
