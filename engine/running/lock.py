"""One command at a time writes to a run folder, its worker processes included."""

import contextlib
import os
import time
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from engine.errors import InputError
from engine.files import remove_parts

PATIENCE = 60.0
"""Seconds to wait for the workers of a killed command; they end by themselves."""

_holding: ContextVar[Path | None] = ContextVar("the run folder that this command holds", default=None)


@contextlib.contextmanager
def locked(folder: Path, option: str = "--run") -> Iterator[None]:
    """Lock a run folder for writing; the operating system releases the lock when the process ends, however it ends.

    Unfinished files of a killed command are removed first, once the last of its workers has ended. Those of workers
    that were killed during the block are removed at its end.

    Parameters
    ----------
    folder : Path
        Made if absent.
    option : str
        The option that names another folder, for the messages.

    Raises
    ------
    InputError
        If another process holds it or the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = _lock(folder / ".lock").acquire(blocking=False)
    except Timeout as error:
        raise InputError(
            f"run folder {folder} is in use by another hpa-boost command. Wait for it to end, or name another "
            f"folder with {option} DIR."
        ) from error
    except OSError as error:
        raise InputError(
            f"run folder {folder} cannot be written ({error.strerror}). Name another with {option} DIR."
        ) from error
    with lock:
        _wait_for_workers(folder)
        remove_parts(folder)
        token = _holding.set(folder.resolve())
        try:
            yield
            remove_parts(folder)
            for path in _worker_locks(folder):
                _remove_if_free(path)
        finally:
            _holding.reset(token)


def held() -> Path | None:
    """The run folder that this command holds, if any."""
    return _holding.get()


def worker_lock(folder: Path | None) -> contextlib.AbstractContextManager[object]:
    """In a worker: keep other commands out of the run folder during the block, even if its own command is killed.

    Each worker locks a file of its own, because not every system has shared locks.
    """
    return contextlib.nullcontext() if folder is None else _lock(folder / f".worker-{os.getpid()}.lock")


def _wait_for_workers(folder: Path) -> None:
    """Wait until no worker of an earlier command is running here."""
    patient_until = time.monotonic() + PATIENCE
    for path in _worker_locks(folder):
        while not _remove_if_free(path):
            if time.monotonic() > patient_until:
                raise InputError(
                    f"run folder {folder} is in use by worker processes of an hpa-boost command that was killed. "
                    "End them, or name another folder with --run DIR."
                )
            time.sleep(0.1)


def _worker_locks(folder: Path) -> list[Path]:
    return list(folder.glob(".worker-*.lock"))


def _remove_if_free(path: Path) -> bool:
    """Remove the lock file of a worker that has ended; False if it is still running."""
    try:
        _lock(path).acquire(blocking=False).lock.release()
    except Timeout:
        return False
    path.unlink(missing_ok=True)
    return True


def _lock(path: Path) -> BaseFileLock:
    """A lock that the system releases when its process ends; a symbolic link in place of the file is not followed."""
    return FileLock(path, fallback_to_soft=False)
