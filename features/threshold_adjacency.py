"""Threshold adjacency statistics: is what is bright in a cell scattered as specks, drawn as threads or packed in areas?

The pixels of a grey-level band are sorted by how many of their 8 neighbours lie in the band too: specks have few,
threads about two, areas eight. The bands follow the cell's own levels, so that exposure does not matter. Only the
protein is measured: the 324 columns of the other stains told nothing of where it sits (docs/benchmarks.md).
"""

import numpy as np

from features._cells import Cells
from features._channels import PROTEIN
from features._device import Device
from features._table import Column

MEASURED = (("Cells", PROTEIN), ("Nuclei", PROTEIN))
LEVELS = ("bright", "all")  # mean and sd of the pixels above the Otsu threshold (pftas), or of all pixels
BANDS = ("AroundMean", "AboveLow", "AboveMean")  # |v - mean| < sd, v > mean - sd, v > mean
NEIGHBOURS = range(9)


def columns() -> tuple[Column, ...]:
    """The family's columns: `Not…` counts the pixels out of the band by their neighbours out of it."""
    return tuple(
        Column(compartment, "ThresholdAdjacency", sign + band, (channel,), (level, k))
        for compartment, channel in MEASURED
        for sign in ("", "Not")
        for level in LEVELS
        for band in BANDS
        for k in NEIGHBOURS
    )


def measure(cells: Cells, device: Device) -> np.ndarray:
    """Share of a band's pixels with 0..8 neighbours in the band, for each band and its complement.

    Only pixels of the region count: one outside it, or outside the image, is neither in nor out of a band.

    Parameters
    ----------
    cells : Cells
    device : Device

    Returns
    -------
    ndarray of float32, shape (n_cells, n_columns)
        NaN where a band has no pixel. The Otsu bands of a flat region are empty.

    References
    ----------
    Hamilton et al. 2007, BMC Bioinformatics 8:110; bands without parameters: Coelho et al. 2010 (mahotas' pftas). Where
    mahotas counts the pixels outside a band by their neighbours in it, these are pixels in the band, as in the paper.
    """
    kernels, pixels = device.kernels.threshold_adjacency, device.xp.ascontiguousarray(cells.pixels)
    places = {"Cells": (cells.field, cells.boxes)}
    places["Nuclei"] = device.kernels.pixels.bounding_boxes(cells.nucleus_labels, cells.n)
    shares = []
    for compartment, channel in MEASURED:
        band = kernels.bands(cells.values(compartment, channel), cells.regions[compartment].offsets)
        field, boxes = places[compartment]
        counts = kernels.adjacency(pixels, channel.index, cells.labels(compartment), field, boxes, band)
        shares.append(_shares(counts, device))
    return device.xp.stack(shares, axis=1).reshape(cells.n, len(columns()))


def _shares(counts: np.ndarray, device: Device) -> np.ndarray:
    """Counts divided by their sum over the last axis, float32; NaN where the sum is 0."""
    total = counts.sum(axis=-1, keepdims=True)
    share = counts / device.xp.maximum(total, 1)
    return device.xp.where(total > 0, share, device.xp.nan).astype(np.float32)
