"""Haralick's texture features of each stain: how fine, coarse or regular its pattern is.

Each channel is brought to 32 levels between the cell's darkest and brightest pixel, so that exposure does not matter,
with a gamma that gives dark cells more of the levels. The protein is measured in the nucleus and the cytoplasm too, on
the levels of the whole cell: a compartment without protein shows little texture, not amplified noise. By default only
the protein is measured: the other stains' columns did not help to localise it (docs/benchmarks.md).
"""

from types import ModuleType

import numpy as np

from features.core.arithmetic import ratio
from features.core.cells import Cells
from store.channels import CHANNELS, COMPARTMENTS, PROTEIN, Channel
from store.columns import Column

DEFAULT_STAINS = (PROTEIN,)
N_LEVELS = 32
GAMMA = 0.6
_FEATURES = (
    "AngularSecondMoment",
    "Contrast",
    "Correlation",
    "Variance",
    "InverseDifferenceMoment",
    "SumAverage",
    "SumVariance",
    "SumEntropy",
    "Entropy",
    "DifferenceVariance",
    "DifferenceEntropy",
    "InfoMeas1",
    "InfoMeas2",
)


def _distances(channel: Channel) -> tuple[int, ...]:
    return (1, 2, 4, 8) if channel == PROTEIN else (1, 2, 4)


def _compartments(channel: Channel) -> tuple[str, ...]:
    return COMPARTMENTS if channel == PROTEIN else COMPARTMENTS[:1]


def columns(stains: tuple[Channel, ...] = CHANNELS) -> tuple[Column, ...]:
    """The family's columns: feature, channel, distance in px, mean or range over four directions, levels."""
    return tuple(
        Column(compartment, "Texture", feature, (channel,), (distance, pooled, N_LEVELS))
        for channel in stains
        for compartment in _compartments(channel)
        for distance in _distances(channel)
        for pooled in ("mean", "range")
        for feature in _FEATURES
    )


def level_cuts(
    darkest: np.ndarray, brightest: np.ndarray, n_levels: int = N_LEVELS, gamma: float = GAMMA, xp: ModuleType = np
) -> np.ndarray:
    """Where grey values pass from one level to the next: level 1 + the number of cuts below the value.

    Level = 1 + floor(n_levels * ((value - darkest) / (brightest - darkest)) ** gamma), the brightest in the last
    level, stated in whole grey values so that no power is taken per pixel and every device agrees.

    Parameters
    ----------
    darkest, brightest : ndarray of int, shape (n,)
        The cell's range. Equal for a flat cell, whose pixels are all of level 1.
    n_levels : int
    gamma : float
        Below 1, dark values get more of the levels.
    xp : module
        Array namespace.

    Returns
    -------
    ndarray of int64, shape (n, n_levels - 1)
        Cut k is the largest grey value of level k or below.
    """
    share = xp.asarray((np.arange(1, n_levels) / n_levels) ** (1 / gamma))  # CUDA rounds powers otherwise
    first_above = xp.ceil(darkest[:, None] + (brightest - darkest)[:, None] * share)
    flat = (brightest == darkest)[:, None]
    return xp.where(flat, brightest[:, None], first_above - 1).astype(xp.int64)


def measure(cells: Cells, stains: tuple[Channel, ...] = CHANNELS) -> np.ndarray:
    """Measure the family.

    Parameters
    ----------
    cells : Cells
    stains : tuple of Channel

    Returns
    -------
    ndarray of float32, shape (n_cells, n_columns)
        NaN where a compartment has no pair of pixels at a distance.
    """
    parts = [_measure_channel(cells, channel) for channel in stains]
    return cells.device.xp.concatenate(parts, axis=1).astype(cells.device.xp.float32)


def _measure_channel(cells: Cells, channel: Channel) -> np.ndarray:
    """float64, (n_cells, n_columns of the channel)."""
    xp, kernels = cells.device.xp, cells.device.kernels.texture
    plane = xp.ascontiguousarray(cells.pixels[:, channel.index])
    in_cells = cells.values("Cells", channel), cells.regions["Cells"].offsets
    darkest, brightest = cells.device.kernels.pixels.value_ranges(*in_cells)
    values = kernels.haralick(
        plane,
        cells.cell_labels,
        cells.nucleus_labels,
        cells.field,
        cells.boxes,
        level_cuts(darkest, brightest, xp=xp),
        xp.array(_distances(channel)),
        len(_compartments(channel)),
    )
    pooled = pool_directions(values, xp)
    return pooled.reshape(cells.n, len(_compartments(channel)) * len(_distances(channel)) * 2 * len(_FEATURES))


def pool_directions(values: np.ndarray, xp: ModuleType = np) -> np.ndarray:
    """Mean and range over the directions that have pairs.

    Parameters
    ----------
    values : ndarray of float64, shape (..., 4, 13)
        NaN for a direction without pairs.
    xp : module
        Array namespace.

    Returns
    -------
    ndarray of float64, shape (..., 2, 13)
        NaN if no direction has pairs.
    """
    values = xp.ascontiguousarray(xp.moveaxis(values, -2, 0))  # sums over a first axis are long loops
    known = ~xp.isnan(values)
    n_known = known.sum(axis=0)
    mean = ratio(xp.where(known, values, 0).sum(axis=0), n_known, xp)
    span = xp.where(known, values, -xp.inf).max(axis=0) - xp.where(known, values, xp.inf).min(axis=0)
    return xp.stack([mean, xp.where(n_known > 0, span, xp.nan)], axis=-2)
