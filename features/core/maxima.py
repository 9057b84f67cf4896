"""Local maxima of the stain in each cell, and values at them."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from features.core.cells import Cells
from features.core.packed_crops import PackedCrops
from store.channels import Channel


@dataclass(frozen=True)
class Points:
    """Maxima of a band in packed crops, in ascending order, and where they lie.

    Attributes
    ----------
    owner : ndarray of int64, shape (n_points,)
        The cell of each.
    offsets : ndarray of int64, shape (n_cells + 1,)
        Cell i owns the points offsets[i]:offsets[i + 1].
    packed : ndarray of int64
        Position in the packed crops.
    flat : ndarray of int64
        Position in the planes of the batch (n_fields * H * W).
    y, x : ndarray of int64
        From the corner of the cell's box.
    response : ndarray of float32
        The band there.
    away : ndarray of float32
        Distance in px to the border of the cell's nucleus, negative inside it; NaN in cells without nucleus.
    """

    owner: np.ndarray
    offsets: np.ndarray
    packed: np.ndarray
    flat: np.ndarray
    y: np.ndarray
    x: np.ndarray
    response: np.ndarray
    away: np.ndarray


def find_maxima(
    channel: Channel, band: int, prominence: float, crops: PackedCrops, cells: Cells
) -> tuple[Points, np.ndarray]:
    """Round maxima of a band (means at one scale minus the next), and its noise in cytoplasm and nucleus."""
    fine, coarse = crops.smooth[channel][band : band + 2]
    reach = crops.reach[cells.field, band + 1]
    given = (fine, coarse, crops.parts, crops.starts, cells.boxes, reach)
    found, offsets, noise = cells.device.kernels.spots.peaks(*given, prominence)
    owner, packed, y, x = cells.device.xp.ascontiguousarray(found.T)
    _, height, width = cells.cell_labels.shape
    corner = (cells.field.astype(np.int64) * height + cells.boxes[:, 0]) * width + cells.boxes[:, 1]
    flat = corner[owner] + y * width + x
    outside, inside = cells.distance_to_nucleus.ravel()[flat], cells.distance_inside_nucleus.ravel()[flat]
    away = cells.device.xp.where(outside + inside > 0, outside - inside, np.nan)
    return Points(owner, offsets, packed, flat, y, x, fine[packed] - coarse[packed], away), noise


def values_at(which: np.ndarray, values: Sequence[np.ndarray], xp: ModuleType) -> np.ndarray:
    """Values of points or objects at some of them, NaN where there is none.

    Parameters
    ----------
    which : ndarray of int64
        Indices; -1 where there is none.
    values : sequence of ndarray, each (n,)

    Returns
    -------
    ndarray of float64, shape (len(values), *which.shape)
    """
    table = xp.full((len(values), len(values[0]) + 1), np.nan)
    table[:, :-1] = xp.stack(values)
    return table[:, which]
