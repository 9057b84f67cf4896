"""How large each stain's grains are: the share of the cell's signal that openings of growing size remove.

An opening of radius r removes what is brighter than its surroundings and narrower than 2 r + 1 px. The spectrum is the
share of the signal lost from one radius to the next (Matheron's granulometry; Maragos 1989). Openings stay
within the cell, so that neither its border nor other cells count as pattern. CellProfiler erodes and reconstructs
instead, on a quarter of the resolution after subtraction of a background. By default only the protein is measured: the
other stains' columns did not help to localise it (docs/benchmarks.md).
"""

import numpy as np

from features.core.arithmetic import ratio
from features.core.cells import Cells
from store.channels import CHANNELS, PROTEIN, Channel
from store.columns import Column

DEFAULT_STAINS = (PROTEIN,)
RADII = (1, 2, 3, 4, 5, 6, 7, 8, 12)
_MEASURED = (("Cells", CHANNELS), ("Nuclei", (PROTEIN,)))


def columns(stains: tuple[Channel, ...] = CHANNELS) -> tuple[Column, ...]:
    """The family's columns.

    OpeningShare_r: the share of the signal lost at radius r beyond the radius before. The finest, of radius 1 px, is
    noise and sharpness of the camera as much as pattern, hence a covariate. MeanRadius: of the lost signal.
    """
    return tuple(
        column
        for compartment, channels in _MEASURED
        for channel in channels
        if channel in stains
        for column in (
            *(Column(compartment, "Granularity", "OpeningShare", (channel,), (r,), covariate=r == 1) for r in RADII),
            Column(compartment, "Granularity", "MeanRadius", (channel,)),
        )
    )


def measure(cells: Cells, stains: tuple[Channel, ...] = CHANNELS) -> np.ndarray:
    """Measure the family.

    Parameters
    ----------
    cells : Cells
    stains : tuple of Channel

    Returns
    -------
    ndarray of float32, shape (n_cells, n_columns)
        NaN for a black or absent compartment; MeanRadius is NaN where nothing is lost.
    """
    pixels = cells.device.xp.ascontiguousarray(cells.pixels)
    parts = []
    for compartment, channels in _MEASURED:
        if chosen := tuple(channel for channel in channels if channel in stains):
            parts.append(_spectra(cells, pixels, compartment, chosen))
    return cells.device.xp.concatenate(parts, axis=1).astype(np.float32)


def _spectra(cells: Cells, pixels: np.ndarray, compartment: str, channels: tuple[Channel, ...]) -> np.ndarray:
    """Share lost at each radius and their mean radius, float64, (n_cells, n_channels * (n_radii + 1))."""
    xp = cells.device.xp
    labels, measured = cells.labels(compartment), np.array([channel.index for channel in channels])
    given = (pixels, measured, labels, cells.field, cells.places(compartment)[1], np.array(RADII))
    sums = cells.device.kernels.granularity.opened_sums(*given)
    lost = -xp.diff(sums, axis=-1)
    total, removed = sums[..., :1], lost.sum(axis=-1, keepdims=True)
    mean_radius = ratio((lost * xp.array(RADII)).sum(axis=-1, keepdims=True), removed, xp)
    return xp.concatenate([ratio(lost, total, xp), mean_radius], axis=-1).reshape(
        cells.n, len(channels) * (len(RADII) + 1)
    )
