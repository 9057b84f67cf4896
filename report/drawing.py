"""Fields in HPA's colours, and lines around what was found in them: for the report's pictures and for overlays."""

from collections.abc import Sequence, Set

import cv2
import numpy as np

from store.channels import ER, MICROTUBULES, NUCLEUS, PROTEIN, Channel

WHITE, CYAN, YELLOW, BLACK = (255, 255, 255), (255, 190, 80), (60, 225, 255), (0, 0, 0)
"""Blue, green, red. Cell outlines are white; nuclei light blue; cells with the highest scores for a call yellow."""

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_LEAST_WIDTH, _MOST_ZOOM = 40, 3  # px of a cell that a number fits into
_LEGIBLE = 512  # px: letters grow with the field beyond this size


def in_colour(pixels: np.ndarray) -> np.ndarray:
    """Microtubules red, protein green, nucleus blue, ER yellow.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (4, H, W)

    Returns
    -------
    ndarray of uint8, shape (H, W, 3)
        Blue, green, red.
    """

    def shown(channel: Channel, share: float) -> np.ndarray:
        plane = pixels[channel.index]
        return (share * _shown_levels(plane)).astype(np.uint8)[plane]

    er = shown(ER, 0.4)
    return np.dstack([shown(NUCLEUS, 0.8), np.maximum(shown(PROTEIN, 1), er), np.maximum(shown(MICROTUBULES, 0.5), er)])


def edges(labels: np.ndarray) -> np.ndarray:
    """Pixels whose upper or left neighbour has another label: bool, the shape of `labels` (H, W)."""
    edge = np.zeros(labels.shape, bool)
    edge[1:] |= labels[1:] != labels[:-1]
    edge[:, 1:] |= labels[:, 1:] != labels[:, :-1]
    return edge


def scale_bar(width: float, pixel_size: float | None) -> tuple[float, str]:
    """A round length of at most 30 % of a picture, in px of the picture, and its words.

    Parameters
    ----------
    width : float
        Of the picture, px of the field.
    pixel_size : float or None
        Of the field, µm; if it is not known, the bar counts px.
    """
    unit, words = (pixel_size, "um") if pixel_size else (1.0, "px")
    most = 0.3 * width * unit
    power = 10.0 ** np.floor(np.log10(most))
    length = next(step for step in (5 * power, 2 * power, power) if step <= most)
    return length / unit, f"{length:g} {words}"


