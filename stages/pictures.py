"""Small pictures of fields for the report: HPA's colours, cell outlines white, where the protein is brightest."""

import sys
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
from features._channels import ER, MICROTUBULES, NUCLEUS, PROTEIN
from features._images import FieldSource, read_field
from features._masks import read_masks
from features._segment import segment
from models.doubts import examples
from models.fitted import Fitted
from models.report import Picture
from stages.extraction import find_splits

EXAMPLES = 3
"""Hits, missed fields and false calls that are shown of each organelle."""

SIDE = 200  # px of a picture
_QUALITY = 82  # of the JPEG


@dataclass(frozen=True)
class PictureSettings:
    """How the fields are read and outlined.

    Attributes
    ----------
    no_er : bool
        They were measured without an ER channel.
    masks : str or None
        Folder of label images, as the user names it now. The path that a run folder notes is never followed: the run
        may be a stranger's, and the path lead anywhere.
    outlined : bool
        False where the fields were measured with masks and none are named: other outlines would mislead.
    """

    no_er: bool = False
    masks: str | None = None
    outlined: bool = True


def take_pictures(
    folder: RunFolder,
    data: Path,
    masks: Path | None,
    ids: Sequence[str],
    labels: np.ndarray,
    fitted: Fitted,
    workers: int,
    quiet: bool,
) -> dict[int, tuple[Picture, ...]]:
    """Pictures of the surest hits and worst errors of each organelle.

    Parameters
    ----------
    folder : RunFolder
    data : Path
        With the images; without them there are no pictures.
    masks : Path or None
        Folder of label images, for the outlines of fields that were measured with such.
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
    settings, taken = _settings(folder, masks), {}
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
        pixels = read_field(source, field_id, settings.no_er)
        masks = Path(settings.masks) if settings.masks else None
        if not settings.outlined:
            return field_id, draw(pixels, np.zeros(pixels.shape[1:], np.int32))
        found = read_masks(masks, field_id, pixels.shape[1:]) if masks else segment(pixels, field_id)
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
    microtubules, protein, nucleus, er = (
        _brightened(pixels[channel.index])[part] for channel in (MICROTUBULES, PROTEIN, NUCLEUS, ER)
    )
    red = np.maximum(0.55 * microtubules, 0.3 * er)
    green = np.maximum(protein, 0.3 * er)
    blue = 0.8 * nucleus
    kind = cv2.INTER_AREA if side > SIDE else cv2.INTER_CUBIC
    image = cv2.resize(np.dstack([blue, green, red]), (SIDE, SIDE), interpolation=kind).clip(0, 255).astype(np.uint8)
    shown = cv2.resize(cells[part], (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)
    image[_edges(shown)] = 255
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()


def _brightest_part(protein: np.ndarray) -> tuple[int, int, int]:
    """Top, left and side of the square of half the field's size that holds most protein."""
    side = max(min(protein.shape) // 2, 1)
    sums = cv2.boxFilter(protein.astype(np.float32), -1, (side, side), anchor=(0, 0), normalize=False)
    inside = sums[: protein.shape[0] - side + 1, : protein.shape[1] - side + 1]
    top, left = np.unravel_index(int(np.argmax(inside)), inside.shape)
    return int(top), int(left), side


def _brightened(plane: np.ndarray) -> np.ndarray:
    """Float 0..255 with a gamma that shows dim cells; the brightest 0.3 % are white."""
    return 255 * np.clip(plane / max(float(np.percentile(plane, 99.7)), 1.0), 0, 1) ** 0.7


def _edges(labels: np.ndarray) -> np.ndarray:
    """Pixels whose upper or left neighbour has another label."""
    edge = np.zeros(labels.shape, bool)
    edge[1:] |= labels[1:] != labels[:-1]
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    return edge


def _settings(folder: RunFolder, masks: Path | None) -> PictureSettings:
    path = folder.features / "settings.json"
    known = read_json(path) if path.is_file() else {}
    if not isinstance(known, dict) or not isinstance(known.get("no_er", False), bool):
        raise InputError(f"{path} does not hold the settings of an extraction. Run python cli.py extract again.")
    outlined = bool(masks) or not known.get("masks")
    if not outlined:
        print("pictures without outlines: the cells came from masks; name their folder with --masks", file=sys.stderr)  # noqa: T201
    return PictureSettings(known.get("no_er", False), str(masks) if masks else None, outlined)
