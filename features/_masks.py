"""Cells and nuclei outlined elsewhere (Cellpose, HPA-Cell-Segmentation, by hand), in place of our own."""

from pathlib import Path

import numpy as np

from engine.errors import FieldError, InputError
from features._decode import decode_labels
from features._image_file import UnreadableImageError, read_file
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
        labels = decode_labels(read_file(path))
    except UnreadableImageError as error:
        raise _unusable(field_id, path, f"{path.name} {error}") from error
    except OSError as error:
        reason = f"{path.name} cannot be read ({error.strerror or error}). Check the file and its permissions."
        raise _unusable(field_id, path, reason) from error
    if labels.min() < 0 or labels.max() > _LARGEST_ID:
        found = f"{path.name} holds ids from {labels.min()} to {labels.max()} (expected 0 to {_LARGEST_ID:,})"
        raise _unusable(field_id, path, f"{found}. Number the cells anew.")
    if labels.shape != shape:
        size, expected = (f"{side[1]} x {side[0]} px" for side in (labels.shape, shape))
        raise _unusable(field_id, path, f"{path.name} is {size} but the images are {expected}. Scale the mask to them.")
    return labels


def _unusable(field_id: str, path: Path, reason: str) -> FieldError:
    return FieldError(f"field {field_id}: {reason}", field=field_id, path=str(path), stage="segment")
