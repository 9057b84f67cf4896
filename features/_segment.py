"""Cells of a field: nuclei from the nucleus channel, grown over microtubules and ER; the protein is never looked at."""

from dataclasses import dataclass

import cv2
import numpy as np

from engine.errors import FieldError
from features._channels import ER, MICROTUBULES, NUCLEUS
from features._kernels_cpu import segment as _kernels
from features._nuclei import find_nuclei

_WORK_SIDE = 768  # larger fields are segmented at half, a third ... of their size
_REACH = 6.0  # a cell ends at this many nucleus radii from its nucleus


@dataclass(frozen=True)
class Segmentation:
    """The cells of one field.

    Attributes
    ----------
    cells, nuclei : ndarray of int32, shape (H, W)
        Ids 1..n without gaps, 0 is background. A nucleus carries the id of its cell and lies inside it.
    """

    cells: np.ndarray
    nuclei: np.ndarray

    @property
    def n(self) -> int:
        """Number of cells."""
        return int(self.cells.max(initial=0))


def segment(pixels: np.ndarray, field: str = "") -> Segmentation:
    """Find the cells of a field.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (4, H, W)
    field : str
        Its id, for the message of an error.

    Raises
    ------
    FieldError
        Of stage "segment", if there is no nucleus.
    """
    shrink = max(1, round(max(pixels.shape[1:]) / 512)) if max(pixels.shape[1:]) > _WORK_SIDE else 1
    nucleus, tubules, er = (_root_scale(pixels[c.index], shrink) for c in (NUCLEUS, MICROTUBULES, ER))
    nuclei, radius = find_nuclei(nucleus)
    if not nuclei.any():
        raise _no_nuclei(pixels, field)
    cells = _grow_cells(nuclei, tubules, er, radius)
    if shrink > 1:
        size = pixels.shape[:0:-1]
        cells, nuclei = (cv2.resize(x, size, interpolation=cv2.INTER_NEAREST) for x in (cells, nuclei))
    return Segmentation(cells, nuclei)


def _root_scale(plane: np.ndarray, shrink: int) -> np.ndarray:
    """A channel as uint8 on a square-root scale, the brightest 0.2 % at 255; shrunk by an integer factor."""
    height, width = plane.shape
    if shrink > 1:
        plane = cv2.resize(plane, (width // shrink, height // shrink), interpolation=cv2.INTER_AREA)
    top = max(float(np.percentile(plane[::2, ::2], 99.8)), 1.0)
    return (255 * np.sqrt(np.minimum(plane.astype(np.float32) / top, 1))).astype(np.uint8)


def _grow_cells(nuclei: np.ndarray, tubules: np.ndarray, er: np.ndarray, radius: float) -> np.ndarray:
    """Grow nuclei into cells where microtubules or ER are lit; boundaries settle in the dark valleys between cells."""
    body = cv2.GaussianBlur(cv2.addWeighted(tubules, 0.5, er, 0.5, 0), (0, 0), max(0.12 * radius, 1.0))
    foreground = (body > 34) | (nuclei > 0)
    cost = np.where(foreground, 255 - (body // 8) * 7, 0).astype(np.uint8)
    cost = np.maximum(cost, foreground.astype(np.uint8))
    cost[[0, -1]] = cost[:, [0, -1]] = 0
    limit = int(_REACH * radius * 255 * 5)
    cells = _kernels.grow(nuclei, cost, limit)
    return np.where((cells == 0) & (nuclei > 0), nuclei, cells)


def _no_nuclei(pixels: np.ndarray, field: str) -> FieldError:
    top = int(pixels[NUCLEUS.index].max())
    full = np.iinfo(pixels.dtype).max
    return FieldError(
        f"field {field}: no nuclei found (nucleus channel: brightest pixel {top} of {full}). "
        "Check the field's blue image, or give masks with --masks.",
        field=field,
        stage="segment",
    )
