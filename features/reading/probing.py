"""A look into single files before fields are read: how many images a file holds, and what its channels are called."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import PurePosixPath

from features.reading.archive import Member, Unused, located
from features.reading.containers import PACKAGES, TIFFS, opened
from features.reading.image_file import UnreadableImageError
from features.reading.layouts.names import NOWHERE, Place
from features.reading.scene import Scene
from features.reading.source import ImageFile
from features.reading.tiff import opened_tiff, tiff_scenes

_SAY_FROM = 500  # files whose headers are read before anything else is said

_log = logging.getLogger(__name__)


def with_scenes(named: list[tuple[ImageFile, Place]]) -> tuple[list[tuple[ImageFile, Place]], list[Unused]]:
    """The files, one entry for each image of those that hold several; and those that cannot be opened.

    A file that cannot be opened stays an entry, so that its field is listed as failed.
    """
    asked = [file for file, _ in named if file.channel == "" and _may_hold_several(file.member.name)]
    say_reading(len(asked))
    wanted = set(map(id, asked))
    apart: list[tuple[ImageFile, Place]] = []
    unused: list[Unused] = []
    for file, place in named:
        if id(file) not in wanted:
            apart.append((file, place))
            continue
        try:
            with opened(file.member) as scenes:
                found = [(scene.name, scene.place) for scene in scenes]
        except (UnreadableImageError, OSError):
            found = [("", NOWHERE)]
        if not found:
            unused.append(Unused(located(file.member), "holds no image"))
        for number, (name, inner) in enumerate(found):
            own = f"{file.field_id}_{name or number + 1}" if len(found) > 1 else file.field_id
            apart.append((replace(file, field_id=own.replace("/", "_"), scene=number), inner if inner.well else place))
    return apart, unused


def say_reading(n_files: int) -> None:
    """Say that the headers of files are read, if that takes a while."""
    if n_files >= _SAY_FROM:
        _log.info("reading the headers of %s files", f"{n_files:,}")


def _may_hold_several(name: str) -> bool:
    low = name.lower()
    return PurePosixPath(low).suffix in PACKAGES or low.endswith(tuple(f".ome{suffix}" for suffix in TIFFS))


def channel_names(firsts: Mapping[str, ImageFile], known: Mapping[str, str]) -> dict[str, str]:
    """The name of each channel of the file names: from side files, or as its first file states it."""
    names = {}
    for channel, file in firsts.items():
        names[channel] = known.get(channel, "") or stated_name([file])[0]
    return names


def stated_name(files: Iterable[ImageFile]) -> tuple[str, str]:
    """What the first of some files that can be opened calls its channel, and the file; "" if it names none."""
    for file in files:
        if PurePosixPath(file.member.name).suffix.lower() not in TIFFS:
            continue
        try:
            with _headers(file.member) as scenes:
                one = len(scenes) == 1 and len(scenes[0].channels) == 1
                return scenes[0].channels[0] if one else "", file.member.name
        except (UnreadableImageError, OSError):
            continue
    return "", ""


@contextmanager
def _headers(member: Member) -> Iterator[tuple[Scene, ...]]:
    """The images of a TIFF; of one in a folder, the pixels are not read."""
    path = member.source / member.name
    if member.offset >= 0 or not path.is_file():
        with opened(member) as scenes:
            yield scenes
    else:
        with opened_tiff(path, size := path.stat().st_size) as tiff:
            yield tiff_scenes(tiff, size)
