"""Damaged, unusual and malicious image files; each replaces one channel of a good field."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import tifffile

COLOURS = ("red", "green", "blue", "yellow")
SHAPE = (64, 80)
ACCEPTED = ""
"""The sentence of a case that is read, with the right pixels."""


@dataclass(frozen=True)
class Case:
    """What is done to a folder of one good field "f1", and words of the sentence that should come of it."""

    name: str
    spoil: Callable[[Path], None]
    words: str


def plane() -> np.ndarray:
    """A smooth picture, uint8."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return (127 + 120 * np.sin(x / 9) * np.cos(y / 7)).astype(np.uint8)


def png(image: np.ndarray, *options: int) -> bytes:
    """As a PNG."""
    return cv2.imencode(".png", image, list(options))[1].tobytes()


def jpeg(image: np.ndarray, *options: int) -> bytes:
    """As a JPEG."""
    return cv2.imencode(".jpg", image, list(options))[1].tobytes()


def tiff(image: np.ndarray, **options: object) -> bytes:
    """As a TIFF of tifffile's."""
    file = io.BytesIO()
    tifffile.imwrite(file, image, **options)
    return file.getvalue()


def packed_tiff(image: np.ndarray, compression: int) -> bytes:
    """As a TIFF of OpenCV's: 5 LZW, 32773 PackBits."""
    return cv2.imencode(".tif", image, [cv2.IMWRITE_TIFF_COMPRESSION, compression])[1].tobytes()


