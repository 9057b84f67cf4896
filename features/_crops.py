"""Crops of all cells of a batch, packed one behind the other and smoothed at several scales inside each cell's mask."""

from dataclasses import dataclass

import numpy as np

from features._cells import Cells
from features._channels import Channel
from features._device import Device

SCALES = ((0.02, 1), (0.05, 2), (0.12, 3))  # reach of the means in nucleus diameters, and at least so many px
PARTS = {"Cells": (False, True, True), "Nuclei": (False, False, True), "Cytoplasm": (False, True, False)}


@dataclass(frozen=True)
class Crops:
    """Packed crops: cell i owns starts[i]:starts[i + 1], the rows of its box one after the other.

    Attributes
    ----------
    starts : ndarray of int64, shape (n_cells + 1,)
    parts : ndarray of uint8, shape (starts[-1],)
        0 outside the cell, 1 in the cytoplasm, 2 in the nucleus.
    reach : ndarray of int64, shape (n_fields, n_scales)
        Half width of the means in px.
    smooth : dict of Channel to ndarray of float32, shape (n_scales, starts[-1])
        Means around each pixel over the cell's own pixels at `SCALES`; 0 outside the cell.
    """

    starts: np.ndarray
    parts: np.ndarray
    reach: np.ndarray
    smooth: dict[Channel, np.ndarray]


def make_crops(cells: Cells, channels: tuple[Channel, ...], device: Device) -> Crops:
    """Cut out and smooth the cells in some channels."""
    xp, kernels = device.xp, device.kernels.spots
    starts, parts = kernels.pack_parts(cells.cell_labels, cells.nucleus_labels, cells.field, cells.boxes)
    unit = xp.where(xp.isfinite(cells.nucleus_diameter), cells.nucleus_diameter, 0)
    reach = xp.stack([xp.maximum(xp.rint(share * unit), least) for share, least in SCALES], axis=1).astype(np.int64)
    planes = cells.pixels[:, [channel.index for channel in channels]]
    smooth = kernels.local_means(planes, parts, starts, cells.field, cells.boxes, reach)
    return Crops(starts, parts, reach, dict(zip(channels, smooth)))


@dataclass(frozen=True)
class Points:
    """Pixels of packed crops, in ascending order, and where they lie.

    Attributes
    ----------
    owner : ndarray of int64, shape (n_points,)
        The cell of each.
    packed : ndarray of int64
        Position in the packed crops.
    flat : ndarray of int64
        Position in the planes of the batch (n_fields * H * W).
    y, x : ndarray of int64
        From the corner of the cell's box.
    """

    owner: np.ndarray
    packed: np.ndarray
    flat: np.ndarray
    y: np.ndarray
    x: np.ndarray


def locate(packed: np.ndarray, crops: Crops, cells: Cells, device: Device) -> Points:
    """Find the cells and places of packed positions."""
    xp = device.xp
    _, height, width = cells.cell_labels.shape
    owner = xp.searchsorted(crops.starts, packed, side="right") - 1
    box = cells.boxes[owner].astype(np.int64)
    y, x = xp.divmod(packed - crops.starts[owner], box[:, 3] - box[:, 1])
    flat = (cells.field[owner] * height + box[:, 0] + y) * width + box[:, 1] + x
    return Points(owner, packed, flat, y, x)


def nucleus_distance(cells: Cells, flat: np.ndarray, device: Device) -> np.ndarray:
    """Distance in px to the border of the cell's nucleus, negative inside it; NaN in cells without nucleus."""
    outside, inside = cells.distance_to_nucleus.ravel()[flat], cells.distance_inside_nucleus.ravel()[flat]
    return device.xp.where(outside + inside > 0, outside - inside, np.nan)
