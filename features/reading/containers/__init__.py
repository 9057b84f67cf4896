"""Files that hold several planes, opened by their format's reader; each reader but TIFF's is a package of its own."""

import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import PurePosixPath

from engine.errors import HpaError
from features.reading.archive import Member, read_bytes
from features.reading.decoding import decode_colours, is_picture
from features.reading.image_file import UnreadableImageError
from features.reading.scene import NOTHING_STATED, Scene
from features.reading.tiff import opened_tiff, tiff_scenes

TIFFS = (".tif", ".tiff", ".lsm", ".stk")
PACKAGES = {
    ".zarr": "zarr", ".nd2": "nd2", ".lif": "liffile", ".oif": "oiffile", ".oib": "oiffile", ".czi": "czifile",
    ".dv": "mrc", ".r3d": "mrc",
}  # fmt: skip
"""The package that reads files with an extension."""

NOT_READ = (
    ".vsi", ".ets", ".ims", ".flex", ".c01", ".dib", ".sld", ".sldy", ".mvd2", ".zvi", ".svs", ".ndpi", ".scn", ".h5",
    ".hdf5", ".xdce", ".oir", ".poir", ".jp2", ".bmp", ".gif", ".webp",
)  # fmt: skip
"""Images that are not supported."""


def is_container(name: str) -> bool:
    """Whether a file's name says that it may hold several planes."""
    return PurePosixPath(name).suffix.lower() in (*TIFFS, *PACKAGES)


@contextmanager
def opened(member: Member) -> Iterator[tuple[Scene, ...]]:
    """The images of a file while it is open.

    Raises
    ------
    UnreadableImageError
        If it is damaged or not supported, or the package that reads it is missing.
    OSError
        If it cannot be read.
    """
    suffix = PurePosixPath(member.name).suffix.lower()
    if suffix in PACKAGES:
        with _by_package(member, suffix) as scenes:
            yield scenes
    else:
        data = read_bytes(member)
        if is_picture(data):
            yield (_picture_scene(data),)
            return
        with opened_tiff(io.BytesIO(data), len(data)) as tiff:
            yield tiff_scenes(tiff, len(data))


def _picture_scene(data: bytes) -> Scene:
    """A PNG or JPEG, whose colours are its channels."""
    planes = decode_colours(data)
    names = tuple(planes)
    return Scene("", names, 1, 1, NOTHING_STATED, lambda channel, z, t: planes[names[channel]])


@contextmanager
def _by_package(member: Member, suffix: str) -> Iterator[tuple[Scene, ...]]:
    """Open a file with the package for its format; an error of the package is reported in its own words."""
    package = PACKAGES[suffix]
    if member.offset >= 0:
        raise UnreadableImageError(f"cannot be read inside a zip ({suffix} files need a folder). Unpack the zip.")
    try:
        with _reader(package)(member.source / member.name) as scenes:
            yield scenes
    except ImportError as error:
        raise UnreadableImageError(
            f"needs the package {package}, which is not installed. Install it: pip install {package}"
        ) from error
    except (UnreadableImageError, OSError, HpaError):
        raise
    except Exception as error:  # the packages raise errors of many kinds
        brief = " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")[:200]
        raise UnreadableImageError(f"cannot be read by {package} ({brief}). Save it as OME-TIFF.") from error


def _reader(package: str) -> Callable[..., AbstractContextManager[tuple[Scene, ...]]]:
    """The reader that uses a package, imported only now."""
    if package == "zarr":
        from features.reading.containers.ome_zarr import open_scenes
    elif package == "nd2":
        from features.reading.containers.nikon import open_scenes
    elif package == "liffile":
        from features.reading.containers.leica import open_scenes
    elif package == "oiffile":
        from features.reading.containers.olympus import open_scenes
    elif package == "czifile":
        from features.reading.containers.zeiss import open_scenes
    else:
        from features.reading.containers.deltavision import open_scenes
    return open_scenes
