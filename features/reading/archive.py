"""Image files in a folder or in a zip as downloaded: which there are, and their bytes. Nothing is extracted to disk."""

import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.errors import InputError
from engine.ids import shown
from features.reading.decoding import check_start
from features.reading.image_file import MAX_FILE, UnreadableImageError, read_file

_FOLDERS_OF_ONE_IMAGE = (".zarr",)
_PARTS_OF_AN_IMAGE = (".oif.files",)  # read with the .oif beside them
_LONGEST_END = 22 + 65_535  # bytes of a zip's end record with its comment
JOIN_PARTS = (
    "is one of several parts of a zip, which are not read. Join them (zip -s 0 {name} --out joined.zip for .z01 and so "
    "on; cat {name}.0* > {name} for .zip.001), or unpack them with 7-Zip and give the folder."
)
_START = 4096  # bytes of a packed file that are looked at before the rest is unpacked


@dataclass(frozen=True, slots=True)
class Member:
    """One file, in a folder or a zip.

    Attributes
    ----------
    source : Path
        The folder or zip.
    name : str
        Path inside it, with forward slashes.
    offset : int
        Where its local header starts in the zip; -1 in a folder.
    packed, size : int
        Bytes in the zip and after unpacking.
    method : int
        The zip's compression (0 stored, 8 deflate).
    checksum : int
        CRC-32 of its content, as the zip has it.
    """

    source: Path
    name: str
    offset: int = -1
    packed: int = 0
    size: int = 0
    method: int = 0
    checksum: int = 0


@dataclass(frozen=True, slots=True)
class Unused:
    """A file or folder that is not used.

    Attributes
    ----------
    path : str
        Printable.
    reason : str
    """

    path: str
    reason: str


@dataclass(frozen=True)
class Listing:
    """What a folder or zip holds: its files, and folders that could not be entered."""

    members: list[Member]
    unused: list[Unused]


def list_files(source: Path) -> Listing:
    """The files in a folder, at any depth, or in a zip. Linked folders are not followed.

    Raises
    ------
    InputError
        If it is missing, is neither, or the zip's directory is damaged.
    """
    if not source.exists():
        raise InputError(f"{source} is missing (expected a folder or zip of images). Check the path.")
    if source.is_dir():
        return _list_folder(source)
    if not (source.is_file() and zipfile.is_zipfile(source)):
        raise InputError(f"{source} is neither a folder nor a readable zip file. Download it again, or give a folder.")
    return Listing(list(_zip_members(source)), [])


def fingerprint(member: Member) -> list[object]:
    """What changes with a file's content: name, size, time; in a zip name, place, sizes, checksum."""
    if member.offset >= 0:
        return [member.name, member.offset, member.packed, member.size, member.checksum]
    path = member.source / member.name
    inner = sorted(path.iterdir()) if path.suffix in _FOLDERS_OF_ONE_IMAGE and path.is_dir() else []
    return [member.name, *size_and_time(path), *(one for part in inner for one in size_and_time(part))]


def size_and_time(path: Path) -> tuple[int, int]:
    """Of a file; of -1 for a broken link, so that a file that appears later is noticed."""
    try:
        status = path.stat()
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


def read_bytes(member: Member, image: bool = True) -> bytes:
    """The content of a file, an image or a text beside them; raises UnreadableImageError or OSError."""
    return _unpack(member, image) if member.offset >= 0 else read_file(member.source / member.name)


def located(member: Member) -> str:
    """The file's path as shown to people."""
    return shown(str(member.source / member.name), 1000)


def _unpack(member: Member, image: bool) -> bytes:
    """A member of a zip, read at its offset, so that no worker parses the whole directory again."""
    known = member.method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    if not known or max(member.size, member.packed) > MAX_FILE:
        raise UnreadableImageError(
            f"cannot be unpacked (zip method {member.method}, {member.size:,} bytes). Unpack the zip; give the folder."
        )
    with member.source.open("rb") as file:
        file.seek(min(member.offset, member.source.stat().st_size))
        header = file.read(30)
        file.seek(int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little"), os.SEEK_CUR)
        data = file.read(member.packed)
    if header[:4] != b"PK\x03\x04" or len(data) != member.packed or header[6] & 1:
        raise UnreadableImageError("cannot be unpacked (the zip is damaged or encrypted). Download the zip again.")
    if member.method == zipfile.ZIP_DEFLATED:
        data = _inflate(data, member.size, image)
    if (len(data), zlib.crc32(data)) != (member.size, member.checksum):
        raise UnreadableImageError("cannot be unpacked (its size or checksum is wrong). Download the zip again.")
    return data


def _inflate(data: bytes, size: int, image: bool) -> bytes:
    """Unpack a deflated member up to one byte beyond its size; an image whose first bytes are none is refused."""
    try:
        if image:
            check_start(zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[:_START], _START))
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, size + 1)
    except zlib.error as error:
        raise UnreadableImageError(f"cannot be unpacked (zip: {error}). Download the zip again.") from error


def _list_folder(folder: Path) -> Listing:
    listing = Listing([], [])

    def refused(error: OSError) -> None:
        listing.unused.append(Unused(shown(str(error.filename), 1000), f"cannot be entered ({error.strerror})"))

    for root, folders, names in os.walk(folder, onerror=refused):
        inner = Path(root).relative_to(folder)
        start = "" if inner == Path() else f"{inner.as_posix()}/"
        listing.members.extend(Member(folder, start + name) for name in names)
        for name in folders[:]:
            if (path := Path(root, name)).is_symlink():
                listing.unused.append(Unused(shown(str(path), 1000), "is a link to a folder, which is not followed"))
            elif name.lower().endswith(_FOLDERS_OF_ONE_IMAGE):
                listing.members.append(Member(folder, start + name))
                folders.remove(name)
            elif name.lower().endswith(_PARTS_OF_AN_IMAGE):
                folders.remove(name)
    return listing


def is_last_part(path: Path) -> bool:
    """Whether a zip is the last of several parts (`train.z01`, `train.z02`, ..., `train.zip`), by its end record."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - _LONGEST_END, 0))
        end = file.read()
    start = end.rfind(b"PK\x05\x06")
    return start >= 0 and end[start + 4 : start + 6] not in (b"\0\0", b"\xff\xff")


def _zip_members(path: Path) -> Iterator[Member]:
    """The files that a zip's directory names. Nothing is ever written under these names."""
    try:
        with zipfile.ZipFile(path) as archive:
            if not all(info.filename for info in archive.infolist()):  # else an error or not, by Python's version
                raise zipfile.BadZipFile("a file in it has no name")
            members = [info for info in archive.infolist() if not info.is_dir()]
    except (zipfile.BadZipFile, ValueError, IndexError, NotImplementedError, OverflowError, struct.error) as error:
        raise InputError(f"{path}: the zip's directory is damaged ({error}). Download the zip again.") from error
    if is_last_part(path):
        raise InputError(f"{path} {JOIN_PARTS.format(name=path.name)}")
    for info in members:
        name = info.filename.replace("\\", "/")  # as PowerShell's Compress-Archive writes it
        yield Member(path, name, info.header_offset, info.compress_size, info.file_size, info.compress_type, info.CRC)
