"""Zeiss .czi by the package czifile; each scene and the like is an image, mosaics are stitched."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import czifile
import numpy as np

from features.reading.containers.planes import array_scene
from features.reading.scene import Facts, Scene

_KNOWN = "CZTYX"


@contextmanager
def open_scenes(path: Path) -> Iterator[tuple[Scene, ...]]:
    """The images of a file while it is open."""
    with czifile.CziFile(path) as file:
        axes = str(file.axes)
        sizes = dict(zip(axes, np.array(file.shape).tolist(), strict=True))
        facts, names = _stated(file.metadata())
        if sizes.get("0", 1) > 1:  # colours of a pixel
            sizes["C"] = sizes.get("C", 1) * sizes["0"]
        others = [axis for axis in axes if axis not in (*_KNOWN, "0") and sizes[axis] > 1]
        pixels: list[np.ndarray] = []

        def scene(number: int) -> Scene:
            place = dict(zip(others, np.unravel_index(number, [sizes[axis] for axis in others]), strict=True))

            def load(at: Mapping[str, int]) -> np.ndarray:
                if not pixels:
                    pixels.append(file.asarray(max_workers=1))
                channel, colour = divmod(at["C"], sizes.get("0", 1))
                where = {**at, **place, "C": channel, "0": colour}
                return pixels[0][tuple(slice(None) if axis in "YX" else where.get(axis, 0) for axis in axes)]

            kept = {axis: n for axis, n in sizes.items() if axis in _KNOWN}
            name = "_".join(f"{axis}{int(k) + 1}" for axis, k in place.items())
            return array_scene(kept, load, names, facts, name)

        yield tuple(map(scene, range(math.prod(sizes[axis] for axis in others))))


def _stated(xml: Any) -> tuple[Facts, list[str]]:
    """Pixel size, level and the names of the channels, from the metadata."""
    root = ElementTree.fromstring(xml)
    across = root.findtext(".//Scaling/Items/Distance[@Id='X']/Value")
    bits = root.findtext(".//Information/Image/ComponentBitCount") or ""
    channels = root.findall(".//Information/Image/Dimensions/Channels/Channel")
    names = [one.get("Name") or one.findtext("Fluor") or "" for one in channels]
    size = float(across) * 1e6 if across else None
    return Facts(size, 2 ** int(bits) - 1 if bits.isdigit() and int(bits) else None), names
