"""Numba compilation with a cache on disk, in the first folder that can be written."""

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba.core import config

from engine.errors import MachineError

_NOWHERE = (
    "no folder can be written for compiled code: not the one beside the sources, nor the user's cache folder, nor the "
    "temporary one. Set NUMBA_CACHE_DIR to a folder that can be written."
)


def njit(**options: Any) -> Callable[[Callable], Callable]:
    """`numba.njit` with a cache on disk.

    Numba keeps its cache in NUMBA_CACHE_DIR, beside the source or in the user's cache folder. Where none of them can be
    written (a read-only checkout, a user without a home) it goes to a folder of the user's in the temporary folder.

    Raises
    ------
    MachineError
        If that cannot be written either.
    """

    def compiled(function: Callable) -> Callable:
        try:
            return _cached(function, options)
        except _NoFolderError:
            _use_temporary_folder()
        try:
            return _cached(function, options)
        except _NoFolderError as error:
            raise MachineError(_NOWHERE) from error

    return compiled


def njit_helper(**options: Any) -> Callable[[Callable], Callable]:
    """`numba.njit` for a function that only compiled ones call: it is part of theirs, on disk too.

    Without the wrapper by which Python calls a function it compiles in about half the time.
    """
    alone: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return numba.njit(**alone, **options)


class _NoFolderError(Exception):
    """None of the folders that Numba knows can be written."""


def _cached(function: Callable, options: dict[str, Any]) -> Callable:
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError as error:
        if "no locator available" not in str(error):
            raise
        raise _NoFolderError from error


def _use_temporary_folder() -> None:
    """Name a temporary folder to Numba, here and in the processes that start from now on."""
    try:
        folder = str(_private_folder(Path(tempfile.gettempdir())))
    except OSError as error:
        raise MachineError(_NOWHERE) from error
    os.environ["NUMBA_CACHE_DIR"] = folder
    config.CACHE_DIR = folder  # pyright: ignore[reportAttributeAccessIssue] (Numba sets it from the environment)


def _private_folder(parent: Path) -> Path:
    """A folder that only this user can write, the same each time: whoever can write it can run code as this user."""
    if not hasattr(os, "getuid"):  # Windows: each user has a temporary folder of their own
        folder = parent / "hpa-boost-numba"
        folder.mkdir(exist_ok=True)
        return folder
    folder = parent / f"hpa-boost-numba-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077:
        return folder
    return Path(tempfile.mkdtemp(prefix="hpa-boost-numba-", dir=parent))
