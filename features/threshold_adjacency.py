"""Threshold adjacency statistics: are bright pixels scattered as specks, drawn as threads or packed in areas?

The pixels of a grey-level band are sorted by how many of their 8 neighbours lie in the band too: specks have few,
threads about two, areas eight. The bands follow the cell's own levels, so that exposure does not matter. Only the
protein is measured: the 324 columns of the other stains did not help to localise it (docs/benchmarks.md).
"""

import math

import numpy as np

from features.core.arithmetic import shares
from features.core.cells import Cells
from store.channels import PROTEIN
from store.columns import Column

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


def measure(cells: Cells) -> np.ndarray:
    """Share of a band's pixels with 0..8 neighbours in the band, for each band and its complement.

    Only pixels of the region count: one outside it, or outside the image, is neither in nor out of a band.

    Parameters
    ----------
    cells : Cells

    Returns
    -------
    ndarray of float32, shape (n_cells, n_columns)
        NaN where a band has no pixel. The Otsu bands of a flat region are empty.

    References
    ----------
    Hamilton et al. 2007, BMC Bioinformatics 8:110; bands without parameters: Coelho et al. 2010 (mahotas' pftas). Where
    mahotas counts the pixels outside a band by their neighbours in it, these are pixels in the band, as in the paper.
    """
    kernels, pixels = cells.device.kernels.threshold_adjacency, cells.device.xp.ascontiguousarray(cells.pixels)
    parts = []
    for compartment, channel in MEASURED:
        band = kernels.bands(cells.values(compartment, channel), cells.regions[compartment].offsets)
        places = (cells.labels(compartment), *cells.places(compartment))
        counts = kernels.adjacency(pixels, channel.index, *places, band)
        parts.append(shares(counts, cells.device.xp))
    values = cells.device.xp.stack(parts, axis=1)
    return values.reshape(cells.n, math.prod(values.shape[1:]))
