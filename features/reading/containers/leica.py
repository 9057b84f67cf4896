"""Leica .lif by the package liffile; each image of the experiment is an image, and each tile of a scan."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import liffile
import numpy as np

from features.reading.containers.planes import array_scene
from features.reading.scene import Facts, Scene


@contextmanager
def open_scenes(path: Path) -> Iterator[tuple[Scene, ...]]:
    """The images of a file while it is open."""
    with liffile.LifFile(path) as file:
        yield tuple(scene for image in file.images for scene in _scenes(image))


def _scenes(image: Any) -> Iterator[Scene]:
    sizes = dict(image.sizes)
    n_tiles = sizes.pop("M", 1)
    if "S" in sizes:
        sizes["C"] = sizes.get("C", 1) * sizes.pop("S")
    described = list(image.xml_element.iter("ChannelDescription"))
    bits = {int(one.get("Resolution", 0)) for one in described}
    names = [_name(one) for one in described]
    across = image.coords.get("X")
    size = abs(float(across[1] - across[0])) * 1e6 if across is not None and len(across) > 1 else None
    facts = Facts(size, 2 ** bits.pop() - 1 if len(bits) == 1 and min(bits) else None)

    def scene(tile: int) -> Scene:
        def load(at: Mapping[str, int]) -> np.ndarray:
            array = image.asarray()
            where = {**at, "M": tile, "S": at["C"]}
            return array[tuple(slice(None) if axis in "YX" else where[axis] for axis in image.dims)]

        name = image.path.replace("/", "_") + (f"_M{tile + 1}" if n_tiles > 1 else "")
        return array_scene(sizes, load, names, facts, name)

    yield from map(scene, range(n_tiles))


def _name(description: Any) -> str:
    """The dye of a channel, or its display colour."""
    for one in description.iter("ChannelProperty"):
        if one.findtext("Key") in ("DyeName", "FluorescenceDye"):
            return one.findtext("Value") or ""
    return description.get("LUTName", "")
