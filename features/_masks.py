"""Cells and nuclei outlined elsewhere (Cellpose, HPA-Cell-Segmentation, by hand), in place of our own."""

import io
from pathlib import Path

import numpy as np
import tifffile

from engine.errors import FieldError, InputError
from features._decode import UnreadableImageError, decode
from features._segment import Segmentation

_EXTENSIONS = ("png", "tif", "tiff", "ome.tif")
_LARGEST_ID = 2**31 - 1


def read_masks(folder: Path, field_id: str, shape: tuple[int, int]) -> Segmentation:
    """Read `<Id>_cells` and `<Id>_nuclei` (.png, .tif): label images with any ids, 0 for background.

    A nucleus goes to the cell that holds most of it and is clipped to it; one outside all cells is dropped. A cell may
    have no nucleus, or several. Cells are renumbered 1..n in the order of their ids.

    Parameters
    ----------
    folder : Path
    field_id : str
    shape : tuple of int
        (H, W) of the field's images.

    Raises
    ------
    InputError
        If the folder does not exist.
    FieldError
        Of stage "segment", if a file is missing, unreadable, not integer, of another size, or holds no cell.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder} is missing (expected a folder of masks). Check --masks, or run without it.")
    cells, nuclei = (_read_labels(folder, field_id, kind, shape) for kind in ("cells", "nuclei"))
    if not cells.any():
        raise _unusable(
            field_id, folder, f"the cell mask in {folder} is empty. Outline its cells, or remove the field."
        )
    ids, cells = _number(cells)
    return Segmentation(cells, _match(nuclei, cells, len(ids)))


def _match(nuclei: np.ndarray, cells: np.ndarray, n_cells: int) -> np.ndarray:
    """Give each nucleus the id of the cell that holds most of it, and clip it to that cell.

    Among cells that hold equally much, the one with the lower id.
    """
    ids, nuclei = _number(nuclei)
    shared = (nuclei > 0) & (cells > 0)
    pairs, counts = np.unique(nuclei[shared].astype(np.int64) * (n_cells + 1) + cells[shared], return_counts=True)
    order = np.lexsort((-pairs, counts))  # the pair that counts is assigned last
    owner = np.zeros(len(ids) + 1, np.int32)
    owner[pairs[order] // (n_cells + 1)] = pairs[order] % (n_cells + 1)
    owned = owner[nuclei]
    return np.where(owned == cells, owned, 0)


def _number(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ids of a label image in ascending order, and the image with ids 1..n."""
    ids, positions = np.unique(labels, return_inverse=True)
    positions = positions.reshape(labels.shape).astype(np.int32)
    return ids[ids > 0], positions if ids[0] == 0 else positions + 1


def _read_labels(folder: Path, field_id: str, kind: str, shape: tuple[int, int]) -> np.ndarray:
    """One label image, non-negative integers, shape (H, W)."""
    paths = [folder / f"{field_id}_{kind}.{extension}" for extension in _EXTENSIONS]
    found = [path for path in paths if path.is_file()]
    if len(found) != 1:
        names = " and ".join(path.name for path in found) or "neither it nor a .tif"
        reason = f"its {kind} mask is needed once (looked for {paths[0].name}; found {names})."
        raise _unusable(field_id, paths[0], f"{reason} Give exactly one such file in {folder}.")
    path = found[0]
    try:
        labels = _decode_labels(path.read_bytes())
    except UnreadableImageError as error:
        raise _unusable(field_id, path, f"{path.name} {error}") from error
    if labels.shape != shape:
        size, expected = (f"{side[1]} x {side[0]} px" for side in (labels.shape, shape))
        raise _unusable(field_id, path, f"{path.name} is {size} but the images are {expected}. Scale the mask to them.")
    return labels


def _decode_labels(data: bytes) -> np.ndarray:
    """A label image; 32- and 64-bit integers are only found in TIFF."""
    if not data.startswith((b"II", b"MM")):
        return decode(data)
    try:
        labels = tifffile.imread(io.BytesIO(data))
    except Exception:  # compressed in a way tifffile cannot read, or damaged: the image decoder says which
        return decode(data)
    if labels.ndim != 2 or labels.dtype.kind not in "iu":
        raise UnreadableImageError(
            f"holds {labels.dtype} values in {labels.ndim} dimensions (expected one plane of whole numbers). "
            "Save the labels as integers."
        )
    if labels.min() < 0 or labels.max() > _LARGEST_ID:
        raise UnreadableImageError(
            f"holds ids from {labels.min()} to {labels.max()} (expected 0 to {_LARGEST_ID:,}). Number the cells anew."
        )
    return labels


def _unusable(field_id: str, path: Path, reason: str) -> FieldError:
    return FieldError(f"field {field_id}: {reason}", field=field_id, path=str(path), stage="segment")
