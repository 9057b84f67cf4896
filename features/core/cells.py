"""A batch of fields with their cells: labels, compartments, pixel lists, distance maps; each made once and shared."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from features.core.arithmetic import ratio
from features.core.device import Device
from store.channels import CHANNELS, Channel


@dataclass(frozen=True)
class Region:
    """The pixels of one compartment, grouped by cell.

    Attributes
    ----------
    offsets : ndarray of int64, shape (n_cells + 1,)
        Cell i owns positions[offsets[i]:offsets[i + 1]], in row-major order.
    positions : ndarray of int64
        Flat positions in one plane stack (n_fields * H * W).
    """

    offsets: np.ndarray
    positions: np.ndarray

    @cached_property
    def counts(self) -> np.ndarray:
        """Pixels of each cell, int64, shape (n_cells,)."""
        return self.offsets[1:] - self.offsets[:-1]


@dataclass(frozen=True)
class Cells:
    """A batch of fields and the cells in them. Made by `make_cells`.

    Attributes
    ----------
    pixels : ndarray of uint8 or uint16, shape (n_fields, 4, H, W)
        Planes in the order of `store.channels.CHANNELS`.
    cell_labels : ndarray of int32, shape (n_fields, H, W)
        0 is background; ids run 1..n over the whole batch, sorted by field.
    nucleus_labels : ndarray of int32, shape (n_fields, H, W)
        A nucleus carries the id of its cell, and lies inside it.
    field : ndarray of int32, shape (n,)
        The field (index in the batch) of each cell.
    boxes : ndarray of int32, shape (n, 4)
        top, left, bottom, right of each cell; bottom and right are exclusive.
    device : Device
        Where all of these arrays are.
    """

    pixels: np.ndarray
    cell_labels: np.ndarray
    nucleus_labels: np.ndarray
    field: np.ndarray
    boxes: np.ndarray
    device: Device

    @property
    def n(self) -> int:
        """Number of cells in the batch."""
        return len(self.field)

    @property
    def cytoplasm_labels(self) -> np.ndarray:
        """Label image of the cells without their nuclei, int32, shape (n_fields, H, W). Made anew each time."""
        return self.cell_labels - self.nucleus_labels  # a nucleus has the id of its cell

    def labels(self, compartment: str) -> np.ndarray:
        """Label image of a compartment ("Cells", "Nuclei", "Cytoplasm"), int32, shape (n_fields, H, W)."""
        images = {"Cells": "cell_labels", "Nuclei": "nucleus_labels", "Cytoplasm": "cytoplasm_labels"}
        return getattr(self, images[compartment])

    def places(self, compartment: str) -> tuple[np.ndarray, np.ndarray]:
        """Field and box of each cell's compartment, as `field` and `boxes`; field -1 where a cell has none of it."""
        return self._nuclear_places if compartment == "Nuclei" else (self.field, self.boxes)

    @cached_property
    def _nuclear_places(self) -> tuple[np.ndarray, np.ndarray]:
        return self.device.kernels.pixels.bounding_boxes(self.nucleus_labels, self.n)

    @cached_property
    def regions(self) -> dict[str, Region]:
        """The pixel list of each compartment."""
        group = self.device.kernels.pixels.group_compartments
        found = group(self.cell_labels, self.nucleus_labels, self.field, self.boxes)
        return {name: Region(*pixels) for name, pixels in zip(("Cells", "Nuclei", "Cytoplasm"), found, strict=True)}

    @cached_property
    def crop_starts(self) -> np.ndarray:
        """Where each cell's crop begins when the pixels of all boxes lie one after the other, int64, (n + 1,)."""
        areas = (self.boxes[:, 2] - self.boxes[:, 0]) * (self.boxes[:, 3] - self.boxes[:, 1])
        starts = self.device.xp.zeros(self.n + 1, np.int64)
        self.device.xp.cumsum(areas, dtype=np.int64, out=starts[1:])
        return starts

    @cached_property
    def n_crop_pixels(self) -> int:
        """Pixels of all boxes together: the length of a packed array of crops."""
        return int(self.crop_starts[-1])

    def plane(self, channel: Channel) -> np.ndarray:
        """The channel's pixels over the batch, flat: `plane(c)[region.positions]` are the values of a region."""
        return self.device.xp.ascontiguousarray(self.pixels[:, channel.index]).ravel()

    def planes(self, channels: Iterable[Channel]) -> np.ndarray:
        """The pixels of some channels, (n_fields, n_channels, H, W), in one piece; copied only where needed."""
        index = [channel.index for channel in channels]
        stretch = range(index[0], index[-1] + 1) if index else range(0)
        neighbours = slice(stretch.start, stretch.stop) if index == [*stretch] else index
        return self.device.xp.ascontiguousarray(self.pixels[:, neighbours])

    def values(self, compartment: str, channel: Channel) -> np.ndarray:
        """The channel's values at a compartment's pixels, grouped by cell like `regions[compartment].positions`."""
        return self.values_by_compartment[compartment][channel.index]

    @cached_property
    def values_by_compartment(self) -> dict[str, np.ndarray]:
        """What `values` gives, all channels of a compartment together, each (4, n_values)."""
        channel_values = self.device.kernels.pixels.channel_values
        return {
            compartment: channel_values(self.pixels, self.field, region.offsets, region.positions)
            for compartment, region in self.regions.items()
        }

    def mean_level(self, compartment: str, channel: Channel) -> np.ndarray:
        """Mean of a channel over each cell's compartment, float64, (n,); NaN where a cell has none."""
        region = self.regions[compartment]
        sums = self.device.kernels.neighbours.segment_sums(self.values(compartment, channel), region.offsets)
        return ratio(sums, region.counts, self.device.xp)

    @cached_property
    def nucleus_diameter(self) -> np.ndarray:
        """Median equivalent diameter of the nuclei of each field in pixels, float64, (n_fields,); NaN without nuclei.

        Features give lengths in units of it, so that they do not depend on resolution and camera.
        """
        counts, field = self.device.get(self.regions["Nuclei"].counts), self.device.get(self.field)
        diameters = np.sqrt(4 / np.pi * counts)
        known = [diameters[(field == f) & (diameters > 0)] for f in range(len(self.pixels))]
        return self.device.put(np.array([np.median(d) if d.size else np.nan for d in known]))

    @cached_property
    def nucleus_centres(self) -> np.ndarray:
        """Centroid (y, x) in px of each cell's nucleus in its field, float64, (n, 2); NaN without nucleus."""
        return self.centroids("Nuclei")

    @cached_property
    def centres(self) -> np.ndarray:
        """Centroid (y, x) in px from the corner of its box of each cell's nucleus, or of the cell without; (n, 2)."""
        centres = self.device.kernels.neighbours.centres
        return centres(self.cell_labels, self.nucleus_labels, self.field, self.boxes)

    def centroids(self, compartment: str) -> np.ndarray:
        """Centroid (y, x) in px of each cell's compartment in its field, float64, (n, 2); NaN where it has none."""
        region = self.regions[compartment]
        return self.device.kernels.pixels.centroids(region.offsets, region.positions, *self.cell_labels.shape[1:])

    @cached_property
    def distance_to_cell_border(self) -> np.ndarray:
        """Euclidean distance in px of each pixel to the nearest pixel outside its own cell, float32, (n_fields, H, W).

        The outermost pixels of a cell have 1; background has 0. The image border counts as border.
        """
        return self.device.kernels.distance.to_border(self.cell_labels)

    @cached_property
    def distance_inside_nucleus(self) -> np.ndarray:
        """Distance in px of each nuclear pixel to the nearest pixel outside its nucleus (1 at the rim), else 0."""
        return self.device.kernels.distance.to_border(self.nucleus_labels)

    @cached_property
    def distance_to_nucleus(self) -> np.ndarray:
        """Distance in px of each cytoplasmic pixel to its cell's nucleus (1 beside it), else 0; 0 without nucleus."""
        reach = self.device.xp.full(self.n, np.inf, np.float32)
        return self.device.kernels.distance.to_sources(
            self.nucleus_labels, self.cell_labels, self.field, self.boxes, reach
        )


