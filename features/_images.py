"""Fields from a folder or a zip as downloaded: four files a field, `<Id>_{red,green,blue,yellow}.{png,tif,jpg}`."""

import os
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from engine.errors import FieldError, InputError
from engine.ids import LONGEST, shown, why_no_id
from features._channels import CHANNELS, ER, PROTEIN, Channel
from features._decode import check_start, decode
from features._image_file import MAX_FILE, UnreadableImageError, read_file

_EXTENSIONS = (".png", ".tif", ".tiff", ".jpg", ".jpeg")
_COLOURS = tuple(channel.colour for channel in CHANNELS)
_START = 4096  # bytes of a packed file that are looked at before the rest is unpacked


@dataclass(frozen=True, slots=True)
class Member:
    """One image file, in a folder or a zip.

    Attributes
    ----------
    name : str
        Path inside the folder or zip, with forward slashes.
    offset : int
        Where its local header starts in the zip; -1 in a folder.
    packed, size : int
        Bytes in the zip and after unpacking.
    method : int
        The zip's compression (0 stored, 8 deflate).
    checksum : int
        CRC-32 of its content, as the zip has it.
    """

    name: str
    offset: int = -1
    packed: int = 0
    size: int = 0
    method: int = 0
    checksum: int = 0


@dataclass(frozen=True)
class FieldSource:
    """Where fields are read from. Made by `find_fields`; small enough to send a part of it to each worker.

    Attributes
    ----------
    path : Path
        The folder or zip.
    files : dict of str to tuple of Member
        The image files of each field, by id; ids are sorted. An id that is none (`engine.ids`) stands here as it can be
        shown; reading such a field says what is wrong with it.
    misnamed : tuple of str
        Images whose names say of no channel, as they can be shown; composites and hidden files are not meant.
    """

    path: Path
    files: dict[str, tuple[Member, ...]]
    misnamed: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """The field ids, sorted."""
        return tuple(self.files)

    def part(self, ids: Iterable[str]) -> "FieldSource":
        """The same source with these fields only."""
        return FieldSource(self.path, {i: self.files[i] for i in ids})

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
    if not source.exists():
        raise InputError(f"{source} is missing (expected a folder or zip of images). Check the path.")
    if not source.is_dir() and not (source.is_file() and zipfile.is_zipfile(source)):
        raise InputError(f"{source} is neither a folder nor a readable zip file. Download it again, or give a folder.")
    members = _folder_members(source) if source.is_dir() else _zip_members(source)
    files: dict[str, list[Member]] = {}
    others = []
    for member in members:
        named = _split_name(member.name)
        if named:
            files.setdefault(shown(named[0], LONGEST), []).append(member)
        else:
            others.append(member.name)
    if not files:
        raise InputError(
            f"{source} holds no field (looked for <Id>_red.png, _green, _blue, _yellow; found {len(others):,} other "
            "files). Name the files so, or give another folder."
        )
    sorted_files = {i: tuple(sorted(files[i], key=lambda m: m.name)) for i in sorted(files)}
    return FieldSource(source, sorted_files, tuple(map(shown, sorted(filter(_is_misnamed, others)))))


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
        Of stage "read", if a file is missing, double, unreadable, or does not agree with the others, or if the protein
        is the same in every pixel.
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
    """A protein without any contrast would be called by what the other stains show."""
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


def _folder_members(folder: Path) -> Iterator[Member]:
    for root, _, names in os.walk(folder):
        inner = Path(root).relative_to(folder)
        for name in names:
            yield Member((inner / name).as_posix())


