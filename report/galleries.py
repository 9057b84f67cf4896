"""Small pictures of fields for the report: the part with most protein, in HPA's colours, cells outlined in white."""

import logging
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from engine.errors import FieldError, HpaError, InputError
from engine.running.parallel import run_tasks
from engine.running.progress import progress
from features.extraction.batches import read_cells
from features.extraction.recorded import UNRECORDED, Recorded, read_recorded, settings_path
from features.reading.field_reading import FieldPixels, read_field_pixels
from features.reading.mask_files import with_masks
from features.reading.source import FieldSource
from features.reading.splits import TRAIN, find_splits, scaled
from models.fitted import Fitted
from models.trust.label_errors import examples
from report.drawing import brightened, draw_scale_bar, edges, in_colour
from report.report_data import PICTURE_SIDE, Picture
from store.channels import PROTEIN
from store.run_folder import RunFolder

EXAMPLES = 3
"""At most this many hits, missed fields and false calls of each organelle are shown."""

_QUALITY = 75  # of the JPEG
_CELLS_ACROSS = 5.5  # of the median area
_LETTERS = 0.38  # size of the scale bar's
_OUTLINE = 0.7  # opacity of the white line, so that the signal below stays visible

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PictureSettings:
    """How the fields are read and outlined.

    Attributes
    ----------
    outlined : bool
        False if the fields were measured with masks and none are named: other outlines would mislead.
    """

    outlined: bool = True


def take_pictures(
    folder: RunFolder,
    data: Path,
    masks: Path | None,
    fitted: Fitted,
    workers: int,
    quiet: bool,
) -> dict[int, tuple[Picture, ...]]:
    """Pictures of the surest hits and worst errors of each organelle.

    Parameters
    ----------
    folder : RunFolder
    data : Path
        Folder with the images; without them there are no pictures.
    masks : Path or None
        Folder of label images, for outlines, if the fields were measured with masks.
    fitted : Fitted
    workers : int
    quiet : bool

    Returns
    -------
    dict of int to tuple of Picture
        By organelle.
    """
    try:
        source = find_pictured(folder, data, masks).get(TRAIN)
    except HpaError:
        source = None
    ids, labels = fitted.ids, fitted.labels
    if source is None or set(source.ids).isdisjoint(ids):
        _log.warning("report without pictures: %s holds no images of these fields; name their folder with --data", data)
        return {}
    rows = np.flatnonzero(fitted.fold >= 0)
    chosen = {
        int(j): examples(labels[rows, j], fitted.calls[rows, j], fitted.probabilities[rows, j], EXAMPLES)
        for j in np.flatnonzero(fitted.trainable)
    }
    wanted = sorted({ids[rows[one.row]] for of_organelle in chosen.values() for one in of_organelle} & set(source.ids))
    settings, taken = picture_settings(folder, masks), {}
    tasks = [(source.part([field_id]), field_id, settings) for field_id in wanted]
    with progress("pictures", len(tasks), "fields", quiet) as bar:
        for field_id, jpeg in run_tasks(take_picture, tasks, workers):
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
    """One field's picture as JPEG; None if the images or masks can no longer be read."""
    try:
        if not settings.outlined:
            field = read_field_pixels(source, field_id)
            unknown = np.zeros(field.pixels.shape[1:], np.int32)
            return field_id, draw(field.pixels, unknown, shown_pixel_size(field))
        field, found = read_cells(source, field_id)
    except FieldError:
        return field_id, None
    return field_id, draw(field.pixels, found.cells, shown_pixel_size(field))


def shown_pixel_size(field: FieldPixels) -> float | None:
    """The size of the pixels as they were measured, µm; None if it is not known."""
    size = field.facts.pixel_size
    return size * field.stored_shape[0] / field.pixels.shape[1] if size else None


def draw(pixels: np.ndarray, cells: np.ndarray, pixel_size: float | None = None) -> bytes:
    """The part of a field with most protein, cells outlined in white, and the protein alone below it, as JPEG.

    Each stain is stretched to its contrast in that part. It is half as wide as the field, or narrower if cells are
    small, so that about 20 cells are visible.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (4, H, W)
    cells : ndarray of int32, shape (H, W)
        Labels.
    pixel_size : float or None
        µm, for the scale bar; if it is not known, that counts px.
    """
    top, left, side = _brightest_part(pixels[PROTEIN.index], _side(cells))
    shown, part = pixels[:, top : top + side, left : left + side], cells[top : top + side, left : left + side]
    image = _resized(in_colour(shown))
    edge = edges(cv2.resize(part, (PICTURE_SIDE, PICTURE_SIDE), interpolation=cv2.INTER_NEAREST))
    image[edge] = _OUTLINE * 255 + (1 - _OUTLINE) * image[edge]
    alone = cv2.cvtColor(_resized(brightened(shown[PROTEIN.index])), cv2.COLOR_GRAY2BGR)
    draw_scale_bar(alone, PICTURE_SIDE / side, pixel_size, _LETTERS)
    return cv2.imencode(".jpg", np.vstack([image, alone]), [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1].tobytes()


def _resized(image: np.ndarray) -> np.ndarray:
    side = PICTURE_SIDE
    kind = cv2.INTER_AREA if min(image.shape[:2]) > side else cv2.INTER_CUBIC
    return cv2.resize(image, (side, side), interpolation=kind).clip(0, 255).astype(np.uint8)


def _side(cells: np.ndarray) -> int:
    """Width of the part to show, px."""
    half, areas = max(min(cells.shape) // 2, 1), np.bincount(cells.ravel())[1:]
    wide = _CELLS_ACROSS * float(np.sqrt(np.median(areas[areas > 0]))) if areas.any() else half
    return min(half, max(int(wide), PICTURE_SIDE // 2))


def _brightest_part(protein: np.ndarray, side: int) -> tuple[int, int, int]:
    """Top, left and side of the square that holds most protein."""
    sums = cv2.boxFilter(protein.astype(np.float32), -1, (side, side), anchor=(0, 0), normalize=False)
    inside = sums[: protein.shape[0] - side + 1, : protein.shape[1] - side + 1]
    top, left = np.unravel_index(int(np.argmax(inside)), inside.shape)
    return int(top), int(left), side


def _recorded(folder: RunFolder) -> Recorded:
    return read_recorded(folder) if settings_path(folder).is_file() else UNRECORDED


def find_pictured(folder: RunFolder, data: Path, masks: Path | None) -> dict[str, FieldSource]:
    """The images of a run's fields in a data folder, read as they were when they were measured.

    `masks` is the folder of label images that the user names now. The path in the run folder is never followed: a run
    from someone else could name any path.

    Raises
    ------
    HpaError
        If there are none, or they were listed in a csv, whose path in the run folder is not followed.
    """
    known = _recorded(folder)
    if known.by_csv:
        raise InputError(f"{folder.root}: its images were listed in a csv, which is not followed. Look at them there.")
    sources = scaled(find_splits(data, known.reading), known.acquisition.scale)
    return with_masks(sources, masks) if masks else sources


def picture_settings(folder: RunFolder, masks: Path | None) -> PictureSettings:
    """How the fields of a run are outlined; `masks` is the folder of label images that the user names."""
    outlined = bool(masks) or not _recorded(folder).settings["masks"]
    if not outlined:
        _log.warning("pictures without outlines: the cells came from masks; name their folder with --masks")
    return PictureSettings(outlined)
