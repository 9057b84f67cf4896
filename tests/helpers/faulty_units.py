"""Units of work that are killed, or watch what holds them: workers import them by name."""

import os
import signal
import time
from pathlib import Path

from filelock import FileLock, Timeout
from threadpoolctl import threadpool_info

hoarded: list[bytes] = []


def die_once(folder: Path, number: int) -> int:
    """A unit whose worker is killed at its first try."""
    mine = folder / f"{number}"
    if number == 3 and not mine.exists():
        mine.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    mine.write_text("done")
    return number


def die(number: int) -> int:
    """A unit whose worker is killed at every try."""
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def hoard(number: int) -> int:
    """A unit that leaves its worker with so much more memory that the worker is replaced."""
    hoarded.append(b"x" * 400_000_000)
    time.sleep(1.1)
    return number


def long_unit(folder: Path) -> None:
    """A unit that says when it has begun, and then takes a minute."""
    (folder / "begun").touch()
    time.sleep(60)


def folder_is_held(folder: Path) -> bool:
    """Whether the worker of this unit holds the lock that says it is alive."""
    try:
        with FileLock(folder / f".worker-{os.getpid()}.lock", blocking=False):
            return False
    except Timeout:
        return True


def linear_algebra_threads() -> int:
    """How many threads the linear algebra of this unit's worker may use."""
    import numpy  # noqa: F401

    return max(library["num_threads"] for library in threadpool_info())
