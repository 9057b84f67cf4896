"""Stamps: whether a stored result is still up to date, or must be computed again.

A stamp is a hash of the settings, the data and the sources that a result depends on. A result is reused instead of
computed again only while its stamp equals the one computed now. The sources are found by following imports from the
modules that compute the result; folders whose modules are loaded by name, with their CUDA sources, are named by the
caller. `engine` is left out: it moves and writes results but computes none of their values.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.errors import InputError
from engine.files import digest, read_json

ROOT = Path(__file__).resolve().parents[1]
"""The checkout."""

_NOT_FOLLOWED = ("engine",)
_KIND = (".py", ".cu", ".cuh")
_IN_PARQUET = b"stamp"


def stamp(settings: Any, data: Any, code: str) -> str:
    """The stamp of a result.

    Parameters
    ----------
    settings, data
        All values that the result depends on, as JSON can hold them; large data as hashes, results as their stamps.
    code : str
        `code_of` the modules that compute it.
    """
    return digest([settings, data, code])


def stamp_of(path: Path) -> str | None:
    """The stamp that a JSON file or a parquet table carries; None where the file is missing, damaged or has none."""
    if not path.is_file():
        return None
    try:
        if path.suffix == ".json":
            content = read_json(path)
            found = content.get("stamp") if isinstance(content, dict) else None
            return found if isinstance(found, str) else None
        return (pq.read_schema(path).metadata or {}).get(_IN_PARQUET, b"").decode() or None
    except (InputError, pa.ArrowException, OSError, UnicodeDecodeError):
        return None


def stamped(table: pa.Table, mark: str) -> pa.Table:
    """A table whose parquet file will carry a stamp, beside the metadata that its schema has already."""
    return table.replace_schema_metadata({**(table.schema.metadata or {}), _IN_PARQUET: mark})


def array_hash(*arrays: np.ndarray) -> str:
    """A hash of arrays: types, shapes and values."""
    sha = hashlib.sha256()
    for array in arrays:
        sha.update(f"{array.dtype.str}{array.shape}".encode())
        sha.update(np.ascontiguousarray(array).data)
    return sha.hexdigest()


@cache
def code_of(*modules: str, without: tuple[str, ...] = ()) -> str:
    """A short hash of the sources that some modules depend on; parameters as for `sources_of`."""
    sha = hashlib.sha256()
    for path in sources_of(*modules, without=without):
        sha.update(path.relative_to(ROOT).as_posix().encode())
        sha.update(path.read_bytes())
    return sha.hexdigest()[:16]


def sources_of(*modules: str, without: tuple[str, ...] = ()) -> tuple[Path, ...]:
    """The project's files that some modules depend on, found by following their imports, deferred ones too.

    Parameters
    ----------
    modules : str
        Dotted names, e.g. "models.fit". "features.kernels.gpu.*" is every source in that folder: modules that are
        loaded by name are invisible to a search of imports and are named so.
    without : tuple of str
        Modules and packages that are not followed, because these settings do not use them.

    Returns
    -------
    tuple of Path
        Sorted.
    """
    waiting = [path for name in modules for path in _named(name)]
    found: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in found or _is_left_out(path, (*_NOT_FOLLOWED, *without)):
            continue
        found.add(path)
        if path.suffix == ".py":
            waiting += _imported(path)
    return tuple(sorted(found))


def _named(name: str) -> Iterator[Path]:
    folder = ROOT.joinpath(*name.removesuffix(".*").split("."))
    if name.endswith(".*"):
        yield from (path for path in folder.iterdir() if path.suffix in _KIND)
    else:
        yield from (path for path in (folder.with_suffix(".py"), folder / "__init__.py") if path.is_file())


def _is_left_out(path: Path, names: Iterable[str]) -> bool:
    dotted = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    return any(dotted == name or dotted.startswith(f"{name}.") for name in names)


def _imported(path: Path) -> list[Path]:
    """The project's files that one imports."""
    return [file for name in _imports(path.read_bytes()) for file in _named(name)]


@cache
def _imports(source: bytes) -> frozenset[str]:
    """The modules that a source imports, and the packages that they lie in."""
    names: set[str] = set()
    for node in _statements(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    parts = [name.split(".") for name in names]
    return frozenset(".".join(one[:k]) for one in parts for k in range(1, len(one) + 1))


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """All statements inside a node, without their expressions, which are most of a tree and import nothing."""
    for part in ("body", "handlers", "orelse", "finalbody", "cases"):
        for statement in getattr(node, part, ()):
            yield statement
            yield from _statements(statement)
