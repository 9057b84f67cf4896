"""Zips that somebody may have packed to do harm, or that a download has left damaged."""

import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from hostile_images import ACCEPTED, COLOURS, Case, plane, png


def zipped(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytearray:
    """A zip, written and given back for somebody to spoil."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return bytearray(path.read_bytes())


def _members() -> dict[str, bytes]:
    return {f"train/f1_{colour}.png": png(plane()) for colour in COLOURS}


def _lying(field: bytes, value: int) -> Callable[[Path], None]:
    """A zip whose directory tells another packed ("<csize") or unpacked size of the green channel."""

    def spoil(path: Path) -> None:
        data = zipped(path, _members())
        entry = data.rindex(b"PK\x01\x02", 0, data.rindex(b"f1_green.png"))
        struct.pack_into("<I", data, entry + (20 if field == b"packed" else 24), value)
        path.write_bytes(data)

    return spoil


def _huge_member(path: Path) -> None:
    """10 GB of zeros, packed twice: the outer packing makes it small enough to be written in a test."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = packer.compress(bytes(2**24)) + packer.flush(zlib.Z_FULL_FLUSH)
    body = block * 640
    info = zipfile.ZipInfo("train/f1_green.png")
    data = zipped(path, {k: v for k, v in _members().items() if "green" not in k} | {info.filename: b""})
    at = data.rindex(b"PK\x01\x02", 0, data.rindex(b"f1_green.png"))
    local = struct.unpack_from("<I", data, at + 42)[0]
    head = bytearray(data[local : local + 30 + len(info.filename)])
    struct.pack_into("<HII", head, 8, 8, 0, 0)
    central = data[data.index(b"PK\x01\x02") :]
    struct.pack_into("<H", head, 8, 8)
    whole = data[:local] + head + body
    entry = len(whole) + (at - data.index(b"PK\x01\x02"))
    end = bytearray(whole + central)
    struct.pack_into("<H", end, entry + 10, 8)
    struct.pack_into("<II", end, entry + 20, len(body), 2**30 - 1)
    tail = end.rindex(b"PK\x05\x06")
    struct.pack_into("<I", end, tail + 16, len(whole))
    path.write_bytes(end)


def _packed(change: Callable[[dict[str, bytes]], dict[str, bytes]]) -> Callable[[Path], None]:
    return lambda path: zipped(path, change(_members())) and None


def _twice(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of the second name
        for name, content in (*_members().items(), *_members().items()):
            archive.writestr(name, content)


def _linked(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in _members().items():
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o120777 << 16 if "green" in name else 0o644 << 16
            archive.writestr(info, b"/etc/passwd" if "green" in name else content)


def _spoilt(place: Callable[[bytearray], int], value: bytes) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        data = zipped(path, _members())
        at = place(data)
        data[at : at + len(value)] = value
        path.write_bytes(data)

    return spoil


def _nameless(path: Path) -> None:
    """zipfile itself stumbles over a name that begins with a zero byte."""
    data = zipped(path, {"x_red.png": b"x"} | _members())
    path.write_bytes(data.replace(b"x_red.png", b"\0_red.png"))


ZIPS = (
    Case("zip of four PNG", lambda path: zipped(path, _members()) and None, ACCEPTED),
    Case("zip, ../../ in names", _packed(lambda m: {f"../../{k}": v for k, v in m.items()}), ACCEPTED),
    Case("zip, absolute names", _packed(lambda m: {f"/etc/{k}": v for k, v in m.items()}), ACCEPTED),
    Case("zip, every member twice", _twice, "has 2 files"),
    Case("zip, link to /etc/passwd", _linked, "is not an image"),
    Case("zip in a zip", _packed(lambda m: m | {"train/f1_green.png": b"PK\x03\x04" + bytes(99)}), "is not an image"),
    Case("zip, 10 GB of zeros in a member", _huge_member, "is not an image"),
    Case("zip says a member has 4 GB", _lying(b"size", 2**32 - 2), "cannot be unpacked"),
    Case("zip says a member has 5 bytes", _lying(b"size", 5), "its size or checksum is wrong"),
    Case("zip says 3 GB are packed", _lying(b"packed", 3 * 2**30), "cannot be unpacked"),
    Case("zip, wrong checksum", _spoilt(lambda d: d.rindex(b"PK\x01\x02", 0, d.rindex(b"f1_green")) + 16, b"\1\2"),
         "its size or checksum is wrong"),
    Case("zip, directory damaged", _spoilt(lambda d: d.index(b"PK\x01\x02"), b"XXXX"), "directory is damaged"),
    Case("zip, a member without a name", _nameless, "directory is damaged"),
    Case("zip, header damaged", _spoilt(lambda d: d.rindex(b"PK\x03\x04"), b"XXXX"), "the zip is damaged or"),
    Case("zip cut in half", lambda path: path.write_bytes(zipped(path, _members())[:900]) and None, "nor a readable"),
    Case("zip of nothing", lambda path: zipped(path, {}) and None, "holds no field"),
)  # fmt: skip
