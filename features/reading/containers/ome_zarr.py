"""OME-Zarr folders, 0.4 and 0.5, by the package zarr: images, plates (each field of a well is an image)."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from features.reading.containers.planes import array_scene
from features.reading.image_file import UnreadableImageError
from features.reading.layouts.names import NOWHERE, Place
from features.reading.scene import Facts, Scene
from features.reading.tiff_facts import micrometres

_UNITS = {"micrometer": "um", "nanometer": "nm", "millimeter": "mm", "meter": "m"}


@contextmanager
def open_scenes(path: Path) -> Iterator[tuple[Scene, ...]]:
    """The images of a folder."""
    root = zarr.open_group(str(path), mode="r")
    yield tuple(_images(root, path))


def _images(root: zarr.Group, path: Path) -> Iterator[Scene]:
    said = _said(root)
    if "multiscales" in said:
        yield _image(root, "", NOWHERE)
        return
    if "plate" not in said:
        raise UnreadableImageError("holds neither an OME-Zarr image nor a plate. Name the folder of an image.")
    plate = str(said["plate"].get("name") or path.stem)
    for well in said["plate"].get("wells", []):
        name = str(well["path"]).replace("/", "")
        for site in _sites(_group(root, well["path"])):
            inner = _group(root, f"{well['path']}/{site}")
            yield _image(inner, f"{name}_s{site}", Place(plate, name, site))


def _sites(well: zarr.Group) -> list[str]:
    """The images of a well: those that it lists, or, if it lists none, those that are there."""
    listed = [str(image["path"]) for image in _said(well).get("well", {}).get("images", [])]
    return listed or sorted(name for name, group in well.groups() if "multiscales" in _said(group))


def _said(group: zarr.Group) -> dict[str, Any]:
    """The OME metadata of a group; since 0.5 they are under "ome"."""
    attributes = dict(group.attrs)
    inner = attributes.get("ome")
    return inner if isinstance(inner, dict) else attributes


def _group(root: zarr.Group, path: Any) -> zarr.Group:
    found = root[str(path)]
    if not isinstance(found, zarr.Group):
        raise UnreadableImageError(f"has an array where the image {path} should be. Save it anew.")
    return found


def _image(group: zarr.Group, name: str, place: Place) -> Scene:
    scales = _said(group)["multiscales"][0]
    finest = scales["datasets"][0]
    array: Any = group[str(finest["path"])]
    axes = [_axis(axis) for axis in scales.get("axes", "tczyx"[-array.ndim :])]
    units = {_axis(axis): axis.get("unit", "") for axis in scales.get("axes", []) if isinstance(axis, dict)}
    scale = next((one["scale"] for one in finest.get("coordinateTransformations", []) if "scale" in one), [])
    across = scale[axes.index("X")] if len(scale) == len(axes) else None
    if across == 1.0:  # written where nothing is known
        across = None
    described = _said(group).get("omero", {}).get("channels", [])

    def load(at: Mapping[str, int]) -> np.ndarray:
        return np.asarray(array[tuple(slice(None) if axis in "YX" else at[axis] for axis in axes)])

    facts = Facts(micrometres(across, _UNITS.get(units.get("X", ""), units.get("X", ""))))
    names = [str(channel.get("label", "")) for channel in described]
    return array_scene(dict(zip(axes, array.shape, strict=True)), load, names, facts, name, place)


def _axis(axis: Any) -> str:
    return str(axis["name"] if isinstance(axis, dict) else axis).upper()
