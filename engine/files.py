"""Files that are whole or absent: written under a temporary name, then renamed."""

import csv
import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from engine.errors import InputError
from engine.ids import inert

LARGEST_JSON = 2**26  # bytes


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; it is renamed to `path` only if the block ends without an error.

    After a kill at any moment there is either the old file or the new one, never a part. The content is flushed to disk
    before the file is renamed, so that a power cut leaves no empty file. The folder is made if absent. An OSError names
    `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield temporary
        _flush(temporary)
        temporary.replace(path)
    except OSError as error:
        if error.filename in (None, str(temporary)):
            error.filename = str(path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _flush(path: Path) -> None:
    """Wait until a file's content is on the disk."""
    handle = os.open(path, os.O_RDWR)  # Windows flushes only what is open for writing
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_parts(folder: Path) -> None:
    """Remove unfinished files of killed commands; call it only while no other process writes in the folder."""
    for path in folder.rglob(".*.part"):
        path.unlink(missing_ok=True)


def write_array(path: Path, array: np.ndarray) -> None:
    """Write an array in numpy's format, whole or absent. Unlike numpy.save, it reports a full disk as such."""
    array = np.ascontiguousarray(array)
    with whole(path) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(array.data.cast("B") if array.size else b"")


def write_json(path: Path, content: Any) -> None:
    """Write JSON, indented, keys in the given order; whole or absent."""
    with whole(path) as temporary:
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")  # a path need not be UTF-8


def read_json(path: Path, remedy: object = "Remove it, and run the command that wrote it again.") -> Any:
    """Read a JSON file.

    Raises
    ------
    InputError
        If it is missing, too large or not JSON.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing (expected a JSON file). {remedy}")
    if path.stat().st_size > LARGEST_JSON:
        raise InputError(f"{path} has {path.stat().st_size:,} bytes (expected at most {LARGEST_JSON:,}). {remedy}")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as JSON ({error}). {remedy}") from error


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a csv table with one header line and \\n line ends; whole or absent.

    A cell that a spreadsheet would run as a formula gets a leading apostrophe. Ids never need one: `engine.ids` rejects
    such ids where they are read.
    """
    with whole(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([inert(cell) for cell in row] for row in rows)


def digest(content: Any) -> str:
    """A short hash of anything JSON can hold; equal content gives equal hashes on every machine."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


class FileMark(NamedTuple):
    """What tells a file from one that replaces it or is changed later, without reading it."""

    inode: int
    size: int
    modified_ns: int


def file_mark(path: Path) -> FileMark:
    """The mark of a file as it is now."""
    status = path.stat()
    return FileMark(status.st_ino, status.st_size, status.st_mtime_ns)


def content_hash(path: Path) -> str:
    """SHA-256 of a file, so that damage to it is noticed."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
