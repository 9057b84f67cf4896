"""Small pictures of fields for the report: HPA's colours, cell outlines white, where the protein is brightest."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from engine.errors import FieldError, InputError
from engine.files import read_json
from engine.parallel import run_units
from engine.progress import progress
from engine.run_folder import RunFolder
from features._batches import read_cells
from features._channels import PROTEIN
from features._images import FieldSource
from models.doubts import examples
from models.fitted import Fitted
from models.report import Picture
from stages.drawing import edges, in_colour
from stages.extraction import find_splits

EXAMPLES = 3
"""Hits, missed fields and false calls that are shown of each organelle."""

SIDE = 200  # px of a picture
_QUALITY = 82  # of the JPEG


@dataclass(frozen=True)
class PictureSettings:
    """How the fields were read when they were measured."""

    no_er: bool = False
    masks: str | None = None


def take_pictures(
    folder: RunFolder, data: Path, ids: Sequence[str], labels: np.ndarray, fitted: Fitted, workers: int, quiet: bool
) -> dict[int, tuple[Picture, ...]]:
    """Pictures of the surest hits and worst errors of each organelle.

    Parameters
    ----------
    folder : RunFolder
    data : Path
        With the images; without them there are no pictures.
    ids : sequence of str
        Training fields.
    labels : ndarray of bool, shape (n_fields, 28)
    fitted : Fitted
    workers : int
    quiet : bool

    Returns
    -------
    dict of int to tuple of Picture
        By organelle.
    """
    try:
        source = find_splits(data).get("train")
    except InputError:
        source = None
    if source is None:
        return {}
    rows = np.flatnonzero(fitted.fold >= 0)
    chosen = {
        int(j): examples(labels[rows, j], fitted.calls[rows, j], fitted.probabilities[rows, j], EXAMPLES)
        for j in np.flatnonzero(fitted.evaluable)
    }
    wanted = sorted({ids[rows[one.row]] for of_organelle in chosen.values() for one in of_organelle} & set(source.ids))
    settings, taken = _settings(folder), {}
    units = [(source.part([field_id]), field_id, settings) for field_id in wanted]
    with progress("pictures", len(units), "fields", quiet) as bar:
        for field_id, jpeg in run_units(take_picture, units, workers):
            taken |= {field_id: jpeg} if jpeg else {}
            bar.advance()
    return {
        j: tuple(
            Picture(int(rows[one.row]), one.kind, taken[ids[rows[one.row]]])
            for one in of_organelle
            if ids[rows[one.row]] in taken
        )
        for j, of_organelle in chosen.items()
    }


def take_picture(source: FieldSource, field_id: str, settings: PictureSettings) -> tuple[str, bytes | None]:
    """One field's picture as JPEG; None where the images or masks can no longer be read."""
    try:
        pixels, found = read_cells(source, field_id, settings.no_er, settings.masks)
    except FieldError:
        return field_id, None
    return field_id, draw(pixels, found.cells)


def draw(pixels: np.ndarray, cells: np.ndarray) -> bytes:
    """The half of a field where the protein is brightest, with white outlines, as JPEG.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (4, H, W)
    cells : ndarray of int32, shape (H, W)
        Labels.
    """
    top, left, side = _brightest_part(pixels[PROTEIN.index])
    part = (slice(top, top + side), slice(left, left + side))
    kind = cv2.INTER_AREA if side > SIDE else cv2.INTER_CUBIC
    image = cv2.resize(in_colour(pixels)[part], (SIDE, SIDE), interpolation=kind).clip(0, 255).astype(np.uint8)
    shown = cv2.resize(cells[part], (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    image[edges(shown)] = 255
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()


def _brightest_part(protein: np.ndarray) -> tuple[int, int, int]:
    """Top, left and side of the square of half the field's size that holds most protein."""
    side = max(min(protein.shape) // 2, 1)
    sums = cv2.boxFilter(protein.astype(np.float32), -1, (side, side), anchor=(0, 0), normalize=False)
    inside = sums[: protein.shape[0] - side + 1, : protein.shape[1] - side + 1]
    top, left = np.unravel_index(int(np.argmax(inside)), inside.shape)
    return int(top), int(left), side


def _settings(folder: RunFolder) -> PictureSettings:
    path = folder.features / "settings.json"
    known = read_json(path) if path.is_file() else {}
    return PictureSettings(known.get("no_er", False), known.get("masks"))
