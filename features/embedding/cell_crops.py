"""Crops of single cells as input of a network: centred on the nucleus, masked, at one scale. On the host."""

from dataclasses import dataclass

import cv2
import numpy as np

LARGEST = 255


@dataclass(frozen=True)
class CropSettings:
    """How cells are cropped.

    Attributes
    ----------
    side : int
        Width and height of a crop in pixels.
    diameters : float
        Width and height of what it shows, in median nucleus diameters of the field, so that
        resolution and camera do not matter.
    exponent : float
        Grey value = 255 (level / highest level of the cell)^exponent; below 1, dim parts are lifted.
    """

    side: int = 64
    diameters: float = 3.0
    exponent: float = 0.5


def crop_cells(
    pixels: np.ndarray,
    cell_labels: np.ndarray,
    nucleus_labels: np.ndarray,
    settings: CropSettings,
    ids: np.ndarray | None = None,
) -> np.ndarray:
    """Crop the cells of a field.

    A crop is averaged by areas to its size, and black outside the cell's own mask. Each channel of each cell is
    scaled to its own highest level, so that a network cannot recognise a field by its brightness.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (4, H, W)
    cell_labels, nucleus_labels : ndarray of int, shape (H, W)
        Ids 1..n; a cell without a nucleus is centred on itself.
    settings : CropSettings
    ids : ndarray of int, or None
        The cells wanted; None means all, in the order of their ids.

    Returns
    -------
    ndarray of uint8, shape (n, 4, side, side)
    """
    n = int(cell_labels.max(initial=0))
    wanted = np.arange(1, n + 1) if ids is None else ids
    crops = np.zeros((len(wanted), len(pixels), settings.side, settings.side), np.uint8)
    if n == 0:
        return crops
    half = max(round(settings.diameters * _length_unit(cell_labels, nucleus_labels) / 2), 1)
    planes = cv2.copyMakeBorder(cv2.merge(list(pixels.astype(np.float32))), half, half, half, half, cv2.BORDER_CONSTANT)
    labels = cv2.copyMakeBorder(cell_labels.astype(np.int32), half, half, half, half, cv2.BORDER_CONSTANT)
    for i, (y, x) in enumerate(_centres(cell_labels, nucleus_labels, n)[wanted - 1]):
        window = np.s_[y : y + 2 * half, x : x + 2 * half]
        alone = cv2.copyTo(planes[window], (labels[window] == wanted[i]).view(np.uint8))
        small = cv2.resize(alone, (settings.side, settings.side), interpolation=cv2.INTER_AREA)
        levels = np.stack(cv2.split(small))
        relative = levels / np.maximum(levels.max(axis=(1, 2), keepdims=True), np.finfo(np.float32).tiny)
        crops[i] = np.rint(LARGEST * np.power(relative, settings.exponent))
    return crops


def _length_unit(cell_labels: np.ndarray, nucleus_labels: np.ndarray) -> float:
    """Median equivalent diameter of the nuclei in px; of the cells, halved, where there is no nucleus at all."""
    areas = np.bincount(nucleus_labels.ravel())[1:]
    if areas.any():
        return float(np.median(np.sqrt(4 / np.pi * areas[areas > 0])))
    areas = np.bincount(cell_labels.ravel())[1:]
    return float(np.median(np.sqrt(4 / np.pi * areas[areas > 0]))) / 2


def _centres(cell_labels: np.ndarray, nucleus_labels: np.ndarray, n: int) -> np.ndarray:
    """The corner between pixels nearest to the centre of each nucleus, or of the cell without one, int64, (n, 2)."""
    nuclei, cells = (_centroids(labels, n) for labels in (nucleus_labels, cell_labels))
    return np.rint(np.where(np.isnan(nuclei), cells, nuclei) + 0.5).astype(np.int64)


def _centroids(labels: np.ndarray, n: int) -> np.ndarray:
    """Centroid (y, x) of each id 1..n, float64, shape (n, 2); NaN of an id without pixels."""
    y, x = np.nonzero(labels)
    ids = labels[y, x]
    counts = np.bincount(ids, minlength=n + 1)[1:].astype(np.float64)
    counts[counts == 0] = np.nan
    return np.column_stack([np.bincount(ids, along, n + 1)[1:] / counts for along in (y, x)])
