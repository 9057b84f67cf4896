"""Planes of an array with named axes, as most readers give their images."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from features.reading.image_file import UnreadableImageError, check_size
from features.reading.layouts.names import NOWHERE, Place
from features.reading.scene import Facts, Scene


def array_scene(
    sizes: Mapping[str, int],
    load: Callable[[Mapping[str, int]], Any],
    names: Sequence[str],
    facts: Facts,
    name: str = "",
    place: Place = NOWHERE,
) -> Scene:
    """A scene over an array with the axes C, Z, T, Y, X, of which the first three may be missing.

    Parameters
    ----------
    sizes : mapping of str to int
        By axis; another axis must have length 1.
    load : callable
        The plane at an index of C, Z and T, shape (H, W).
    names : sequence of str
        Of the channels; ignored if their number does not fit.
    facts : Facts
    name : str
    place : Place
    """
    if odd := [axis for axis, n in sizes.items() if axis not in "CZTYX" and n > 1]:
        raise UnreadableImageError(
            f"has an axis {odd[0]} of {sizes[odd[0]]} (expected channels, z and time). Save channels and z alone."
        )
    check_size(sizes["X"], sizes["Y"])
    n_channels = sizes.get("C", 1)
    known = tuple(map(str, names)) if len(names) == n_channels else ("",) * n_channels

    def plane(channel: int, z: int, t: int) -> np.ndarray:
        return np.ascontiguousarray(load({"C": channel, "Z": z, "T": t}))

    return Scene(name, known, sizes.get("Z", 1), sizes.get("T", 1), facts, plane, place=place)
