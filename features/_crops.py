"""Crops of all cells of a batch, packed one behind the other and smoothed at several scales inside each cell's mask."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from features._cells import Cells
from features._channels import Channel
from features._device import Device

SCALES = ((0.02, 1), (0.05, 2), (0.12, 3))  # reach of the means in nucleus diameters, and at least so many px
PARTS = {"Cells": 3, "Nuclei": 2, "Cytoplasm": 1}  # the sum of the numbers in `Crops.parts`


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
        Means around each pixel over the cell's own pixels at `SCALES`; 0 outside the cell. Undefined at scales finer
        than the channel's finest.
    """

    starts: np.ndarray
    parts: np.ndarray
    reach: np.ndarray
    smooth: dict[Channel, np.ndarray]


def make_crops(cells: Cells, finest: dict[Channel, int], device: Device) -> Crops:
    """Cut out and smooth the cells in some channels, each from the finest of `SCALES` that is read."""
    xp, kernels = device.xp, device.kernels.spots
    starts, labels = cells.crop_starts, (cells.cell_labels, cells.nucleus_labels)
    parts = kernels.pack_parts(*labels, cells.field, cells.boxes, starts, cells.n_crop_pixels)
    unit = xp.where(xp.isfinite(cells.nucleus_diameter), cells.nucleus_diameter, 0)
    reach = xp.stack([xp.maximum(xp.rint(share * unit), least) for share, least in SCALES], axis=1).astype(np.int64)
    planes = cells.pixels[:, [channel.index for channel in finest]]
    first = xp.asarray(list(finest.values()))
    smooth = kernels.local_means(planes, parts, starts, cells.field, cells.boxes, reach, first)
    return Crops(starts, parts, reach, dict(zip(finest, smooth)))


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
    channel: Channel, band: int, prominence: float, crops: Crops, cells: Cells, device: Device
) -> tuple[Points, np.ndarray]:
    """Round maxima of a band, means of one scale minus those of the next; and its noise in cytoplasm and nucleus."""
    fine, coarse = crops.smooth[channel][band : band + 2]
    reach = crops.reach[cells.field, band + 1]
    given = (fine, coarse, crops.parts, crops.starts, cells.boxes, reach)
    found, offsets, noise = device.kernels.spots.peaks(*given, prominence)
    owner, packed, y, x = device.xp.ascontiguousarray(found.T)
    _, height, width = cells.cell_labels.shape
    corner = (cells.field.astype(np.int64) * height + cells.boxes[:, 0]) * width + cells.boxes[:, 1]
    flat = corner[owner] + y * width + x
    outside, inside = cells.distance_to_nucleus.ravel()[flat], cells.distance_inside_nucleus.ravel()[flat]
    away = device.xp.where(outside + inside > 0, outside - inside, np.nan)
    return Points(owner, offsets, packed, flat, y, x, fine[packed] - coarse[packed], away), noise


def values_at(which: np.ndarray, values: Sequence[np.ndarray], device: Device) -> np.ndarray:
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
    table = device.xp.full((len(values), len(values[0]) + 1), np.nan)
    table[:, :-1] = device.xp.stack(values)
    return table[:, which]
