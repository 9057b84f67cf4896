"""One command at a time writes to a run folder, its worker processes included."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from pathlib import Path
from typing import TextIO

from engine.errors import InputError
from engine.files import remove_parts

PATIENCE = 60.0
"""Seconds to wait for the workers of a command that was killed; they end by themselves."""

_holding: ContextVar[Path | None] = ContextVar("the run folder that this command holds", default=None)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a run folder for writing; the lock goes with the process, however it ends.

    What a killed command had begun to write is removed, once the last of its workers has ended; and at the end what
    workers of this one had begun that were killed on the way.

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
        file = _opened(folder / ".lock")
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
        _wait_for_workers(folder)
        remove_parts(folder)
        token = _holding.set(folder.resolve())
        try:
            yield
            remove_parts(folder)
        finally:
            _holding.reset(token)


def held() -> Path | None:
    """The run folder that this command holds, if any."""
    return _holding.get()


def at_work(folder: Path | None) -> AbstractContextManager[object]:
    """In a worker: nobody else gets the run folder during the block, even if the command that holds it is killed."""
    return nullcontext() if folder is None else _shared(folder)


@contextmanager
def _shared(folder: Path) -> Iterator[None]:
    with _opened(folder / ".workers") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def _wait_for_workers(folder: Path) -> None:
    """Return when no worker of an earlier command is at work here."""
    patient_until = time.monotonic() + PATIENCE
    with _opened(folder / ".workers") as file:
        while True:
            try:
                return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if time.monotonic() > patient_until:
                    raise InputError(
                        f"run folder {folder} is in use by worker processes of an hpa-boost command that was killed. "
                        "End them, or name another folder with --run DIR."
                    ) from error
            time.sleep(0.1)


def _opened(path: Path) -> TextIO:
    """A file to hold a lock on. A link in its place could lead to a file of the user's, which must not be emptied."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o666), "w")
