"""Local binary patterns: how often a pixel is a dark spot, an edge, a line end, a plateau or nothing simple.

Each pixel is compared with 8 points on a circle around it; what counts is how many are brighter and whether they lie in
one piece, so that neither rotation nor exposure matters.
"""

import numpy as np

from features._cells import Cells
from features._channels import ER, MICROTUBULES, NUCLEUS, PROTEIN
from features._device import Device
from features._table import Column

MEASURED = (
    (MICROTUBULES, ("Cells",)),
    (PROTEIN, ("Cells", "Nuclei")),
    (NUCLEUS, ("Cells",)),
    (ER, ("Cells",)),
)
RADII = (1, 2)
BINS = range(10)


def columns() -> tuple[Column, ...]:
    """The family's columns: `Uniform_<channel>_<radius>_<ones>`; bin 9 holds the patterns in several pieces."""
    return tuple(
        Column(compartment, "BinaryPattern", "Uniform", (channel,), (radius, k))
        for channel, compartments in MEASURED
        for radius in RADII
        for compartment in compartments
        for k in BINS
    )


def measure(cells: Cells, device: Device) -> np.ndarray:
    """Share of the pixels of each cell with each rotation-invariant uniform pattern, at two radii.

    Only pixels whose whole neighbourhood (a square of 3 or 5 px) lies in the region count. Points between pixels are
    interpolated, as in scikit-image's method "uniform".

    Parameters
    ----------
    cells : Cells
    device : Device

    Returns
    -------
    ndarray of float32, shape (n_cells, n_columns)
        NaN where no pixel counts.

    References
    ----------
    Ojala et al. 2002, IEEE TPAMI 24(7):971.
    """
    kernels, bins = device.kernels.binary_pattern, device.kernels.binary_pattern.uniform_bins()
    exact = np.float32 if cells.pixels.dtype == np.uint8 else np.float64  # holds a level times the weights' scale
    planes = device.xp.empty(cells.cell_labels.shape, exact)
    codes = device.xp.empty(cells.cell_labels.shape, np.uint8)
    runs = {(name, r): kernels.inner_runs(cells.labels(name), r) for name in ("Cells", "Nuclei") for r in RADII}
    circles = {radius: kernels.diagonal_weights(radius) for radius in RADII}
    weights = {r: device.xp.array([*circle[1:], kernels.SCALE], exact) for r, circle in circles.items()}
    counts = []
    for channel, compartments in MEASURED:
        planes[:] = cells.pixels[:, channel.index]
        for radius in RADII:
            # a nucleus lies in its cell, so that what counts in it has been coded with the cell
            kernels.codes(planes, runs["Cells", radius], radius, circles[radius][0], weights[radius], codes)
            counts.extend(kernels.histograms(codes, runs[name, radius], cells.n, bins) for name in compartments)
    return _shares(device.xp.stack(counts, axis=1), device).reshape(cells.n, len(columns()))


def _shares(counts: np.ndarray, device: Device) -> np.ndarray:
    """Counts divided by their sum over the last axis, float32; NaN where the sum is 0."""
    total = counts.sum(axis=-1, keepdims=True)
    share = counts / device.xp.maximum(total, 1)
    return device.xp.where(total > 0, share, device.xp.nan).astype(np.float32)