def make_cells(pixels: np.ndarray, cell_labels: np.ndarray, nucleus_labels: np.ndarray, device: Device) -> Cells:
    """Check a batch and find where its cells are.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (n_fields, 4, H, W)
        On the host, as are the labels.
    cell_labels, nucleus_labels : ndarray of int, shape (n_fields, H, W)
        Ids 1..n over the whole batch, no gaps, no id in two fields; each nucleus lies inside the cell of its id.
    device : Device

    Raises
    ------
    ValueError
        If shapes, types or ids do not fit.
    """
    pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
    if pixels.ndim != 4 or pixels.shape[1] != len(CHANNELS) or pixels.dtype not in (np.uint8, np.uint16):
        raise ValueError(f"pixels must be uint8 or uint16 (n_fields, 4, H, W), not {pixels.dtype} {pixels.shape}")
    expected = (pixels.shape[0], *pixels.shape[2:])
    if cell_labels.shape != expected or nucleus_labels.shape != expected:
        raise ValueError(f"labels must be {expected}, not {cell_labels.shape} and {nucleus_labels.shape}")
    cell_labels = np.ascontiguousarray(cell_labels, np.int32)
    nucleus_labels = np.ascontiguousarray(nucleus_labels, np.int32)
    if ((nucleus_labels > 0) & (nucleus_labels != cell_labels)).any():
        raise ValueError("a nucleus lies outside the cell of its id")
    n = int(cell_labels.max(initial=0))
    put = device.put
    cells = cells_on_device(put(pixels), put(cell_labels), put(nucleus_labels), n, device)
    missing = device.get(cells.field) < 0
    if missing.any():
        raise ValueError(f"cell id {int(np.argmax(missing)) + 1} of 1..{n} has no pixel")
    return cells


def cells_on_device(
    pixels: np.ndarray, cell_labels: np.ndarray, nucleus_labels: np.ndarray, n: int, device: Device
) -> Cells:
    """The n cells of a batch whose arrays are on the device already; unlike `make_cells` it checks nothing."""
    field, boxes = device.kernels.pixels.bounding_boxes(cell_labels, n)
    return Cells(pixels, cell_labels, nucleus_labels, field, boxes, device)
