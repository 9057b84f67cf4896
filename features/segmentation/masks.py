"""Masks of cells and nuclei from other tools (Cellpose, HPA-Cell-Segmentation) or drawn by hand."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from engine.errors import FieldError, InputError
from features.core.labels import pair_nuclei
from features.reading.archive import size_and_time
from features.reading.decoding import decode_labels
from features.reading.image_file import UnreadableImageError, read_file
from features.segmentation.segment import Segmentation

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
    _, cells, nuclei = pair_nuclei(cells, nuclei)
    return Segmentation(cells, nuclei)


def mask_files(folder: Path, field_id: str, kind: str) -> list[Path]:
    """Every file that may be a field's mask of a kind ("cells" or "nuclei"), whether it is there or not."""
    return [folder / f"{field_id}_{kind}.{extension}" for extension in _EXTENSIONS]


def masks_fingerprint(folder: Path, ids: Iterable[str]) -> list[list[object]]:
    """What changes with the masks of these fields, as JSON can hold it: names, sizes and times of the files."""
    paths = (path for field_id in ids for kind in ("cells", "nuclei") for path in mask_files(folder, field_id, kind))
    return [[path.name, *size_and_time(path)] for path in paths if path.exists()]


def _read_labels(folder: Path, field_id: str, kind: str, shape: tuple[int, int]) -> np.ndarray:
    """One label image, non-negative integers, shape (H, W)."""
    paths = mask_files(folder, field_id, kind)
    found = [path for path in paths if path.is_file()]
    if len(found) != 1:
        names = " and ".join(path.name for path in found) or "none"
        reason = f"expected exactly one {paths[0].name} or .tif in {folder}; found {names}."
        raise _unusable(field_id, paths[0], f"{reason} Give one {kind} mask for each field.")
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
