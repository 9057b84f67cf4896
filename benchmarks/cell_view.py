"""The window around one cell of a field, and how maps of it are coloured and enlarged.

Classes have the colours of Okabe and Ito, which colour-blind people tell apart; levels run from dark blue to yellow
(cividis).
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import matplotlib
import numpy as np

from features.core.cells import Cells
from report.drawing import edges
from store.channels import Channel

MARGIN = 14  # px around the cell
SCALE = 4  # px of a map for each px of the field
GROUND = (24, 24, 28)
ORANGE, SKY, GREEN, YELLOW = (230, 159, 0), (86, 180, 233), (0, 158, 115), (240, 228, 66)
BLUE, RED, PINK, WHITE = (0, 114, 178), (213, 94, 0), (204, 121, 167), (255, 255, 255)
GREY = (70, 70, 80)


@dataclass(frozen=True)
class View:
    """One cell of a field, and the window around it."""

    cells: Cells
    index: int

    @cached_property
    def window(self) -> tuple[slice, slice]:
        """A square of the field with the cell in the middle."""
        top, left, bottom, right = self.cells.boxes[self.index]
        half = max(bottom - top, right - left) // 2 + MARGIN
        y, x = ((bottom + top) // 2, (right + left) // 2)
        return slice(max(y - half, 0), y + half), slice(max(x - half, 0), x + half)

    @cached_property
    def cell(self) -> np.ndarray:
        """The cell's mask in the window."""
        return self.cells.cell_labels[0][self.window] == self.index + 1

    @cached_property
    def nucleus(self) -> np.ndarray:
        """The nucleus' mask in the window."""
        return self.cells.nucleus_labels[0][self.window] == self.index + 1

    @property
    def unit(self) -> float:
        """Median nucleus diameter of the field in px."""
        return float(self.cells.nucleus_diameter[0])

    @property
    def corner(self) -> np.ndarray:
        """First row and column of the window."""
        return np.array([part.start for part in self.window])

    def plane(self, channel: Channel) -> np.ndarray:
        """A channel in the window, float32."""
        return self.cells.pixels[0, channel.index][self.window].astype(np.float32)

    def distance(self, name: str) -> np.ndarray:
        """One of the distance maps of `Cells` in the window, px."""
        return getattr(self.cells, name)[0][self.window]


def enlarged(view: View, image: np.ndarray) -> np.ndarray:
    """The map at its full size, with the outlines of cell and nucleus in white; RGB uint8."""
    size = tuple(SCALE * side for side in image.shape[1::-1])
    large = cv2.resize(image, size, interpolation=cv2.INTER_NEAREST)
    for mask in (view.cell, view.nucleus):
        smooth = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_CUBIC) > 0.5
        large[cv2.dilate(edges(smooth.astype(int)).astype(np.uint8), np.ones((2, 2))) > 0] = WHITE
    return large


def in_classes(view: View, classes: np.ndarray, colours: tuple, inside: np.ndarray | None = None) -> np.ndarray:
    """Class k in the k-th colour within the cell, dark elsewhere."""
    palette = np.array([*colours, GROUND], np.uint8)
    inside = view.cell if inside is None else inside
    return palette[np.where(inside & (classes >= 0), classes, len(colours))]


def in_levels(view: View, values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Values from dark blue (low) to yellow (high) within the cell, dark elsewhere."""
    shares = np.clip((values - low) / max(high - low, 1e-9), 0, 1)
    image = (255 * matplotlib.colormaps["cividis"](shares)[..., :3]).astype(np.uint8)
    image[~view.cell] = GROUND
    return image
