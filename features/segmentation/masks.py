"""Cells from masks made elsewhere: as they are, or completed here where cells or nuclei are missing."""

import cv2
import numpy as np

from engine.errors import FieldError
from features.core.labels import pair_nuclei
from features.reading.archive import located, read_bytes
from features.reading.decoding import decode_labels
from features.reading.field_reading import FieldPixels
from features.reading.image_file import UnreadableImageError
from features.reading.mask_names import EXAMPLES
from features.reading.source import CELLS, NUCLEI, FieldSource, Mask
from features.segmentation.segment import Segmentation, grow_cells, nuclei_alone

_LARGEST_ID = 2**31 - 1
_WITHOUT_NUMBERS = (255, 65535)
_MOST_CLASSES = 3
_OF_LIKE_SIZE = 0.1  # of the largest piece


def read_masks(source: FieldSource, field_id: str, field: FieldPixels) -> Segmentation:
    """The cells of a field from its masks: label images with any ids, 0 for background.

    A nucleus goes to the cell that holds most of it and is clipped to it; one outside all cells is dropped. A cell may
    have no nucleus, or several. Cells are renumbered 1..n in the order of their ids. Where there are only cells, the
    nuclei are found in the nucleus channel; where there are only nuclei, cells are grown from them, as without masks.

    A mask of 0 and 255, or whose several pieces all have one number, has no numbers of cells: pieces of nuclei are
    numbered, and pieces of cells are divided among the nuclei in them.

    Parameters
    ----------
    source : FieldSource
        With masks.
    field_id : str
    field : FieldPixels
        Masks have the size that the images have in their files.

    Raises
    ------
    FieldError
        Of stage "segment", if there is no mask, or one is double, unreadable, not integer, of another size, empty, or
        of classes of pixels; or if the nuclei cover more than the cells.
    """
    masks = (source.masks or {}).get(field_id, ())
    if not masks:
        reason = f"has no mask (looked for names such as {EXAMPLES}). Give its masks, or run without --masks."
        raise FieldError(f"field {field_id}: {reason}", field=field_id, stage="segment")
    found = {kind: _read_labels(field_id, kind, masks, field) for kind in (CELLS, NUCLEI)}
    cells, nuclei = found[CELLS], found[NUCLEI]
    kind = NUCLEI if cells is None else CELLS
    if (outlined := found[kind]) is None or not outlined.any():
        path = _path(masks, kind)
        raise _unusable(
            field_id, path, f"the mask of {kind} in {path} is empty. Outline its {kind}, or remove the field."
        )
    absent = source.options.chosen_stains.absent
    _refuse_unlikely(field_id, masks, found)
    if nuclei is not None and _is_binary(nuclei):
        nuclei = _numbered_pieces(nuclei)
    if nuclei is None:
        nuclei = nuclei_alone(field.pixels)
    if cells is None:
        ids, cells, nuclei = pair_nuclei(nuclei, nuclei)
        return Segmentation(grow_cells(nuclei, field.pixels, absent), nuclei, ids)
    if _is_binary(cells):
        cells = _divided(cells > 0, nuclei, field.pixels, absent)
    ids, cells, nuclei = pair_nuclei(cells, nuclei)
    return Segmentation(cells, nuclei, ids)


def _path(masks: tuple[Mask, ...], kind: str) -> str:
    return next(located(mask.member) for mask in masks if mask.kind == kind)


def _refuse_unlikely(field_id: str, masks: tuple[Mask, ...], found: dict[str, np.ndarray | None]) -> None:
    """Raise FieldError for classes of pixels instead of cells, and for nuclei that cover more than the cells."""
    for kind, labels in found.items():
        if labels is not None and (number := _class_in(labels)):
            path = _path(masks, kind)
            raise _unusable(
                field_id, path, f"in the mask of {kind} in {path} the number {number} lies in several places, like a "
                "class of pixels (expected 0 for background and a number for each cell). Number the pieces, or save 0 "
                "and 255."
            )  # fmt: skip
    cells, nuclei = found[CELLS], found[NUCLEI]
    if cells is not None and nuclei is not None and np.count_nonzero(nuclei) > np.count_nonzero(cells):
        path = _path(masks, NUCLEI)
        raise _unusable(
            field_id, path, f"the nuclei in {path} cover more than the cells in {_path(masks, CELLS)}. Check whether "
            "the two masks are swapped."
        )  # fmt: skip


