"""Fields from a folder or a zip as downloaded: four files a field, `<Id>_{red,green,blue,yellow}.{png,tif,jpg}`."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path, PurePosixPath

import numpy as np

from engine.counted import counted
from engine.errors import FieldError, InputError
from engine.ids import LONGEST, shown, why_no_id
from features.reading.archive import Member, Unused, fingerprint, list_files, located, read_bytes
from features.reading.decoding import decode
from features.reading.image_file import UnreadableImageError
from features.reading.names import COLOURS, may_be_composite, split_name, why_not_named
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
        The folder or zip; of both together, the folder.
    files : dict of str to tuple of ChannelFile
        The image files of each field, by id; ids are sorted. An id that is not allowed (`engine.ids`) is made printable
        here; reading such a field says what is wrong with it.
    unused : tuple of Unused
        All other files, each with the reason.
    """

    path: Path
    files: dict[str, tuple[ChannelFile, ...]]
    unused: tuple[Unused, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """The field ids, sorted."""
        return tuple(self.files)

    def part(self, ids: Iterable[str]) -> "FieldSource":
        """The same source with these fields only."""
        return FieldSource(self.path, {i: self.files[i] for i in ids})

    def fingerprint(self, ids: Iterable[str]) -> list[list[object]]:
        """What changes with the image files of these fields, as JSON can hold it."""
        return [fingerprint(file.member) for i in ids for file in self.files[i]]


def find_fields(*sources: Path) -> FieldSource:
    """List the fields in folders or zips, at any depth; nothing is extracted.

    A field's id is its file names without `_<colour>`. Where a name stands in several subfolders, all ids get their
    subfolders in front: `plate1/A01_red.png` is of field `plate1_A01`.

    Parameters
    ----------
    sources : Path
        Folders or .zip files, whose fields are used together.

    Raises
    ------
    InputError
        If one is missing or unreadable, a field is in two of them, or none holds a file named <Id>_<colour>.
    """
    found = [_fields_in(Path(source)) for source in sources]
    for k, one in enumerate(found):
        for other in found[:k]:
            if both := sorted(one.files.keys() & other.files.keys()):
                raise InputError(
                    f"field {both[0]} is in {other.path} and in {one.path} (as {counted(len(both), 'field')} in all). "
                    "Keep one copy of each field: remove the folder or the zip, or rename its files."
                )
    files = {i: one.files[i] for one in found for i in one.files}
    unused = tuple(file for one in found for file in one.unused)
    if not files:
        places = " and ".join(str(one.path) for one in found)
        raise InputError(
            f"{places} {'holds' if len(found) == 1 else 'hold'} no field (looked for <Id>_red.png, _green, _blue, "
            f"_yellow; found {len(unused):,} other files). Name the files so, or give another folder."
        )
    return FieldSource(found[0].path, dict(sorted(files.items())), unused)


def _fields_in(source: Path) -> FieldSource:
    """The fields of one folder or zip; perhaps none."""
    listing = list_files(source)
    named: list[ChannelFile] = []
    unused = list(listing.unused)
    for member in listing.members:
        if name := split_name(member.name):
            named.append(ChannelFile(*name, member))
        else:
            unused.append(Unused(located(member), why_not_named(member.name)))
    composites = _composites(named)
    unused += [Unused(located(file.member), "is a composite of several colours") for file in composites]
    files: dict[str, list[ChannelFile]] = {}
    for file in _told_apart([file for file in named if file not in composites] if composites else named):
        files.setdefault(shown(file.field_id, LONGEST), []).append(file)
    by_name = {i: tuple(sorted(of_field, key=lambda file: file.member.name)) for i, of_field in files.items()}
    return FieldSource(source, by_name, tuple(sorted(unused, key=lambda file: file.path)))


def _composites(named: list[ChannelFile]) -> set[ChannelFile]:
    """HPA's composites, `<Id>_blue_red_green.jpg`; a field with files of red, green and blue is none."""
    suspects: dict[tuple[str, str], set[ChannelFile]] = {}
    for file in named:
        if may_be_composite(file.field_id):
            folder = file.member.name.rpartition("/")[0]
            suspects.setdefault((folder, file.field_id), set()).add(file)
    return {
        file
        for of_id in suspects.values()
        if not {"red", "green", "blue"} <= {file.colour for file in of_id}
        for file in of_id
    }


def _told_apart(named: list[ChannelFile]) -> list[ChannelFile]:
    """The files, with their subfolders in front of the ids if a channel of an id is in several subfolders."""
    folders: dict[tuple[str, str], str] = {}
    for file in named:
        folder = file.member.name.rpartition("/")[0]
        if folders.setdefault((file.field_id, file.colour), folder) != folder:
            break
    else:
        return named
    parts = [PurePosixPath(file.member.name).parts[:-1] for file in named]
    shared = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(min(parts), max(parts))))
    return [replace(file, field_id="_".join((*folder[shared:], file.field_id))) for file, folder in zip(named, parts)]


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
    planes = {channel: _read_plane(field_id, member) for channel, member in chosen.items()}
    first = planes[wanted[0]]
    for channel, plane in planes.items():
        if plane.shape != first.shape or plane.dtype != first.dtype:
            member = chosen[channel]
            raise FieldError(
                f"field {field_id}: {_base(member)} is {_describe(plane)} but {_base(chosen[wanted[0]])} is "
                f"{_describe(first)}. Give all channels of a field the same size and bit depth.",
                field=field_id,
                path=located(member),
            )
    pixels = np.zeros((len(CHANNELS), *first.shape), first.dtype)
    for channel, plane in planes.items():
        pixels[channel.index] = plane
    _refuse_flat_protein(pixels, field_id, chosen[PROTEIN])
    return pixels


def _refuse_flat_protein(pixels: np.ndarray, field_id: str, member: Member) -> None:
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
        path=located(member),
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
            raise FieldError(message, field=field_id, path=located(file.member))
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
                path=located(found[0]),
            )
        chosen[channel] = found[0]
    return chosen


def _read_plane(field_id: str, member: Member) -> np.ndarray:
    path = located(member)
    try:
        return decode(read_bytes(member))
    except UnreadableImageError as error:
        raise FieldError(f"field {field_id}: {_base(member)} {error}", field=field_id, path=path) from error
    except OSError as error:
        reason = error.strerror or str(error)
        message = f"field {field_id}: {_base(member)} cannot be read ({reason}). Check the file and its permissions."
        raise FieldError(message, field=field_id, path=path) from error
