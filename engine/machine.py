"""Messages for a full disk, a read-only folder, memory that ran out and the like."""

import errno
import os
import shutil
from pathlib import Path

_KEPT = "What was finished is kept, and the same command goes on from there."
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_FOLDER = (errno.EEXIST, errno.ENOTDIR)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


def refusal(error: OSError | MemoryError) -> str:
    """A message that says what failed, where, and what helps."""
    if isinstance(error, MemoryError):
        return f"memory ran out ({error}). {_KEPT} Run it again with fewer --workers, or free memory."
    what = str(error.filename) if error.filename else f"a file ({error})"
    reason = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in _FULL:
        return f"{what} could not be written: {reason}{_free(what)}. {_KEPT} Free space, or use another disk."
    if error.errno in _FORBIDDEN:
        return f"{what} could not be used: {reason}. {_KEPT} Allow it, or name another folder with --run DIR."
    if error.errno in _NO_FOLDER:
        return f"{what} is, or lies under, a file; expected a folder. Name another, or move that file."
    if error.errno == errno.ENOENT:
        return f"{what} is not there, or not any more: was its folder removed meanwhile? Run the command again."
    return f"{what} could not be read or written: {reason}. {_KEPT} Check the disk, or use another."


def _free(path: str) -> str:
    """Free space on the disk of a path, in words; empty where it is unknown."""
    try:
        there = next(folder for folder in Path(path).absolute().parents if folder.is_dir())
        return f" ({shutil.disk_usage(there).free / 1e6:.1f} MB free on the disk of {there})"
    except (OSError, StopIteration):
        return ""