def draw_scale_bar(image: np.ndarray, zoom: float, pixel_size: float | None, size: float) -> None:
    """Draw a white scale bar with its length in the lower right corner, with letters of a size.

    `zoom` is px of the image for each px of the field, `pixel_size` that of the field in µm, or None.
    """
    height, width = image.shape[:2]
    length, words = scale_bar(width / zoom, pixel_size)
    thick, gap = max(round(6 * size), 2), max(round(16 * size), 4)
    left, right, bottom = width - gap - round(length * zoom), width - gap, height - gap
    cv2.rectangle(image, (left - 1, bottom - thick - 1), (right + 1, bottom + 1), BLACK, -1)
    cv2.rectangle(image, (left, bottom - thick), (right, bottom), WHITE, -1)
    _write(image, words, (left + right) // 2, bottom - thick - round(28 * size), size, WHITE)


def overlay(
    pixels: np.ndarray, cells: np.ndarray, nuclei: np.ndarray, marked: Set[int], caption: Sequence[str],
    pixel_size: float | None = None,
) -> bytes:  # fmt: skip
    """A field with its cells outlined and numbered, as PNG at the field's own size, or enlarged where cells are small.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (4, H, W)
    cells, nuclei : ndarray of int32, shape (H, W)
        Labels.
    marked : set of int
        Numbers of the cells to outline thickly in yellow.
    caption : sequence of str
        Lines under the field, in ASCII letters.
    pixel_size : float or None
        µm; if it is not known, the scale bar counts px.
    """
    zoom = _zoom(cells)
    image = _enlarged(in_colour(pixels), zoom)
    cells, nuclei = _enlarged(cells, zoom), _enlarged(nuclei, zoom)
    scale = max(max(cells.shape) / _LEGIBLE / np.sqrt(zoom), 1.0)
    image[edges(nuclei)] = CYAN
    thick, thin = round(2 * scale), round(scale)
    image[thickened(edges(cells), thin)] = WHITE
    own = np.where(np.isin(cells, list(marked)), cells, 0)
    image[thickened(edges(own), thick + thin)] = YELLOW
    middles = _middles(cells)
    size = float(np.clip(_width(cells) / 120, 0.28 * scale, 0.45 * scale))
    for number, (x, y) in middles.items():
        _write(image, str(number), x, y, size, YELLOW if number in marked else WHITE)
    draw_scale_bar(image, zoom, pixel_size, 0.45 * scale)
    written = np.vstack([image, _strip(caption, image.shape[1], scale)])
    return cv2.imencode(".png", written)[1].tobytes()


def _width(cells: np.ndarray) -> float:
    """Of a cell, about, px."""
    return float(np.sqrt(np.count_nonzero(cells) / max(len(np.unique(cells)) - 1, 1)))


def _zoom(cells: np.ndarray) -> int:
    """How many times a field is enlarged, so that numbers fit into its cells."""
    width = _width(cells)
    return min(int(np.ceil(_LEAST_WIDTH / width)), _MOST_ZOOM) if width else 1


def _enlarged(image: np.ndarray, zoom: int) -> np.ndarray:
    return image.repeat(zoom, axis=0).repeat(zoom, axis=1)


def brightened(plane: np.ndarray) -> np.ndarray:
    """A plane of whole numbers as float 0..255 with a gamma that shows dim cells; the brightest 0.3 % are white."""
    return _shown_levels(plane)[plane]


def _shown_levels(plane: np.ndarray) -> np.ndarray:
    """What `brightened` shows for each level from 0 to the brightest: one power a level, not one a pixel."""
    levels = np.arange(int(plane.max(initial=0)) + 1)
    return 255 * np.clip(levels / max(float(np.percentile(plane, 99.7)), 1.0), 0, 1) ** 0.7


def thickened(edge: np.ndarray, width: int) -> np.ndarray:
    """Lines (bool, shape (H, W)) of a width, px."""
    return cv2.dilate(edge.astype(np.uint8), np.ones((width, width), np.uint8)).astype(bool) if width > 1 else edge


def _middles(labels: np.ndarray) -> dict[int, tuple[int, int]]:
    """The pixel (x, y) of each label that lies deepest in it, so that a number there is inside the cell."""
    depth = cv2.distanceTransform((np.pad(~edges(labels) & (labels > 0), 1)).astype(np.uint8), cv2.DIST_L2, 3)
    depth = depth[1:-1, 1:-1].ravel()
    order = np.argsort(depth, kind="stable")  # the deepest is written last
    place = np.zeros(int(labels.max(initial=0)) + 1, np.int64)
    place[labels.ravel()[order]] = order
    present = np.unique(labels[labels > 0])
    return {int(n): (int(place[n] % labels.shape[1]), int(place[n] // labels.shape[1])) for n in present}


def _write(image: np.ndarray, text: str, x: int, y: int, size: float, colour: tuple[int, int, int]) -> None:
    """Text with a dark rim, its middle at x, y, moved so that all of it is in the picture."""
    (width, height), _ = cv2.getTextSize(text, _FONT, size, 1)
    left = int(np.clip(x - width // 2, 1, max(image.shape[1] - width - 1, 1)))
    bottom = int(np.clip(y + height // 2, height + 1, image.shape[0] - 2))
    width = max(round(size * 2.5), 1)
    for ink, line in ((BLACK, width + max(round(4 * size), 2)), (colour, width)):
        cv2.putText(image, text, (left, bottom), _FONT, size, ink, line, cv2.LINE_AA)


def _strip(caption: Sequence[str], width: int, scale: float) -> np.ndarray:
    """The caption's lines, white on black; letters shrink where a line would not fit."""
    step = round(18 * scale)
    strip = np.zeros((step * len(caption) + step // 2, width, 3), np.uint8)
    for k, line in enumerate(caption):
        size = _fitting(line, 0.45 * scale, width - 12 * scale)
        place = (round(6 * scale), step * (k + 1) - step // 6)
        cv2.putText(strip, line, place, _FONT, size, WHITE, max(round(scale), 1), cv2.LINE_AA)
    return strip


def _fitting(line: str, size: float, width: float) -> float:
    """The size, or the largest smaller one at which the line is no wider; letters come in whole sizes only."""
    while size > 0.05 and cv2.getTextSize(line, _FONT, size, 1)[0][0] > width:
        size *= 0.95
    return size
