"""Radial distribution of each channel around the nucleus' centre: rings that scale with the cell, bands of fixed width.

Rings follow the relative position r = a / (a + b) of a pixel, in four equal steps, where a is the distance from
the inner landmark and b that to the outer border:

- Cells: from the nucleus' centre to the cell border,
- Nuclei: from the nucleus' centre to the nuclear border,
- Cytoplasm: from the nuclear border to the cell border.

Bands follow the distance to the nuclear border, inside and outside, in units of the field's median nucleus diameter.
For every ring and band and channel: FracAtD, the share of the channel's mass that lies in it; MeanFrac, its mean level
over that of the compartment (the cell, for bands); RadialCV, the coefficient of variation of the mean level over eight
wedges about the nucleus' centre. Shift is the distance of a channel's centre of mass from the nucleus' centre in
nucleus diameters. A cell without nucleus has NaN throughout; a ring without pixels has a share of 0, and NaN for the
rest.

The names and formulas are CellProfiler's (MeasureObjectIntensityDistribution). On purpose different: the centre is the
nucleus', not the point furthest from the cell border; distances from it are straight, not along the inside of the cell;
RadialCV of an empty ring is NaN, not 0.
"""

import math
from types import ModuleType

import numpy as np

from features.core.arithmetic import ratio
from features.core.cells import Cells
from store.channels import CHANNELS, COMPARTMENTS
from store.columns import Column

_FAMILY = "RadialDistribution"
_MEASURES = ("FracAtD", "MeanFrac", "RadialCV")
RINGS = 4
_BANDS = ("deeper0.2", "in0.2", "in0.1", "out0.1", "out0.2", "out0.4", "out0.8", "beyond0.8")


def columns() -> tuple[Column, ...]:
    """The family's columns: rings and bands by channel and measure, then the shifts."""
    rings = [(compartment, f"{k + 1}of{RINGS}") for compartment in COMPARTMENTS for k in range(RINGS)]
    zones = rings + [("Cells", band) for band in _BANDS]
    return tuple(
        Column(compartment, _FAMILY, measure, (channel,), (zone,))
        for compartment, zone in zones
        for channel in CHANNELS
        for measure in _MEASURES
    ) + tuple(Column(compartment, _FAMILY, "Shift", (channel,)) for compartment in COMPARTMENTS for channel in CHANNELS)


def measure(cells: Cells) -> np.ndarray:
    """Measure the family.

    Returns
    -------
    ndarray of float32, shape (n_cells, n_columns)
        NaN for cells without a nucleus.
    """
    region = cells.regions["Cells"]
    unit = cells.nucleus_diameter[cells.field]
    sums, moments, nuclei = cells.device.kernels.radial.ring_sums(
        cells.values_by_compartment["Cells"],
        cells.boxes,
        region.offsets,
        region.positions,
        cells.cell_labels.shape[2],
        cells.distance_to_cell_border.ravel(),
        cells.distance_inside_nucleus.ravel(),
        cells.distance_to_nucleus.ravel(),
        unit,
    )
    return _features(sums, moments, nuclei, unit, cells.device.xp)


def _features(
    sums: np.ndarray, moments: np.ndarray, nuclei: np.ndarray, unit: np.ndarray, xp: ModuleType
) -> np.ndarray:
    """The columns from the kernel's sums."""
    n = len(sums)
    sums = xp.ascontiguousarray(xp.transpose(sums, (2, 3, 0, 1)), xp.float64)  # cells and zones last: long loops
    in_ring = sums.sum(axis=0)
    totals = in_ring[..., : 3 * RINGS].reshape(5, n, 3, RINGS).sum(axis=3)
    totals = xp.concatenate([xp.repeat(totals, RINGS, axis=2), xp.repeat(totals[..., :1], len(_BANDS), axis=2)], axis=2)
    share = ratio(in_ring[:4], totals[:4], xp)
    level = ratio(share, ratio(in_ring[4], totals[4], xp), xp)
    zones = xp.moveaxis(xp.stack([share, level, _variation(sums, xp)], axis=-1), 0, 2)
    shifts = _shifts(moments.astype(xp.float64), nuclei, unit, xp)
    flat = [values.reshape(n, math.prod(values.shape[1:])) for values in (zones, shifts)]
    return xp.concatenate(flat, axis=1).astype(xp.float32)


def _variation(sums: np.ndarray, xp: ModuleType) -> np.ndarray:
    """Coefficient of variation over the wedges that have pixels, of their mean levels; (4, n, n_zones).

    `sums` are (n_wedges, 5, n, n_zones): of the channels, and the pixels.
    """
    present = sums[:, 4:] > 0
    n_wedges = present.sum(axis=0)
    means = sums[:, :4] / xp.where(present, sums[:, 4:], 1)
    mean = ratio(means.sum(axis=0), n_wedges, xp)
    apart = means - mean
    squares = xp.where(present, apart * apart, 0).sum(axis=0)
    return ratio(xp.sqrt(ratio(squares, n_wedges, xp)), mean, xp)


def _shifts(moments: np.ndarray, nuclei: np.ndarray, unit: np.ndarray, xp: ModuleType) -> np.ndarray:
    """Distance of the channels' centres of mass from the nucleus' centre in nucleus diameters; (n, 3, 4)."""
    moments = xp.concatenate([moments.sum(axis=1, keepdims=True), moments], axis=1)
    centre = ratio(nuclei[:, 1:], nuclei[:, :1], xp)[:, None, None]
    offset = ratio(moments[..., 1:], moments[..., :1], xp) - centre
    return xp.hypot(offset[..., 0], offset[..., 1]) / unit[:, None, None]
