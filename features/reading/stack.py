"""Which planes and time points of a field are used, where several files or one hold a stack: what --z and --t say."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from engine.errors import FieldError
from engine.ids import shown
from features.reading.archive import Member, located
from features.reading.options import ReadingOptions
from features.reading.source import ImageFile
from store.channels import Channel

Key = TypeVar("Key", bound=Channel | None)


def planes_of_stack(
    options: ReadingOptions, field_id: str, channels: Mapping[Key, Sequence[ImageFile]]
) -> dict[Key, list[ImageFile]]:  # fmt: skip
    """The one file of each channel that --z and --t choose, the same plane for all; all planes of a stack for "max".

    Parameters
    ----------
    options : ReadingOptions
    field_id : str
    channels : mapping of Channel or None to sequence of ImageFile
        The field's files; None for files of all channels.

    Raises
    ------
    FieldError
        If it is not said which, a channel lacks the plane, or two of its files are of the same plane.
    """
    found = _chosen(channels, lambda file: file.t, options.t, "--t", "time point", field_id)
    found = _chosen(found, lambda file: file.z, options.z, "--z", "plane", field_id)
    for channel, files in found.items():
        if len({(file.t, file.z) for file in files} if "max" in (options.t, options.z) else {0}) != len(files):
            names = " and ".join(_told_apart([file.member for file in files[:3]]))
            others = ", or let --pattern name what tells them apart, as (?P<Plate>…)" if options.pattern else ""
            raise FieldError(
                f"field {field_id}: {_of(channel)}has {len(files)} files ({names}; expected one). Remove all but one"
                f"{others}.",
                field=field_id,
                path=located(files[0].member),
            )
    return found


def _chosen(
    channels: Mapping[Key, Sequence[ImageFile]],
    number_of: Callable[[ImageFile], int],
    wanted: str,
    option: str,
    what: str,
    field_id: str,
) -> dict[Key, list[ImageFile]]:
    """The files of the wanted plane or time point, and those without a number; all of them for "max"."""
    numbers = sorted({number_of(file) for files in channels.values() for file in files} - {-1})
    if len(numbers) < 2 or wanted == "max":
        return {channel: list(files) for channel, files in channels.items()}
    path = located(next(iter(channels.values()))[0].member)
    if not wanted:
        raise FieldError(
            f"field {field_id}: has {len(numbers)} {what}s (expected one). Say which with {option} max, {option} "
            f"middle or {option} N.",
            field=field_id,
            path=path,
        )
    number = numbers[place_in_stack(wanted, len(numbers), option, f"{what}s", field_id, path)]
    found = {}
    for channel, files in channels.items():
        found[channel] = [file for file in files if number_of(file) in (number, -1)]
        if not found[channel]:
            there = ", ".join(map(str, sorted({number_of(file) for file in files})))
            raise FieldError(
                f"field {field_id}: {_of(channel)}has no {what} {number} ({option} {wanted} chooses it of the field's "
                f"{len(numbers)}; found {there}). Add its file, choose a {what} that every channel has, "
                f"or {option} max.",
                field=field_id,
                path=located(files[0].member),
            )
    return found


def _told_apart(members: Sequence[Member]) -> list[str]:
    """The names of files, with their folders where two are equal."""
    names = [shown(member.name) for member in members]
    return names if len(set(names)) == len(names) else [located(member) for member in members]


def _of(channel: Channel | None) -> str:
    return f"channel {channel.name} " if channel else ""


def place_in_stack(wanted: str, n: int, option: str, what: str, field_id: str, path: str) -> int:
    """The index of "middle" or of a number from 1."""
    place = n // 2 if wanted == "middle" else int(wanted) - 1
    if place >= n:
        raise FieldError(
            f"field {field_id}: has {n} {what}; {option} {wanted} is beyond them. Give a smaller number, or max.",
            field=field_id,
            path=path,
        )
    return place