def _class_in(labels: np.ndarray) -> int:
    """The first of at most three numbers that lies in three pieces or more of like size, as classes do; 0 if none."""
    if not 1 < labels.max() <= _MOST_CLASSES:
        return 0
    for number in range(1, _MOST_CLASSES + 1):
        sizes = np.sort(np.bincount(_numbered_pieces(labels == number).ravel())[1:])
        if len(sizes) > 2 and sizes[-3] >= _OF_LIKE_SIZE * sizes[-1]:
            return number
    return 0


def _divided(mask: np.ndarray, nuclei: np.ndarray, pixels: np.ndarray, absent: tuple) -> np.ndarray:
    """Cells in a mask without numbers: each nucleus's part of its piece, and pieces without nucleus."""
    _, _, seeds = pair_nuclei(nuclei * mask, nuclei * mask)
    cells = grow_cells(seeds, pixels, absent, inside=mask)
    cells = _spread(cells, mask)
    rest = _numbered_pieces(mask & (cells == 0))
    return np.where(rest > 0, rest + cells.max(), cells)


def _spread(cells: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Cells over all of their pieces of a mask: what hangs on by a corner only was not reached when they were grown."""
    square = np.ones((3, 3), np.uint8)
    while True:
        left = mask & (cells == 0)
        near = cv2.dilate(cells.astype(np.float32), square) * left if left.any() else left
        if not near.any():
            return cells
        cells = cells + near.astype(np.int32)


def _is_binary(labels: np.ndarray) -> bool:
    """Whether there is one number only, and it is that of masks without numbers or stands for several pieces."""
    used = labels > 0
    if not used.any() or labels[used].min() != labels.max():
        return False
    return labels.max() in _WITHOUT_NUMBERS or int(_numbered_pieces(used).max()) > 1


def _numbered_pieces(mask: np.ndarray) -> np.ndarray:
    """8-connected pieces, numbered from 1."""
    return cv2.connectedComponents((mask > 0).astype(np.uint8), connectivity=8)[1]


def _read_labels(field_id: str, kind: str, masks: tuple[Mask, ...], field: FieldPixels) -> np.ndarray | None:
    """The label image of a kind, non-negative integers, in the size of the measured pixels; None if there is none."""
    files = [mask.member for mask in masks if mask.kind == kind]
    if not files:
        return None
    if len(files) > 1:
        names = " and ".join(located(file) for file in files)
        raise _unusable(field_id, located(files[0]), f"expected one mask of {kind}; found {names}. Remove all but one.")
    path = located(files[0])
    try:
        labels = decode_labels(read_bytes(files[0]))
    except UnreadableImageError as error:
        raise _unusable(field_id, path, f"{path} {error}") from error
    except OSError as error:
        reason = f"{path} cannot be read ({error.strerror or error}). Check the file and its permissions."
        raise _unusable(field_id, path, reason) from error
    if labels.min() < 0 or labels.max() > _LARGEST_ID:
        ids = f"{path} holds ids from {labels.min()} to {labels.max()} (expected 0 to {_LARGEST_ID:,})"
        raise _unusable(field_id, path, f"{ids}. Number the cells anew.")
    if labels.shape != field.stored_shape:
        size, expected = (f"{side[1]} x {side[0]} px" for side in (labels.shape, field.stored_shape))
        raise _unusable(field_id, path, f"{path} is {size} but the images are {expected}. Scale the mask to them.")
    return resized_labels(labels, field.pixels.shape[1:])


def resized_labels(labels: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A label image of another size: each pixel has the label at its place."""
    if labels.shape == shape:
        return labels
    rows, columns = ((np.arange(new) * 2 + 1) * old // (2 * new) for new, old in zip(shape, labels.shape, strict=True))
    return labels[np.ix_(rows, columns)]


def _unusable(field_id: str, path: str, reason: str) -> FieldError:
    return FieldError(f"field {field_id}: {reason}", field=field_id, path=path, stage="segment")
