"""One image inside a file: named planes by channel, z and time, with pixel size and level."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from features.reading.layouts.names import NOWHERE, Place


@dataclass(frozen=True)
class Facts:
    """What a file states about its pixels; None where it states nothing.

    Attributes
    ----------
    pixel_size : float or None
        Width of a pixel in the sample, µm.
    level : int or None
        The highest value that a pixel can have: 255 of 8 bits, 4095 of a 12-bit camera in 16 bits.
    channel : str
        The name of the channel, of a file of one plane; "" if it has none.
    """

    pixel_size: float | None = None
    level: int | None = None
    channel: str = ""


NOTHING_STATED = Facts()


@dataclass(frozen=True)
class Scene:
    """One image of a file. Files of several images (wells, positions, series) have several scenes.

    Attributes
    ----------
    name : str
        "" where the file names none.
    channels : tuple of str
        One name a channel, "" where the file names none.
    n_z, n_t : int
        Planes of the stack, and time points; at least 1.
    facts : Facts
    load : callable
        (channel, z, time), each from 0, to the plane as stored, shape (H, W); used while the file is open. Raises
        UnreadableImageError.
    pages : bool
        The channels are pages of which the file does not say whether they are channels or z.
    place : Place
        Of plates.
    """

    name: str
    channels: tuple[str, ...]
    n_z: int
    n_t: int
    facts: Facts
    load: Callable[[int, int, int], np.ndarray]
    pages: bool = False
    place: Place = NOWHERE
