"""Label images from any source: cells renumbered without gaps, and each nucleus given to its cell."""

import numpy as np


def pair_nuclei(cell_labels: np.ndarray, nucleus_labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Renumber the cells of a field and give each nucleus the id of the cell that holds most of it.

    Of cells that hold equally much, the one with the lower id. A nucleus is clipped to its cell; one outside all cells
    is dropped. A cell may have no nucleus, or several.

    Parameters
    ----------
    cell_labels, nucleus_labels : ndarray of int, shape (H, W)
        Any ids above 0; 0 is background. Ids of nuclei need not be those of cells.

    Returns
    -------
    ids : ndarray, shape (n,)
        The ids that the cells had, ascending: ids[k] is now k + 1.
    cells, nuclei : ndarray of int32, shape (H, W)
        Ids 1..n of cells.
    """
    ids, cells = _renumbered(cell_labels)
    nucleus_ids, nuclei = _renumbered(nucleus_labels)
    shared = (nuclei > 0) & (cells > 0)
    base = len(ids) + 1
    pairs, counts = np.unique(nuclei[shared].astype(np.int64) * base + cells[shared], return_counts=True)
    order = np.lexsort((-pairs, counts))  # the pair that counts is assigned last
    owner = np.zeros(len(nucleus_ids) + 1, np.int32)
    owner[pairs[order] // base] = pairs[order] % base
    owned = owner[nuclei]
    return ids, cells, np.where(owned == cells, owned, 0)


def _renumbered(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The ids of a label image, ascending, and the image with ids 1..n, int32."""
    ids, positions = np.unique(labels, return_inverse=True)
    positions = positions.reshape(labels.shape).astype(np.int32)
    return ids[ids > 0], positions if ids[0] == 0 else positions + 1
