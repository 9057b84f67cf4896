"""Small painted fields that need no files: cells of every awkward kind."""

import numpy as np

from features._cells import Cells, make_cells
from features._device import open_device


def paint_cells(rng: np.random.Generator, dtype=np.uint8, n_fields: int = 2, size: int = 96) -> Cells:
    """Fields with uneven cells: round, one-pixel, concave, at the border, flat, without nucleus."""
    top = np.iinfo(dtype).max
    pixels = rng.gamma(1.5, top / 12, (n_fields, 4, size, size)).clip(0, top).astype(dtype)
    y, x = np.mgrid[:size, :size]
    cell_labels = np.zeros((n_fields, size, size), np.int32)
    nucleus_labels = np.zeros_like(cell_labels)
    label = 0
    for f in range(n_fields):
        shapes = [
            (((y - 30) / 22) ** 2 + ((x - 28) / 17) ** 2 < 1, (y - 28) ** 2 + (x - 30) ** 2 < 64),
            ((abs(y - 20) < 14) & (abs(x - 70) < 14) & ~((y > 12) & (abs(x - 70) < 7)), (y < 11) & (abs(x - 70) < 9)),
            ((y == 60) & (x == 8), (y == 60) & (x == 8)),
            ((y > size - 22) & (x < 24), (y > size - 9) & (x < 9)),
            ((y - 70) ** 2 + (x - 60) ** 2 < 225, np.zeros_like(y, bool)),
            ((y - 50) ** 2 + (x - 88) ** 2 < 60, (y - 50) ** 2 + (x - 88) ** 2 < 20),
        ]
        for mask, nucleus in shapes:
            label += 1
            mask = mask & (cell_labels[f] == 0)
            cell_labels[f][mask] = label
            nucleus_labels[f][nucleus & mask] = label
        pixels[f][:, cell_labels[f] == label] = 7
    return make_cells(pixels, cell_labels, nucleus_labels, open_device("cpu"))
