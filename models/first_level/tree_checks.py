"""Checks the trees of a model file before a library uses them: no index out of bounds, no cycle.

The libraries trust their files; a manipulated one could make them read beyond the values or loop for ever.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.errors import InputError
from store.run_folder import RunFolder

LARGEST = 2**28  # bytes of a model


def read_model(path: Path) -> str:
    """The text of a model file.

    Raises
    ------
    InputError
        If it is missing, too large or not ASCII.
    """
    if not path.is_file():
        raise unusable(path, "is missing")
    if path.stat().st_size > LARGEST:
        raise unusable(path, f"has {path.stat().st_size:,} bytes (at most {LARGEST:,})")
    try:
        return path.read_bytes().decode("ascii")
    except UnicodeDecodeError as error:
        raise unusable(path, f"has a byte that is not ASCII (at {error.start})") from error


@dataclass(frozen=True)
class Remedy:
    """What to do about a damaged model, which lies in RUN/models/CLASS; the run's notes are read only to say it."""

    path: Path

    def __str__(self) -> str:
        return f"It is not as fit wrote it: run {RunFolder(self.path.parents[2]).command('fit')} again."


def unusable(path: Path, reason: str) -> InputError:
    """The error for a damaged model."""
    return InputError(f"model {path} {reason}. {Remedy(path)}")


def whole_numbers(text: list[str]) -> np.ndarray:
    """Space-separated numbers of some trees as int64; raises ValueError for anything else."""
    return np.array(" ".join(text).split(), np.int64)


def real_numbers(text: list[str]) -> np.ndarray:
    """Space-separated numbers of some trees as float64; raises ValueError for anything else."""
    return np.array(" ".join(text).split(), np.float64)


def check_shape(left: np.ndarray, right: np.ndarray, inner: np.ndarray, sizes: np.ndarray) -> None:
    """Raise ValueError unless all children come after their parent and stay within their tree.

    Parameters
    ----------
    left, right : ndarray of int64, shape (n_inner,)
        The children of all inner nodes, tree by tree; nodes of a tree are numbered from 0, the root.
    inner : ndarray of int64, shape (n_inner,)
        The number of each inner node.
    sizes : ndarray of int64, shape (n_inner,)
        How many nodes its tree has.
    """
    for child in (left, right):
        if ((child <= inner) | (child >= sizes)).any():
            raise ValueError("a branch leads back or out of its tree")


def check_parents(children: np.ndarray, n_nodes: int, n_trees: int) -> None:
    """Raise ValueError unless every node but the roots is a child exactly once.

    Parameters
    ----------
    children : ndarray of int64
        Of all trees, numbered consecutively.
    n_nodes, n_trees : int
        Of all trees together.
    """
    if len(children) != n_nodes - n_trees or len(np.unique(children)) != len(children):
        raise ValueError("two branches lead to one node, or none does")
