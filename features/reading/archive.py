"""Image files in a folder or in a zip as downloaded: which there are, and their bytes. Nothing is extracted to disk."""

import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.errors import InputError
from features.reading.decoding import check_start
from features.reading.image_file import MAX_FILE, UnreadableImageError, read_file

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


def list_files(source: Path) -> Iterator[Member]:
    """The files in a folder, at any depth, or in a zip.

    Raises
    ------
    InputError
        If it is missing, is neither, or the zip's directory is damaged.
    """
    if not source.exists():
        raise InputError(f"{source} is missing (expected a folder or zip of images). Check the path.")
    if not source.is_dir() and not (source.is_file() and zipfile.is_zipfile(source)):
        raise InputError(f"{source} is neither a folder nor a readable zip file. Download it again, or give a folder.")
    return _folder_members(source) if source.is_dir() else _zip_members(source)


def fingerprint(source: Path, member: Member) -> list[object]:
    """What changes with a file's content: name, size, time; in a zip name, place, sizes."""
    if member.offset >= 0:
        return [member.name, member.offset, member.packed, member.size]
    return [member.name, *size_and_time(source / member.name)]


def size_and_time(path: Path) -> tuple[int, int]:
    """Of a file; of -1 for a broken link, so that a file that appears later is noticed."""
    try:
        status = path.stat()
    except OSError:
        return -1, -1
    return status.st_size, status.st_mtime_ns


def read_bytes(source: Path, member: Member) -> bytes:
    """The content of a file; raises UnreadableImageError or OSError."""
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
    """Unpack a deflated member up to one byte beyond its size; a file whose first bytes are no image is refused."""
    try:
        check_start(zlib.decompressobj(-zlib.MAX_WBITS).decompress(data[:_START], _START))
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, size + 1)
    except zlib.error as error:
        raise UnreadableImageError(f"cannot be unpacked (zip: {error}). Download the zip again.") from error


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