def chunk(kind: bytes, body: bytes) -> bytes:
    """A part of a PNG with its right checksum."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def raw_png(width: int, height: int, packed: bytes, depth: int = 8, colour: int = 0) -> bytes:
    """A PNG of a header and whatever stands for its pixels."""
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def zeros(n: int) -> bytes:
    """`n` zeros, deflated."""
    packer = zlib.compressobj(1)
    block = bytes(2**20)
    parts = [packer.compress(block[: min(2**20, n - k)]) for k in range(0, n, 2**20)]
    return b"".join([*parts, packer.flush()])


def with_tag(data: bytes, code: int, value: int) -> bytes:
    """A little-endian TIFF with another value of one of its tags."""
    spoilt = bytearray(data)
    at = struct.unpack_from("<I", data, 4)[0]
    for k in range(struct.unpack_from("<H", data, at)[0]):
        entry = at + 2 + 12 * k
        if struct.unpack_from("<H", data, entry)[0] == code:
            struct.pack_into("<HII", spoilt, entry + 2, 4, 1, value)
    return bytes(spoilt)


def deflate_bomb() -> bytes:
    """A deflated TIFF of 64 x 80 px whose one strip unpacks to 64 MB."""
    data, bomb = tiff(plane(), compression="zlib"), zeros(2**26)
    return with_tag(with_tag(data, 273, len(data)), 279, len(bomb)) + bomb


def endless_pages(n: int = 20_000) -> bytes:
    """A TIFF of n pages without anything on them."""
    return b"II*\0" + struct.pack("<I", 8) + b"".join(struct.pack("<HI", 0, 14 + 6 * k) for k in range(n))


def damaged_lzw() -> bytes:
    """An LZW TIFF with a hole."""
    data = bytearray(packed_tiff(plane(), 5))
    middle = struct.unpack_from("<I", data, 4)[0] // 2
    data[middle : middle + 40] = b"\xff" * 40
    return bytes(data)


def instead(content: Callable[[], bytes], extension: str = "png") -> Callable[[Path], None]:
    """Put other content in place of the green channel."""

    def spoil(folder: Path) -> None:
        (folder / "f1_green.png").unlink()
        (folder / f"f1_green.{extension}").write_bytes(content())

    return spoil


def other(make: Callable[[Path], object]) -> Callable[[Path], None]:
    """Put something else than a file in place of the green channel."""

    def spoil(folder: Path) -> None:
        (folder / "f1_green.png").unlink()
        make(folder / "f1_green.png")

    return spoil


def sparse(path: Path) -> None:
    """A file of 3 GB without content."""
    with path.open("wb") as file:
        file.truncate(3 * 2**30)


def one_colour(image: np.ndarray) -> np.ndarray:
    """RGB with the picture in green alone, as HPA has it."""
    return np.dstack([np.zeros_like(image), image, np.zeros_like(image)])


def three_colours(image: np.ndarray) -> np.ndarray:
    """RGB of three different pictures."""
    return np.dstack([image, image[::-1], image[:, ::-1]])


FOLDERS = (
    Case("four grey PNG", lambda folder: None, ACCEPTED),
    Case("0 bytes", instead(lambda: b""), "is empty (0 bytes)"),
    Case("HTML named .png", instead(lambda: b"<html>404</html>"), "is not an image"),
    Case("PNG named .tif", instead(lambda: png(plane()), "tif"), ACCEPTED),
    Case("PNG cut in half", instead(lambda: png(plane())[:900]), "damaged or cut short"),
    Case("PNG header alone", instead(lambda: png(plane())[:20]), "damaged or cut short"),
    Case("PNG, one bit flipped", instead(lambda: flipped(png(plane()))), "damaged or cut short"),
    Case("PNG says 60,000 x 60,000 px", instead(lambda: raw_png(60_000, 60_000, b"")), "is too large (60000 x 60000"),
    Case("PNG says 20,000 x 20,000 px", instead(lambda: raw_png(20_000, 20_000, b"")), "damaged or cut short"),
    Case("PNG says 0 x 0 px", instead(lambda: raw_png(0, 0, b"")), "is too small (0 x 0"),
    Case("PNG, 64 MB of zeros after its 80 x 64 px", instead(lambda: raw_png(80, 64, zeros(2**26))),
         "the same everywhere"),
    Case("PNG, depth 3", instead(lambda: raw_png(64, 64, zeros(64 * 65), depth=3)), "damaged or cut short"),
    Case("PNG with palette", instead(lambda: palette()), ACCEPTED),
    Case("PNG of 1 bit", instead(lambda: png((plane() > 99) * np.uint8(255), cv2.IMWRITE_PNG_BILEVEL, 1)), ACCEPTED),
    Case("PNG, RGB of one colour", instead(lambda: png(one_colour(plane()))), ACCEPTED),
    Case("PNG, RGB of three colours", instead(lambda: png(three_colours(plane()))), "is a colour image"),
    Case("PNG, RGBA of three colours", instead(lambda: png(np.dstack([three_colours(plane()), plane()]))),
         "is a colour image"),
    Case("PNG, constant", instead(lambda: png(np.full(SHAPE, 7, np.uint8))), "the same everywhere"),
    Case("PNG of 1 x 1 px", instead(lambda: png(np.ones((1, 1), np.uint8))), "is too small (1 x 1"),
    Case("PNG of another size", instead(lambda: png(np.ones((65, 80), np.uint8))), "Give all channels of a field"),
    Case("PNG of 16 bits among 8", instead(lambda: png(plane().astype(np.uint16))), "Give all channels of a field"),
    Case("JPEG of one colour", instead(lambda: jpeg(one_colour(plane())), "jpg"), ACCEPTED),
    Case("JPEG of three colours", instead(lambda: jpeg(three_colours(plane())), "jpg"), "is a colour image"),
    Case("JPEG cut in half", instead(lambda: jpeg(plane())[:700], "jpg"), "damaged or cut short"),
    Case("TIFF", instead(lambda: tiff(plane()), "tif"), ACCEPTED),
    Case("BigTIFF", instead(lambda: tiff(plane(), bigtiff=True), "tif"), ACCEPTED),
    Case("TIFF, LZW", instead(lambda: packed_tiff(plane(), 5), "tif"), ACCEPTED),
    Case("TIFF, LZW with a hole", instead(damaged_lzw, "tif"), "damaged or cut short"),
    Case("TIFF cut in half", instead(lambda: tiff(plane())[:2500], "tif"), "damaged or cut short"),
    Case("TIFF of floats with NaN", instead(lambda: tiff(np.full(SHAPE, np.nan, np.float32)), "tif"), "float32 values"),
    Case("TIFF of signed integers", instead(lambda: tiff(plane().astype(np.int16) - 9), "tif"),
         "holds negative values"),
    Case("TIFF of three pages", instead(lambda: tiff(np.stack([plane()] * 3), photometric="minisblack"), "tif"),
         "is a stack of 3 images"),
    Case("TIFF of 20,000 empty pages", instead(endless_pages, "tif"), "is a stack of more than 5000 images"),
    Case("TIFF says 19,000 px high", instead(lambda: with_tag(tiff(plane()), 257, 19_000), "tif"), "damaged or cut"),
    Case("TIFF says 4 billion px high", instead(lambda: with_tag(tiff(plane()), 257, 2**32 - 1), "tif"), "too large"),
    Case("TIFF, strip unpacks to 64 MB", instead(deflate_bomb, "tif"), "damaged or cut short"),
    Case("folder named like an image", other(Path.mkdir), "channel Protein is missing"),
    Case("pipe named like an image", other(os.mkfifo), "is no ordinary file"),
    Case("link to /dev/zero", other(lambda path: path.symlink_to("/dev/zero")), "is no ordinary file"),
    Case("link to itself", other(lambda path: path.symlink_to(path)), "cannot be read ("),
    Case("link to nowhere", other(lambda path: path.symlink_to("nowhere")), "cannot be read ("),
    Case("link to its own folder", other(lambda path: path.symlink_to(path.parent)), "channel Protein is missing"),
    Case("sparse file of 3 GB", other(sparse), "has 3,221,225,472 bytes"),
)  # fmt: skip


def flipped(data: bytes) -> bytes:
    """With one bit turned in the middle."""
    spoilt = bytearray(data)
    spoilt[len(spoilt) // 2] ^= 1
    return bytes(spoilt)


def with_checksums(data: bytes) -> bytes:
    """A PNG whose parts have checksums that fit, as far as it can be followed: what is wrong then is inside."""
    mended, at = data[:8], 8
    while at + 12 <= len(data):
        length = struct.unpack_from(">I", data, at)[0]
        if at + 12 + length > len(data):
            break
        mended += chunk(data[at + 4 : at + 8], data[at + 8 : at + 8 + length])
        at += 12 + length
    return mended + data[at:]


def folder_of(path: Path) -> Path:
    """The folder, made if it is not there."""
    path.mkdir(parents=True, exist_ok=True)
    return path


def palette() -> bytes:
    """A PNG whose pixels are numbers in a grey palette."""
    head = struct.pack(">IIBBBBB", SHAPE[1], SHAPE[0], 8, 3, 0, 0, 0)
    colours = chunk(b"PLTE", bytes(np.repeat(np.arange(256, dtype=np.uint8), 3)))
    rows = b"".join(b"\0" + row.tobytes() for row in plane())
    parts = (chunk(b"IHDR", head), colours, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def good_field(folder: Path, field: str = "f1") -> None:
    """Four channels of one field."""
    folder.mkdir(parents=True, exist_ok=True)
    for colour in COLOURS:
        (folder / f"{field}_{colour}.png").write_bytes(png(plane()))


NAMES = (
    ("=cmd|'calc'!A0", "starts with '=', which a spreadsheet runs"), ("+1", "which a spreadsheet runs"),
    ("-1", "which a spreadsheet runs"), ("@SUM(1)", "which a spreadsheet runs"), ("a\nb", "not printed (U+000A)"),
    ("a\tb", "not printed (U+0009)"), ("a\\b", "reads like a path"), ("x" * 201, "has 201 characters"),
    (" a", "starts or ends with a space"), ("a\u202egnp", "not printed (U+202E)"), ("\udcff", "not printed (U+DCFF)"),
    ("é", ACCEPTED), ("e\u0301", ACCEPTED), ("F1", ACCEPTED), ("a,b", ACCEPTED), ('a"b', ACCEPTED),
    ("{{7*7}}", ACCEPTED),
)  # fmt: skip
"""Ids, as they stand in file names, and what is said of them."""
