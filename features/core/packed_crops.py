"""Crops of all cells of a batch, packed one behind the other and smoothed at several scales inside each cell's mask."""

from dataclasses import dataclass

import numpy as np

from features.core.cells import Cells
from store.channels import Channel

SCALES = ((0.02, 1), (0.05, 2), (0.12, 3))  # half width of the means: in nucleus diameters, and at least in px
PARTS = {"Cells": 3, "Nuclei": 2, "Cytoplasm": 1}  # the sum of the numbers in `PackedCrops.parts`


@dataclass(frozen=True)
class PackedCrops:
    """Crops one behind the other: cell i owns starts[i]:starts[i + 1], the rows of its box one after the other.

    Attributes
    ----------
    starts : ndarray of int64, shape (n_cells + 1,)
    parts : ndarray of uint8, shape (starts[-1],)
        0 outside the cell, 1 in the cytoplasm, 2 in the nucleus.
    reach : ndarray of int64, shape (n_fields, n_scales)
        Half width of the means in px.
    smooth : dict of Channel to ndarray of float32, shape (n_scales, starts[-1])
        Means around each pixel over the cell's own pixels at `SCALES`; 0 outside the cell. Undefined at scales finer
        than the channel's finest.
    """

    starts: np.ndarray
    parts: np.ndarray
    reach: np.ndarray
    smooth: dict[Channel, np.ndarray]


def pack_crops(cells: Cells, finest: dict[Channel, int]) -> PackedCrops:
    """Crop and smooth the cells in some channels; each channel from its `finest` scale (index in `SCALES`) on."""
    xp, kernels = cells.device.xp, cells.device.kernels.spots
    starts, labels = cells.crop_starts, (cells.cell_labels, cells.nucleus_labels)
    parts = kernels.pack_parts(*labels, cells.field, cells.boxes, starts, cells.n_crop_pixels)
    unit = xp.where(xp.isfinite(cells.nucleus_diameter), cells.nucleus_diameter, 0)
    reach = xp.stack([xp.maximum(xp.rint(share * unit), least) for share, least in SCALES], axis=1).astype(np.int64)
    planes = cells.planes(finest)
    first = xp.asarray(list(finest.values()))
    smooth = kernels.local_means(planes, parts, starts, cells.field, cells.boxes, reach, first)
    return PackedCrops(starts, parts, reach, dict(zip(finest, smooth)))
