"""Cells of a field: nuclei from the nucleus channel, grown over microtubules and ER; the protein is never looked at."""

from dataclasses import dataclass

import cv2
import numpy as np

from engine.errors import FieldError
from features._channels import ER, MICROTUBULES, NUCLEUS
from features._kernels_cpu import pixels as _pixels
from features._kernels_cpu import segment as _kernels
from features._nuclei import find_nuclei
from features._outline import even_out, fill_holes, frame

_WORK_SIDE = 512  # fields at least twice as large are segmented at a half, a third ... of their size
_LIT = 34  # a cell is brighter than this on the 0..255 square-root scale
_SLOPE = 60.0  # rise of the relief per nucleus radius of distance from the nearest nucleus
_VACUOLE = 0.3  # dark holes in a cell up to this share of a nucleus belong to it
_REACH = 8.0  # a cell ends at this many nucleus radii from its nucleus


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
    """Find the cells of a field; each has exactly one connected nucleus.

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
    shrink = max(1, round(max(pixels.shape[1:]) / _WORK_SIDE))
    nuclei, radius = find_nuclei(_root_scale(pixels[NUCLEUS.index], shrink))
    if not nuclei.any():
        raise _no_nuclei(pixels, field)
    body = cv2.addWeighted(
        _root_scale(pixels[MICROTUBULES.index], shrink), 0.5, _root_scale(pixels[ER.index], shrink), 0.5, 0
    )
    cells = _grow_cells(nuclei, body, radius)
    if shrink > 1:
        cells, nuclei = (_enlarge(labels, shrink, pixels.shape[1:]) for labels in (cells, nuclei))
        nuclei[nuclei != cells] = 0
    return Segmentation(cells, nuclei)


def _root_scale(plane: np.ndarray, shrink: int) -> np.ndarray:
    """A channel as uint8 on a square-root scale, its background at 0, its brightest 0.2 % at 255.

    Shrunk by an integer factor. The square root lets dim cells count beside bright ones.
    """
    if shrink > 1:
        bottom, right = (-side % shrink for side in plane.shape)
        plane = cv2.copyMakeBorder(plane, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
        plane = cv2.resize(plane, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
    full = np.iinfo(plane.dtype).max
    histogram = cv2.calcHist([np.ascontiguousarray(plane[::2, ::2])], [0], None, [full + 1], [0, full + 1]).ravel()
    share = np.cumsum(histogram, dtype=np.float64)
    darkest, dark, high = np.searchsorted(share, share[-1] * np.array([0.01, 0.25, 0.998]))
    low = darkest + min(4 * _noise(plane, dark), darkest)  # a camera's offset exceeds its noise; elsewhere it is 0
    levels = np.arange(full + 1, dtype=np.float32)
    table = (255 * np.sqrt(np.clip((levels - low) / max(high - low, 1), 0, 1))).astype(np.uint8)
    return cv2.LUT(plane, table) if full == 255 else table[plane]


def _noise(plane: np.ndarray, dark: int) -> float:
    """Standard deviation of the noise among dark pixels, from the differences of neighbours.

    The darkest 1 % of a background lie about two standard deviations below its mean; four above them, it has ended.
    """
    left, right = plane[::4, :-1:2].astype(np.int32), plane[::4, 1::2].astype(np.int32)
    difference = (left - right)[np.minimum(left, right) <= dark]
    return 1.4826 / np.sqrt(2) * float(np.median(np.abs(difference))) if difference.size else 0.0


def _grow_cells(nuclei: np.ndarray, body: np.ndarray, radius: float) -> np.ndarray:
    """Flood from the nuclei over what is lit: cells meet in the dark valleys between them, or halfway in between."""
    body = cv2.GaussianBlur(body, (0, 0), max(0.15 * radius, 1.0))
    distance = cv2.distanceTransform((nuclei == 0).view(np.uint8), cv2.DIST_L2, 3)
    relief = cv2.add(cv2.bitwise_not(body), (_SLOPE / radius) * distance + 1, dtype=cv2.CV_16U)
    foreground = even_out(cv2.threshold(body, _LIT, 1, cv2.THRESH_BINARY)[1], 0.2 * radius)
    foreground = fill_holes(foreground, _VACUOLE * np.pi * radius**2)
    relief *= (foreground.view(bool) & (distance < _REACH * radius)) | (nuclei > 0)
    return _kernels.flood(frame(nuclei)[None], frame(relief)[None])[0, 1:-1, 1:-1]


def _no_nuclei(pixels: np.ndarray, field: str) -> FieldError:
    top = int(pixels[NUCLEUS.index].max())
    full = np.iinfo(pixels.dtype).max
    found = f"no nuclei found (nucleus channel: brightest pixel {top} of {full})"
    if not pixels.any():
        found = "every channel is black, so that no nuclei were found"
    return FieldError(
        f"field {field}: {found}. Check the field's blue image, or give masks with --masks.",
        field=field,
        stage="segment",
    )


def _enlarge(labels: np.ndarray, times: int, shape: tuple[int, int]) -> np.ndarray:
    """A label image `times` larger, cut to `shape`, with smooth outlines instead of steps.

    Each label's mask is blurred and interpolated on its own; a pixel goes to whoever has the largest share of it.
    """
    padded = cv2.copyMakeBorder(labels, 2, 2, 2, 2, cv2.BORDER_REPLICATE)
    best = 255 - _share(padded > 0, times)
    out = np.zeros(best.shape, np.int32)
    _, boxes = _pixels.bounding_boxes(padded[None], int(labels.max()))
    for label, (top, left, bottom, right) in enumerate(boxes, start=1):
        window = slice(max(top - 2, 0), bottom + 2), slice(max(left - 2, 0), right + 2)
        share = _share(padded[window] == label, times)
        large = tuple(slice(times * side.start, times * side.start + n) for side, n in zip(window, share.shape))
        won = share > best[large]
        out[large][won] = label
        best[large][won] = share[won]
    return np.ascontiguousarray(out[2 * times : 2 * times + shape[0], 2 * times : 2 * times + shape[1]])


def _share(mask: np.ndarray, times: int) -> np.ndarray:
    """How much of each enlarged pixel belongs to the mask, 0..255."""
    soft = cv2.GaussianBlur(mask.astype(np.uint8) * 255, (0, 0), 0.7)
    return cv2.resize(soft, None, fx=times, fy=times, interpolation=cv2.INTER_LINEAR)