def _zip_members(path: Path) -> Iterator[Member]:
    """The files that a zip's directory names. Nothing is ever written under these names."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, ValueError, IndexError, NotImplementedError, OverflowError, struct.error) as error:
        raise InputError(f"{path}: the zip's directory is damaged ({error}). Download the zip again.") from error
    for info in members:
        yield Member(
            info.filename, info.header_offset, info.compress_size, info.file_size, info.compress_type, info.CRC
        )


def _split_name(name: str) -> tuple[str, str] | None:
    """Id and colour of a file name, or None. HPA's composites (`<Id>_blue_red_green.jpg`) are no channel."""
    path = PurePosixPath(name)
    field_id, _, colour = path.stem.rpartition("_")
    colour = colour.lower()
    if path.suffix.lower() not in _EXTENSIONS or colour not in _COLOURS or not field_id or field_id.startswith("."):
        return None
    return None if field_id.endswith(_COLOURS) else (field_id, colour)


def _is_misnamed(name: str) -> bool:
    """Whether a file that is of no channel could have been meant for one."""
    path = PurePosixPath(name)
    composite = path.stem.endswith(_COLOURS) and path.stem.rpartition("_")[0].endswith(_COLOURS)
    return path.suffix.lower() in _EXTENSIONS and not path.name.startswith(".") and not composite


def _base(member: Member) -> str:
    return shown(PurePosixPath(member.name).name)


def _describe(plane: np.ndarray) -> str:
    return f"{plane.shape[1]} x {plane.shape[0]} px, {8 * plane.itemsize} bits"


def _choose(source: FieldSource, field_id: str, wanted: list[Channel]) -> dict[Channel, Member]:
    """The one file of each wanted channel."""
    by_colour: dict[str, list[Member]] = {}
    for member in source.files.get(field_id, ()):
        named, colour = _split_name(member.name)
        if reason := why_no_id(named):
            message = f"field {shown(field_id)}: its id {reason}. Rename its files."
            raise FieldError(message, field=field_id, path=source.locate(member))
        by_colour.setdefault(colour, []).append(member)
    chosen = {}
    for channel in wanted:
        found = by_colour.get(channel.colour, [])
        if not found:
            present = ", ".join(colour for colour in _COLOURS if colour in by_colour) or "none"
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
        return decode(_read_bytes(source.path, member))
    except UnreadableImageError as error:
        raise FieldError(f"field {field_id}: {_base(member)} {error}", field=field_id, path=path) from error
    except OSError as error:
        reason = error.strerror or str(error)
        message = f"field {field_id}: {_base(member)} cannot be read ({reason}). Check the file and its permissions."
        raise FieldError(message, field=field_id, path=path) from error


def _read_bytes(source: Path, member: Member) -> bytes:
    return _unpack(source, member) if member.offset >= 0 else read_file(source / member.name)


def _unpack(source: Path, member: Member) -> bytes:
    """A member of a zip, read at its offset, so that no worker parses the whole directory again."""
    known = member.method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    if not known or max(member.size, member.packed) > MAX_FILE:
        raise UnreadableImageError(
            f"cannot be unpacked (zip method {member.method}, {member.size:,} bytes). Unpack the zip; give the folder."
        )
    with source.open("rb") as file:
        file.seek(min(member.offset, source.stat().st_size))
        header = file.read(30)
        file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), os.SEEK_CUR)
        data = file.read(member.packed)
    if header[:4] != b"PK\x03\x04" or len(data) != member.packed or header[6] & 1:
        raise UnreadableImageError("cannot be unpacked (the zip is damaged or encrypted). Download the zip again.")
    if member.method == zipfile.ZIP_DEFLATED:
        data = _inflate(data, member.size)
    if (len(data), zlib.crc32(data)) != (member.size, member.checksum):
        raise UnreadableImageError("cannot be unpacked (its size or checksum is wrong). Download the zip again.")
    return data


def _inflate(data: bytes, size: int) -> bytes:
    """Unpack a deflated member, at most to its size and a byte; what is no image is refused by its first bytes."""
    try:
        check_start(zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[:_START], _START))
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, size + 1)
    except zlib.error as error:
        raise UnreadableImageError(f"cannot be unpacked (zip: {error}). Download the zip again.") from error
