"""Code, packages and folders as one process of a cluster sees them.

The code is hashed when this module is imported. Every task of a cluster has a `View` as its first argument: a worker
unpickles it, and so imports this module, before it loads any other code of ours. Other processes need not import it.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from engine.files import digest
from engine.versions import package_versions

_ROOMS = ("engine", "store", "features", "models", "report", "commands")


@dataclass(frozen=True)
class View:
    """Code, packages and folders as one process sees them; those of a worker must equal those of the client.

    Attributes
    ----------
    code : str
        Hash of our sources when the process loaded the first of them.
    packages : dict of str to str
        Version of Python and of each package that results depend on, at that moment.
    changed : bool
        The files on disk are others since.
    absent : tuple of str
        The requested folders that do not exist there.
    """

    code: str
    packages: dict[str, str]
    changed: bool = False
    absent: tuple[str, ...] = ()


def view(paths: Iterable[str]) -> View:
    """Code and packages as this process loaded them, and folders as it sees them."""
    absent = tuple(path for path in paths if not Path(path).exists())
    return replace(LOADED, changed=_on_disk() != LOADED, absent=absent)


def _on_disk() -> View:
    """Code and packages as they lie on the disk now."""
    root = Path(__file__).resolve().parents[2]
    return View(digest([_digest_sources(root / room) for room in _ROOMS]), package_versions())


def _digest_sources(folder: Path) -> str:
    """A short hash of all sources under a folder."""
    sha = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".py", ".cu", ".cuh") and path.is_file()):
        sha.update(path.relative_to(folder).as_posix().encode())
        sha.update(path.read_bytes())
    return sha.hexdigest()[:16]


LOADED = _on_disk()
"""What this process has loaded."""
