"""One command at a time writes to a run folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.errors import InputError


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a run folder for writing; the lock goes with the process, however it ends.

    Parameters
    ----------
    folder : Path
        Made if absent.

    Raises
    ------
    InputError
        If another process holds it or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A link in place of the lock could lead to a file of the user's, which must not be emptied.
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        file = os.fdopen(os.open(folder / ".lock", flags, 0o666), "w")
    except OSError as error:
        raise InputError(
            f"run folder {folder} cannot be written ({error.strerror}). Name another with --run DIR."
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError(
                f"run folder {folder} is in use by another hpa-boost command. Wait for it to end, or name another "
                "folder with --run DIR."
            ) from error
        yield
