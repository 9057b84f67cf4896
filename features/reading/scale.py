"""The scale that all fields of a run are measured on: bit depth, level, camera offset, pixel size."""

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from features.reading.image_file import UnreadableImageError, check_size
from features.reading.scene import Facts

_SAME_SIZE = 0.01


def same_size(one: float, other: float) -> bool:
    """Whether two pixel sizes are the same but for rounding."""
    return abs(one / other - 1) <= _SAME_SIZE


@dataclass(frozen=True)
class Scale:
    """How stored values become those that are measured. By default they are left as they are.

    Attributes
    ----------
    bits : int
        8 or 16, of the pixels that are measured; 0 leaves them as stored.
    level : int or None
        The highest value of 16-bit files that state none; None if there are no such files.
    level_of_all : bool
        `level` is what the user says of all files, whatever they state.
    offset : int
        What the camera adds to every pixel.
    pixel_size : float or None
        µm, that fields are brought to; None leaves them as they are.
    stated_size : float or None
        µm, of files that state none.
    size_of_all : bool
        `stated_size` is what the user says of all files, whatever they state.
    unsized : bool
        No file states a pixel size; one that does cannot be compared with the others.
    """

    bits: int = 0
    level: int | None = None
    level_of_all: bool = False
    offset: int = 0
    pixel_size: float | None = None
    stated_size: float | None = None
    size_of_all: bool = False
    unsized: bool = False

    def size_of(self, facts: Facts) -> float | None:
        """The pixel size of a file, µm."""
        return self.stated_size if self.size_of_all else facts.pixel_size or self.stated_size

    def level_of(self, facts: Facts, plane: np.ndarray) -> int | None:
        """The highest value that the pixels of a plane can have; None if unknown."""
        if self.level_of_all:
            return self.level
        return facts.level or (255 if plane.dtype == np.uint8 else self.level)


AS_STORED = Scale()


def to_scale(plane: np.ndarray, facts: Facts, scale: Scale) -> np.ndarray:
    """Bring a plane to a scale.

    Parameters
    ----------
    plane : ndarray of uint8 or uint16, shape (H, W)
    facts : Facts
        What its file states.
    scale : Scale

    Returns
    -------
    ndarray of uint8 or uint16, shape (H', W')
        0 to 255 or 0 to 65,535, so that the camera's highest value is the type's.

    Raises
    ------
    UnreadableImageError
        If the level is unknown or a pixel lies above it; if the file states another level than the one taken for files
        without; if it states a pixel size and others none, or the reverse.
    """
    if not scale.bits:
        return plane
    plane = _to_size(plane, facts, scale)
    level = scale.level_of(facts, plane)
    if level is None:
        raise UnreadableImageError(
            "has 16-bit values and does not state how many of the bits are used. Give the highest value that a pixel "
            "can have with --max-level (4095 of a 12-bit camera, 65535 of 16 bits)."
        )
    if scale.level not in (None, level) and plane.dtype != np.uint8:
        raise UnreadableImageError(
            f"states that a pixel has at most {level:,}; other images state no highest value and are read with "
            f"{scale.level:,}. Give the highest value for all with --max-level."
        )
    top = 2**scale.bits - 1
    if (level, scale.offset, plane.dtype.itemsize * 8) == (top, 0, scale.bits):
        return plane
    if (brightest := int(plane.max())) - scale.offset > level:
        raise UnreadableImageError(
            f"has a pixel of {brightest:,}, above the highest value {level:,}"
            f"{f' and the camera offset {scale.offset:,}' if scale.offset else ''}. Give the highest value that a "
            "pixel can have with --max-level."
        )
    table = _table(level, scale.offset, scale.bits, plane.dtype.itemsize)
    return table[plane]


@lru_cache(8)
def _table(level: int, offset: int, bits: int, stored_bytes: int) -> np.ndarray:
    """The measured value of each stored one."""
    top = 2**bits - 1
    values = np.maximum(np.arange(2 ** (8 * stored_bytes), dtype=np.int64) - offset, 0)
    return np.minimum((values * top + level // 2) // level, top).astype(np.uint8 if bits == 8 else np.uint16)


def _to_size(plane: np.ndarray, facts: Facts, scale: Scale) -> np.ndarray:
    """A plane with pixels of the scale's size, if there is one."""
    size = scale.size_of(facts)
    if scale.unsized and size:
        raise UnreadableImageError(
            f"states a pixel size ({size:.4g} µm) and other images none. Give it for all with --pixel-size UM."
        )
    if not scale.pixel_size:
        return plane
    if size is None:
        raise UnreadableImageError(
            "states no pixel size while other images do, so that it cannot be brought to their "
            f"{scale.pixel_size:.4g} µm. Give it for all with --pixel-size UM."
        )
    return plane if same_size(size, scale.pixel_size) else _resized(plane, size / scale.pixel_size)


def _resized(plane: np.ndarray, times: float) -> np.ndarray:
    """A plane with pixels of another size: areas are averaged, or values interpolated by cubic polynomials."""
    height, width = (max(round(side * times), 1) for side in plane.shape)
    check_size(width, height)
    image = cv2.resize(plane, (width, height), interpolation=cv2.INTER_AREA if times < 1 else cv2.INTER_CUBIC)
    return np.minimum(image, plane.max())  # cubic polynomials swing beyond
