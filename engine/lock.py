"""One command at a time writes to a run folder."""

import fcntl
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
        file = (folder / ".lock").open("w")
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
