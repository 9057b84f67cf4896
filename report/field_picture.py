"""A small picture of a field: the part with most protein, in HPA's colours, cells outlined in white."""

from collections.abc import Set

import cv2
import numpy as np

from report.drawing import YELLOW, brightened, draw_scale_bar, edges, in_colour, thickened
from report.report_data import PICTURE_SIDE
from store.channels import PROTEIN

_QUALITY = 75  # of the JPEG
_CELLS_ACROSS = 5.5  # of the median area
_LETTERS = 0.38  # size of the scale bar's
_MARK = 3  # px, of the yellow line
_PULL = np.float32(1000)  # how much more the protein of marked cells counts where the part to show is chosen
_OUTLINE = 0.7  # opacity of the white line, so that the signal below stays visible


def draw(
    pixels: np.ndarray, cells: np.ndarray, pixel_size: float | None = None, marked: Set[int] = frozenset()
) -> bytes:
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
    marked : set of int
        Cells to outline in yellow; the part is chosen so that they are in it rather than others.
    """
    own = np.isin(cells, list(marked))
    top, left, side = _brightest_part(pixels[PROTEIN.index] * np.where(own, _PULL, np.float32(1)), _side(cells))
    shown, part = pixels[:, top : top + side, left : left + side], cells[top : top + side, left : left + side]
    image = _resized(in_colour(shown))
    edge = edges(cv2.resize(part, (PICTURE_SIDE, PICTURE_SIDE), interpolation=cv2.INTER_NEAREST))
    image[edge] = _OUTLINE * 255 + (1 - _OUTLINE) * image[edge]
    mine = np.where(own[top : top + side, left : left + side], part, 0).astype(np.int32)
    mine = cv2.resize(mine, (PICTURE_SIDE, PICTURE_SIDE), interpolation=cv2.INTER_NEAREST)
    image[thickened(edges(mine), _MARK)] = YELLOW
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
