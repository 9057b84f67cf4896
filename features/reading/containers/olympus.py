"""Olympus .oif and .oib by the package oiffile."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import oiffile

from features.reading.containers.planes import array_scene
from features.reading.scene import Facts, Scene
from features.reading.tiff_facts import micrometres


@contextmanager
def open_scenes(path: Path) -> Iterator[tuple[Scene, ...]]:
    """The images of a file while it is open."""
    with oiffile.OifFile(path) as file:
        sizes = dict(zip(file.axes, file.shape, strict=True))
        reference = file.mainfile.get("Reference Image Parameter", {})
        bits = int(reference.get("ValidBitCounts", 0))
        facts = Facts(
            micrometres(reference.get("WidthConvertValue"), reference.get("WidthUnit")), 2**bits - 1 if bits else None
        )
        parameters = [file.mainfile.get(f"Channel {k + 1} Parameters", {}) for k in range(sizes.get("C", 1))]
        names = [one.get("DyeName") or one.get("CH Name") or "" for one in parameters]

        def load(at: Mapping[str, int]) -> np.ndarray:
            return file.asarray()[tuple(slice(None) if axis in "YX" else at[axis] for axis in file.axes)]

        yield (array_scene(sizes, load, names, facts),)
