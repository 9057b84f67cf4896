"""Trees of a booster's file, checked before a library follows them: no index leads out of an array or in a circle.

The libraries' readers are made for files of their own; one made to harm them could make them read beyond a field's
values or never come to a leaf.
"""

from pathlib import Path

import numpy as np

from engine.errors import InputError

REMEDY = "It is not as fit wrote it: run python cli.py fit again."
LARGEST = 2**28  # bytes of a model


def read_model(path: Path) -> str:
    """The text of a model's file, which is ASCII.

    Raises
    ------
    InputError
        If it is missing, too large or no such text.
    """
    if not path.is_file():
        raise unusable(path, "is missing")
    if path.stat().st_size > LARGEST:
        raise unusable(path, f"has {path.stat().st_size:,} bytes (at most {LARGEST:,})")
    try:
        return path.read_bytes().decode("ascii")
    except UnicodeDecodeError as error:
        raise unusable(path, f"holds bytes that no model has (at {error.start})") from error


def unusable(path: Path, reason: str) -> InputError:
    """The error for a model that is not as `fit` leaves it."""
    return InputError(f"model {path} {reason}. {REMEDY}")


def whole_numbers(text: list[str]) -> np.ndarray:
    """Numbers of some trees, each written with spaces between, as int64; raises ValueError where there is another."""
    return np.array(" ".join(text).split(), np.int64)


def real_numbers(text: list[str]) -> np.ndarray:
    """The same as float64."""
    return np.array(" ".join(text).split(), np.float64)


def check_shape(left: np.ndarray, right: np.ndarray, inner: np.ndarray, sizes: np.ndarray) -> None:
    """Raise ValueError unless these are trees.

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
        Of all trees, numbered through.
    n_nodes, n_trees : int
        Of all trees together.
    """
    if len(children) != n_nodes - n_trees or len(np.unique(children)) != len(children):
        raise ValueError("two branches lead to one node, or none does")
