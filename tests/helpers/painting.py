"""Small painted fields that need no files: cells of every awkward kind."""

import numpy as np

from features.core.cells import Cells, make_cells
from features.core.device import open_device


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


def assert_touching_cells_are_as_if_alone(family, device, rng: np.random.Generator) -> None:
    """Two cells that fill one rectangle, cut along a step; each as if the other were noise and no cell."""
    pixels = rng.integers(0, 255, (1, 4, 48, 48)).astype(np.uint8)
    y, x = np.mgrid[:48, :48]
    labels, nuclei = (
        np.where(y > 19 + 9 * (x > 24), 1, 2)[None],
        np.where(np.hypot(y - 24, x - 24) < 15, np.where(y > 19 + 9 * (x > 24), 1, 2), 0)[None],
    )
    together = family.measure(make_cells(pixels, labels, nuclei, device))
    for i in (0, 1):
        mine = labels == i + 1
        noise = rng.integers(0, 255, pixels.shape).astype(np.uint8)
        alone = make_cells(
            np.where(mine[:, None], pixels, noise), mine.astype(int), (nuclei * mine > 0).astype(int), device
        )
        np.testing.assert_array_equal(family.measure(alone)[0], together[i])
