"""Arrays for workers: passed as memory-mapped files on the shared path, not through a scheduler."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from engine.files import write_array


@contextmanager
def handed_over(folder: Path, **arrays: np.ndarray) -> Iterator[Path]:
    """Keep arrays in a folder, each as NAME.npy, as long as the block lasts; yields the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        for name, array in arrays.items():
            write_array(folder / f"{name}.npy", array)
        yield folder
    finally:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


def taken(folder: Path, name: str) -> np.ndarray:
    """An array that `handed_over` wrote, memory-mapped."""
    return np.load(folder / f"{name}.npy", mmap_mode="r")
