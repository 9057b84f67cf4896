"""Files that are whole or absent: written under a temporary name, then renamed."""

import csv
import hashlib
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from engine.errors import InputError
from engine.ids import inert

LARGEST_JSON = 2**26  # bytes


@contextmanager
def whole(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; it becomes `path` only if the block ends without an error.

    A kill at any moment leaves either the old file or the new one, never a part. The content is on the disk before the
    name is, so that a power cut leaves no empty file either. The folder is made if absent. An OSError names the path.
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
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_parts(folder: Path) -> None:
    """Remove what commands that were killed had begun to write; only while nobody else writes there."""
    for path in folder.rglob(".*.part"):
        path.unlink(missing_ok=True)


def write_array(path: Path, array: np.ndarray) -> None:
    """Write an array in numpy's format, whole or absent. Unlike numpy.save, it tells a full disk from other errors."""
    array = np.ascontiguousarray(array)
    with whole(path) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(array.data.cast("B") if array.size else b"")


def write_json(path: Path, content: Any) -> None:
    """Write JSON, indented, keys in the given order; whole or absent."""
    with whole(path) as temporary:
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")  # a path need not be UTF-8


def read_json(path: Path, remedy: str = "Remove it, and run the command that wrote it again.") -> Any:
    """Read a JSON file.

    Raises
    ------
    InputError
        If it is missing, too large or no JSON.
    """
    if not path.is_file():
        raise InputError(f"{path} is missing (expected a JSON file). {remedy}")
    if path.stat().st_size > LARGEST_JSON:
        raise InputError(f"{path} has {path.stat().st_size:,} bytes (expected at most {LARGEST_JSON:,}). {remedy}")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read as JSON ({error}). {remedy}") from error


def made_from(path: Path) -> str | None:
    """The key, a hash, that a JSON file says it was made from; None where there is no such file or it says nothing."""
    if not path.is_file():
        return None
    try:
        content = read_json(path)
    except InputError:
        return None
    key = content.get("key") if isinstance(content, dict) else None
    return key if isinstance(key, str) else None


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a csv table with one header line and \\n line ends; whole or absent.

    A cell that a spreadsheet would run as a formula gets an apostrophe before it. Ids never do: `engine.ids` refuses
    such ids where they are read, so that all others are written as they are.
    """
    with whole(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows([inert(cell) for cell in row] for row in rows)


def digest(content: Any) -> str:
    """A short hash of anything JSON can hold; equal content gives equal hashes on every machine."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def content_hash(path: Path) -> str:
    """SHA-256 of a file, so that damage to it is noticed."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_sources(folder: Path) -> str:
    """A short hash of the Python sources under a folder, so that results of other code are not taken for ours."""
    sha = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        sha.update(path.relative_to(folder).as_posix().encode())
        sha.update(path.read_bytes())
    return sha.hexdigest()[:16]
