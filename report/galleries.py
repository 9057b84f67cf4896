"""Pictures of example fields for the report: each organelle's surest hits and worst errors."""

import logging
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from engine.counted import counted, first_named
from engine.errors import FieldError, HpaError, InputError
from engine.running.parallel import run_tasks
from engine.running.progress import progress
from features.extraction.batches import read_cells
from features.extraction.field_level import field_hashes
from features.extraction.recorded import UNRECORDED, Recorded, read_recorded, settings_path
from features.reading.field_reading import FieldPixels, read_field_pixels
from features.reading.mask_files import with_masks
from features.reading.source import FieldSource
from features.reading.splits import TRAIN, find_splits, scaled
from models.data.duplicates import hamming, hashes_of
from models.fitted import Fitted
from models.trust.label_errors import Example, examples
from report.field_picture import draw
from report.leading_cells import LeadingReason, cells_that_show
from report.report_data import Picture
from store.matrix import read_hashes
from store.run_folder import RunFolder
from store.schema import METADATA_ID

EXAMPLES = 3
"""At most this many hits, missed fields and false calls of each organelle are shown."""

_ROUNDED_BITS = 3  # of 256

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
    reasons: Mapping[int, LeadingReason],
    workers: int,
    quiet: bool,
    images: Path | None = None,
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
    reasons : mapping of int to LeadingReason
        By organelle; in its hits the cells that show the reason most are outlined in yellow.
    workers : int
    quiet : bool
    images : Path or None
        As in `find_pictured`.

    Returns
    -------
    dict of int to tuple of Picture
        By organelle.
    """
    ids, labels = fitted.ids, fitted.labels
    source = _training_images(folder, data, masks, fitted, images)
    if source is None:
        return {}
    rows = np.flatnonzero(fitted.fold >= 0)
    chosen = {
        int(j): examples(labels[rows, j], fitted.calls[rows, j], fitted.probabilities[rows, j], EXAMPLES)
        for j in np.flatnonzero(fitted.trainable)
    }
    settings = picture_settings(folder, masks)
    fields = {j: [ids[int(rows[one.row])] for one in of_organelle] for j, of_organelle in chosen.items()}
    marks = _marks(folder, chosen, fields, reasons) if settings.outlined else {}
    pictured = {
        (j, k): (field_id, marks.get((j, k), frozenset()))
        for j, of_organelle in fields.items()
        for k, field_id in enumerate(of_organelle)
    }
    taken = _taken(folder, source, set(pictured.values()), settings, workers, quiet)
    return {
        j: tuple(
            Picture(int(rows[one.row]), one.kind, taken[pictured[j, k]])
            for k, one in enumerate(of_organelle)
            if pictured[j, k] in taken
        )
        for j, of_organelle in chosen.items()
    }


def _training_images(
    folder: RunFolder, data: Path, masks: Path | None, fitted: Fitted, images: Path | None
) -> FieldSource | None:
    """The images of the training fields; without any a warning is logged."""
    source, missing = None, f"{data} holds no images of these fields; name their folder with --data"
    try:
        source = find_pictured(folder, data, masks, images).get(TRAIN)
    except HpaError as error:
        missing = str(error) if images is not None or _recorded(folder).by_csv else missing
    if source is None or set(source.ids).isdisjoint(fitted.ids):
        _log.warning("report without pictures: %s", missing)
        return None
    return source


def _taken(
    folder: RunFolder, source: FieldSource, wanted: Set[tuple[str, frozenset[int]]], settings: PictureSettings,
    workers: int, quiet: bool,
) -> dict[tuple[str, frozenset[int]], bytes]:  # fmt: skip
    """The pictures of fields with some cells marked; a warning counts the fields whose images are gone or replaced."""
    measured, known = measured_hashes(folder, TRAIN), set(source.ids)
    here = sorted((one for one in wanted if one[0] in known), key=lambda one: (one[0], sorted(one[1])))
    tasks = [
        (n, source.part([field]), field, settings, cells, measured[field]) for n, (field, cells) in enumerate(here)
    ]
    taken: dict[tuple[str, frozenset[int]], bytes] = {}
    with progress("pictures", len(tasks), "fields", quiet) as bar:
        for number, jpeg in run_tasks(_take_numbered, tasks, workers):
            taken |= {here[number]: jpeg} if jpeg else {}
            bar.advance()
    if without := sorted({field for field, _ in here} - {field for field, _ in taken}):
        _log.warning(
            "no pictures of %s: images that cannot be read, or are not those that were measured (%s)",
            counted(len(without), "field"), first_named(without),
        )  # fmt: skip
    return taken


def _marks(
    folder: RunFolder, chosen: Mapping[int, Sequence[Example]], fields: Mapping[int, Sequence[str]],
    reasons: Mapping[int, LeadingReason],
) -> dict[tuple[int, int], frozenset[int]]:  # fmt: skip
    """The cells to mark, by organelle and number of its example; only in hits."""
    hits = [(j, k) for j, ones in chosen.items() for k, one in enumerate(ones) if one.kind == "hit" and j in reasons]
    wanted: dict[str, list[LeadingReason]] = {}
    for j, k in hits:
        wanted.setdefault(fields[j][k], []).append(reasons[j])
    found = cells_that_show(folder, wanted)
    return {(j, k): found.get((fields[j][k], reasons[j]), frozenset()) for j, k in hits}


def _take_numbered(
    number: int, source: FieldSource, field_id: str, settings: PictureSettings, marked: frozenset[int],
    hashes: np.ndarray,
) -> tuple[int, bytes | None]:  # fmt: skip
    return number, take_picture(source, field_id, settings, marked, hashes)[1]


def take_picture(
    source: FieldSource, field_id: str, settings: PictureSettings, marked: frozenset[int] = frozenset(),
    hashes: np.ndarray | None = None,
) -> tuple[str, bytes | None]:  # fmt: skip
    """One field's picture as JPEG.

    Parameters
    ----------
    source : FieldSource
    field_id : str
    settings : PictureSettings
    marked : frozenset of int
        Cells to mark.
    hashes : ndarray of uint64, shape (4,), optional
        The field's perceptual hashes when it was measured.

    Returns
    -------
    field_id : str
    jpeg : bytes or None
        None if images or masks can no longer be read, or the images have other hashes.
    """
    try:
        if settings.outlined:
            field, found = read_cells(source, field_id)
            cells = found.cells
        else:
            field = read_field_pixels(source, field_id)
            cells = np.zeros(field.pixels.shape[1:], np.int32)
    except FieldError:
        return field_id, None
    if hashes is not None and not same_images(field_hashes(field.pixels), hashes):
        return field_id, None
    return field_id, draw(field.pixels, cells, shown_pixel_size(field), marked)


def shown_pixel_size(field: FieldPixels) -> float | None:
    """The size of the pixels as they were measured, µm; None if it is not known."""
    size = field.facts.pixel_size
    return size * field.stored_shape[0] / field.pixels.shape[1] if size else None


def measured_hashes(folder: RunFolder, split: str) -> dict[str, np.ndarray]:
    """The perceptual hashes of each field of a split when it was measured: uint64, shape (4,)."""
    table = read_hashes(folder.matrix(split))
    return dict(zip(table[METADATA_ID], hashes_of(table), strict=True))


def same_images(found: np.ndarray, measured: np.ndarray) -> bool:
    """Whether two sets of perceptual hashes, uint64, shape (4,), are of the same images.

    A few bits may differ: those of coefficients so close to 0 that another machine rounds them to the other sign.
    """
    return int(hamming(found, measured).sum()) <= _ROUNDED_BITS


def _recorded(folder: RunFolder) -> Recorded:
    return read_recorded(folder) if settings_path(folder).is_file() else UNRECORDED


def find_pictured(
    folder: RunFolder, data: Path, masks: Path | None, images: Path | None = None
) -> dict[str, FieldSource]:
    """The images of a run's fields in a data folder, read as they were when they were measured.

    Paths in the run folder are never followed: a run from someone else could name any. So the user names again where
    label images are, and the csv that listed the images.

    Parameters
    ----------
    folder : RunFolder
    data : Path
    masks : Path or None
        Folder of label images.
    images : Path or None
        The csv for CellProfiler's LoadData, if the images were listed in one.

    Raises
    ------
    HpaError
        If there are none, or a csv is missing or needless.
    """
    known = _recorded(folder)
    if known.by_csv and images is None:
        raise InputError(
            f"the images of {folder.root} were listed in a csv, whose path in the run is not followed. Name it with "
            "--images FILE.csv."
        )
    if images is not None and not known.by_csv:
        raise InputError(f"the images of {folder.root} were not listed in a csv. Leave --images out.")
    sources = scaled(find_splits(data, replace(known.reading, images=images)), known.acquisition.scale)
    return with_masks(sources, masks) if masks else sources


def picture_settings(folder: RunFolder, masks: Path | None) -> PictureSettings:
    """How the fields of a run are outlined; `masks` is the folder of label images that the user names."""
    outlined = bool(masks) or not _recorded(folder).settings["masks"]
    if not outlined:
        _log.warning("pictures without outlines: the cells came from masks; name their folder with --masks")
    return PictureSettings(outlined)
