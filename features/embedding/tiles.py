"""A network run over images of any size in tiles, with as much around each as a map pixel can depend on.

So the maps are those of the whole image, and the memory is that of a tile.
"""

from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType

import numpy as np

from features.embedding.field_maps import Maps

_Parts = tuple[tuple[int, int], ...]
"""Where the parts of a side begin and end."""


@dataclass(frozen=True)
class InTiles:
    """From images to maps, as `Maps`; sides of images are multiples of the coarsest stride.

    Attributes
    ----------
    run : callable
        The network on one tile: images (views, not always in one piece) to maps.
    maps : tuple of (channels, stride)
        What it gives. A stride is the side of a map pixel in pixels of the image.
    reach : int
        Pixels of the image on each side that a map pixel depends on at most, a multiple of the coarsest stride.
    least : int
        Shortest side of a tile without what is around it, if the image is longer.
    most : int
        Most pixels of a tile with what is around it. An image with no more is one tile.
    xp : module
        The array namespace.
    """

    run: Maps
    maps: tuple[tuple[int, int], ...]
    reach: int
    least: int
    most: int
    xp: ModuleType

    def __call__(self, images: np.ndarray) -> list[np.ndarray]:
        """The maps, each float32, shape (n, channels, H / stride, W / stride)."""
        n, _, height, width = images.shape
        step = max(stride for _, stride in self.maps)
        rows, columns = tile_parts(height, width, self.reach, step, self.least, self.most)
        if len(rows) == len(columns) == 1:
            return self.run(images)
        # Channels lie side by side in memory, as they are pooled.
        sides = [(n, height // stride, width // stride, channels) for channels, stride in self.maps]
        whole = [self.xp.empty(shape, np.float32).transpose(0, 3, 1, 2) for shape in sides]
        for top, bottom in rows:
            for left, right in columns:
                y, x = max(top - self.reach, 0), max(left - self.reach, 0)
                found = self.run(images[:, :, y : bottom + self.reach, x : right + self.reach])
                for out, part, (_, stride) in zip(whole, found, self.maps, strict=True):
                    inner = out[:, :, top // stride : bottom // stride, left // stride : right // stride]
                    down, across = (top - y) // stride, (left - x) // stride
                    inner[...] = part[:, :, down : down + inner.shape[2], across : across + inner.shape[3]]
        return whole


@lru_cache
def tile_parts(height: int, width: int, reach: int, step: int, least: int, most: int) -> tuple[_Parts, _Parts]:
    """Rows and columns where tiles begin and end: those that show the fewest pixels in all, at most `most` each."""
    ways = [(rows, columns) for rows in _divisions(height, step, least) for columns in _divisions(width, step, least)]
    sizes = [(_shown(rows, height, reach), _shown(columns, width, reach)) for rows, columns in ways]
    totals = [sum(down) * sum(across) if max(down) * max(across) <= most else np.inf for down, across in sizes]
    return ways[int(np.argmin(totals))] if np.isfinite(min(totals)) else ways[-1]


def _divisions(side: int, step: int, least: int) -> list[_Parts]:
    """A side in one part, in two, ..., each about equally long and in whole steps."""
    found = []
    for n in range(1, max(side // least, 1) + 1):
        length = -(-side // (n * step)) * step
        found.append(tuple((start, min(start + length, side)) for start in range(0, side, length)))
    return found


def _shown(parts: _Parts, side: int, reach: int) -> list[int]:
    """How long the parts are with what is around them."""
    return [min(end + reach, side) - max(start - reach, 0) for start, end in parts]
