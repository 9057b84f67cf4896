"""Fields from a folder or a zip as downloaded: four files a field, `<Id>_{red,green,blue,yellow}.{png,tif,jpg}`."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from engine.errors import FieldError, InputError
from engine.ids import LONGEST, shown, why_no_id
from features.reading.archive import Member, fingerprint, list_files, read_bytes
from features.reading.decoding import decode
from features.reading.image_file import UnreadableImageError
from features.reading.names import COLOURS, is_misnamed, split_name
from store.channels import CHANNELS, ER, PROTEIN, Channel


@dataclass(frozen=True, slots=True)
class ChannelFile:
    """The file of one channel of a field.

    Attributes
    ----------
    field_id : str
        As the file's name has it.
    colour : str
    member : Member
    """

    field_id: str
    colour: str
    member: Member


@dataclass(frozen=True)
class FieldSource:
    """Where fields are read from. Made by `find_fields`; parts of it are small enough to send to workers.

    Attributes
    ----------
    path : Path
        The folder or zip.
    files : dict of str to tuple of ChannelFile
        The image files of each field, by id; ids are sorted. An id that is not allowed (`engine.ids`) is made printable
        here; reading such a field says what is wrong with it.
    misnamed : tuple of str
        Images whose names fit no channel, made printable; without composites and hidden files.
    """

    path: Path
    files: dict[str, tuple[ChannelFile, ...]]
    misnamed: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """The field ids, sorted."""
        return tuple(self.files)

    def part(self, ids: Iterable[str]) -> "FieldSource":
        """The same source with these fields only."""
        return FieldSource(self.path, {i: self.files[i] for i in ids})

    def fingerprint(self, ids: Iterable[str]) -> list[list[object]]:
        """What changes with the image files of these fields, as JSON can hold it."""
        return [fingerprint(self.path, file.member) for i in ids for file in self.files[i]]

    def locate(self, member: Member) -> str:
        """The member's path as shown to people."""
        return shown(str(self.path / member.name), 1000)


def find_fields(source: Path) -> FieldSource:
    """List the fields in a folder or zip, at any depth; nothing is extracted.

    Parameters
    ----------
    source : Path
        A folder or a .zip file.

    Raises
    ------
    InputError
        If it is missing, unreadable, or holds no file named <Id>_<colour>.
    """
    source = Path(source)
    members = list_files(source)
    files: dict[str, list[ChannelFile]] = {}
    others = []
    for member in members:
        named = split_name(member.name)
        if named:
            files.setdefault(shown(named[0], LONGEST), []).append(ChannelFile(*named, member))
        else:
            others.append(member.name)
    if not files:
        raise InputError(
            f"{source} holds no field (looked for <Id>_red.png, _green, _blue, _yellow; found {len(others):,} other "
            "files). Name the files so, or give another folder."
        )
    sorted_files = {i: tuple(sorted(files[i], key=lambda file: file.member.name)) for i in sorted(files)}
    return FieldSource(source, sorted_files, tuple(map(shown, sorted(filter(is_misnamed, others)))))


def read_field(source: FieldSource, field_id: str, no_er: bool = False) -> np.ndarray:
    """Read the four channels of one field.

    Parameters
    ----------
    source : FieldSource
    field_id : str
    no_er : bool
        The data has no ER channel: its plane is zeros, and a file of it is ignored.

    Returns
    -------
    ndarray of uint8 or uint16, shape (4, H, W)

    Raises
    ------
    FieldError
        Of stage "read", if a file is missing, double, unreadable, or differs from the others in size or type, or if the
        protein is the same in every pixel.
    """
    wanted = [channel for channel in CHANNELS if not (no_er and channel == ER)]
    chosen = _choose(source, field_id, wanted)
    planes = {channel: _read_plane(source, field_id, member) for channel, member in chosen.items()}
    first = planes[wanted[0]]
    for channel, plane in planes.items():
        if plane.shape != first.shape or plane.dtype != first.dtype:
            member = chosen[channel]
            raise FieldError(
                f"field {field_id}: {_base(member)} is {_describe(plane)} but {_base(chosen[wanted[0]])} is "
                f"{_describe(first)}. Give all channels of a field the same size and bit depth.",
                field=field_id,
                path=source.locate(member),
            )
    pixels = np.zeros((len(CHANNELS), *first.shape), first.dtype)
    for channel, plane in planes.items():
        pixels[channel.index] = plane
    _refuse_flat_protein(pixels, field_id, source, chosen[PROTEIN])
    return pixels


def _refuse_flat_protein(pixels: np.ndarray, field_id: str, source: FieldSource, member: Member) -> None:
    """Without contrast in the protein, a prediction would rest on the other stains only."""
    protein = pixels[PROTEIN.index]
    lowest, full = protein.min(), np.iinfo(pixels.dtype).max
    if lowest < protein.max():
        return
    found = f"channel Protein is the same everywhere (every pixel of {_base(member)} is {lowest} of {full}"
    if not pixels.any():
        found = f"every channel is black (every pixel is 0 of {full}"
    raise FieldError(
        f"field {field_id}: {found}; expected a stain), so that there is nothing to measure. "
        "Check the field's green image, or leave the field out.",
        field=field_id,
        path=source.locate(member),
    )


def _base(member: Member) -> str:
    return shown(PurePosixPath(member.name).name)


def _describe(plane: np.ndarray) -> str:
    return f"{plane.shape[1]} x {plane.shape[0]} px, {8 * plane.itemsize} bits"


def _choose(source: FieldSource, field_id: str, wanted: list[Channel]) -> dict[Channel, Member]:
    """The one file of each wanted channel."""
    by_colour: dict[str, list[Member]] = {}
    for file in source.files.get(field_id, ()):
        if reason := why_no_id(file.field_id):
            message = f"field {shown(field_id)}: its id {reason}. Rename its files."
            raise FieldError(message, field=field_id, path=source.locate(file.member))
        by_colour.setdefault(file.colour, []).append(file.member)
    chosen = {}
    for channel in wanted:
        found = by_colour.get(channel.colour, [])
        if not found:
            present = ", ".join(colour for colour in COLOURS if colour in by_colour) or "none"
            remedy = "Add it, or run with --no-er." if channel == ER else "Add it."
            raise FieldError(
                f"field {field_id}: channel {channel.name} is missing (looked for {field_id}_{channel.colour}.png; "
                f"found {present}). {remedy}",
                field=field_id,
                path=str(source.path),
            )
        if len(found) > 1:
            raise FieldError(
                f"field {field_id}: channel {channel.name} has {len(found)} files "
                f"({' and '.join(shown(m.name) for m in found)}; expected one). Remove all but one.",
                field=field_id,
                path=source.locate(found[0]),
            )
        chosen[channel] = found[0]
    return chosen


def _read_plane(source: FieldSource, field_id: str, member: Member) -> np.ndarray:
    path = source.locate(member)
    try:
        return decode(read_bytes(source.path, member))
    except UnreadableImageError as error:
        raise FieldError(f"field {field_id}: {_base(member)} {error}", field=field_id, path=path) from error
    except OSError as error:
        reason = error.strerror or str(error)
        message = f"field {field_id}: {_base(member)} cannot be read ({reason}). Check the file and its permissions."
        raise FieldError(message, field=field_id, path=path) from error
