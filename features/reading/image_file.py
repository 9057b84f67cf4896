"""Checks shared by all readers of images: regular files, sensible sizes, damage; and their error sentences."""

import os
import stat
from pathlib import Path

MAX_SIDE = 20_000
MIN_SIDE = 16
MAX_FILE = 2**30
"""Bytes; a grey plane of 20,000 x 20,000 px with 16 bits has 0.8 of it."""


class UnreadableImageError(ValueError):
    """The bytes are not an image that can be used; the message continues "<file name> ..."."""


def read_file(path: Path) -> bytes:
    """The bytes of an ordinary file, links followed.

    Raises
    ------
    UnreadableImageError
        If it is a pipe, a device or the like, or larger than `MAX_FILE`.
    OSError
        If it cannot be read.
    """
    # Without O_NONBLOCK a pipe would be waited for until somebody writes into it. Windows has O_BINARY instead.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableImageError("is no ordinary file (but a pipe, device or socket). Remove it.")
        if status.st_size > MAX_FILE:
            raise UnreadableImageError(f"has {status.st_size:,} bytes (at most {MAX_FILE:,}). Replace or remove it.")
        return file.read(status.st_size)


def check_size(width: int, height: int) -> None:
    """Raise UnreadableImageError if a side is too long or too short."""
    if max(width, height) > MAX_SIDE:
        raise UnreadableImageError(
            f"is too large ({width} x {height} px; at most {MAX_SIDE:,} px a side). Cut or scale it."
        )
    if min(width, height) < MIN_SIDE:
        raise UnreadableImageError(
            f"is too small ({width} x {height} px; at least {MIN_SIDE} px a side). Replace or remove it."
        )


def damaged(n_bytes: int, reason: object) -> UnreadableImageError:
    """The error for a file that cannot be decoded."""
    brief = " ".join(str(reason).split()).rstrip(".")[:200]
    return UnreadableImageError(f"is damaged or cut short ({n_bytes:,} bytes; {brief}). Copy or download it again.")
