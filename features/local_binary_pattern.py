"""Local binary patterns: how often a pixel is a dark spot, an edge, a line end, a plateau or nothing simple.

Each pixel is compared with 8 points on a circle around it. Its pattern is the number of points at least as bright, if
they lie in one piece; so neither rotation nor exposure matters. By default only the protein is measured: the other
stains' columns did not help to localise it (docs/benchmarks.md).
"""

import math

import numpy as np

from features.core.arithmetic import shares
from features.core.cells import Cells
from store.channels import CHANNELS, ER, MICROTUBULES, NUCLEUS, PROTEIN, Channel
from store.columns import Column

SORTED_AS = "binary_pattern"

MEASURED = (
    (MICROTUBULES, ("Cells",)),
    (PROTEIN, ("Cells", "Nuclei")),
    (NUCLEUS, ("Cells",)),
    (ER, ("Cells",)),
)
DEFAULT_STAINS = (PROTEIN,)
RADII = (1, 2)
BINS = range(10)
SCALE = 16384  # weights of the interpolated neighbours are in 1 / SCALE; a 16-bit level times it fits 32 bits


def columns(stains: tuple[Channel, ...] = CHANNELS) -> tuple[Column, ...]:
    """The family's columns: `Uniform_<channel>_<radius>_<ones>`; bin 9 holds the patterns in several pieces."""
    return tuple(
        Column(compartment, "BinaryPattern", "Uniform", (channel,), (radius, k))
        for channel, compartments in MEASURED
        if channel in stains
        for radius in RADII
        for compartment in compartments
        for k in BINS
    )


def measure(cells: Cells, stains: tuple[Channel, ...] = CHANNELS) -> np.ndarray:
    """Share of the pixels of each cell with each rotation-invariant uniform pattern, at two radii.

    Only pixels whose whole neighbourhood (a square of 3 or 5 px) lies in the region count. Points between pixels are
    interpolated, as in scikit-image's method "uniform".

    Parameters
    ----------
    cells : Cells
    stains : tuple of Channel

    Returns
    -------
    ndarray of float32, shape (n_cells, n_columns)
        NaN where no pixel counts.

    References
    ----------
    Ojala et al. 2002, IEEE TPAMI 24(7):971.
    """
    measured = np.array([
        (channel.index, circle, compartment == "Nuclei")
        for channel, compartments in MEASURED
        if channel in stains
        for circle in range(len(RADII))
        for compartment in compartments
    ], np.int64)  # fmt: skip
    circles = np.array([(radius, *diagonal_weights(radius)) for radius in RADII], np.int64)
    xp = cells.device.xp
    given = (xp.ascontiguousarray(cells.pixels), measured, circles, cells.cell_labels, cells.nucleus_labels, cells.n)
    counts = cells.device.kernels.local_binary_pattern.pattern_counts(*given)
    values = shares(counts, xp)
    return values.reshape(cells.n, math.prod(values.shape[1:]))


def diagonal_weights(radius: int) -> tuple[int, int, int, int]:
    """Where the circle's diagonal points lie between pixels.

    Parameters
    ----------
    radius : int
        Radius of the circle in px, 1 or more.

    Returns
    -------
    step : int
        The point lies between `step` and `step + 1` px away in each direction.
    near, edge, far : int
        Bilinear weights in 1 / SCALE of the pixels (step, step), (step, step + 1) and (step + 1, step + 1).
    """
    step = int(radius / np.sqrt(2))
    fraction = radius / np.sqrt(2) - step
    far, edge = round(fraction**2 * SCALE), round(fraction * (1 - fraction) * SCALE)
    return step, SCALE - far - 2 * edge, edge, far
