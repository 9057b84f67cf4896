"""Grey-value statistics of each stain in the cell, its nucleus, its cytoplasm, and along their edges.

Values are in units of the full scale (0 to 1), so that 8- and 16-bit files of one field agree. Absolute brightness
depends on exposure; the coefficient of variation, shares, ratios, Gini and relative quantiles do not.
"""

import math
from types import ModuleType

import numpy as np

from features.core.arithmetic import ratio
from features.core.cells import Cells
from store.channels import CHANNELS, COMPARTMENTS, Channel
from store.columns import Column

_PERCENTS = (1, 5, 10, 25, 50, 75, 90, 95, 99)
_MEDIAN, _NINETY_NINE = _PERCENTS.index(50), _PERCENTS.index(99)
_FEATURES = (
    "Mean",
    "Std",
    "Min",
    "Max",
    "MAD",
    "Skewness",
    "Kurtosis",
    "Entropy",
    "Gini",
    *(f"Quantile_{percent}" for percent in _PERCENTS),
    "Integrated",
    "CoefficientOfVariation",
    "MedianToMean",
    "Quantile99ToMean",
    "MaxToMean",
    "EdgeMean",
    "EdgeStd",
    "EdgeToMean",
)
_NUCLEAR = ("NuclearShare", "NucleusToCytoplasm")


def columns() -> tuple[Column, ...]:
    """The family's columns.

    Mean, Std, Min, Max, MAD (median absolute deviation) and Quantile_p are in units of the full scale. Integrated is
    the sum over the compartment, and grows with resolution. Entropy is in bits, over 256 bins of the full scale.
    Edge values are taken along the compartment's inner edge (for the cytoplasm: along the nucleus too). NuclearShare is
    the part of the cell's signal that lies in the nucleus; the cytoplasm has the rest.
    """
    described = (
        Column(compartment, "Intensity", *_split(feature, channel), covariate=feature == "Integrated")
        for compartment in COMPARTMENTS
        for channel in CHANNELS
        for feature in _FEATURES
    )
    nuclear = (Column("Nuclei", "Intensity", feature, (channel,)) for channel in CHANNELS for feature in _NUCLEAR)
    return (*described, *nuclear)


def _split(feature: str, channel: Channel) -> tuple[str, tuple[Channel], tuple[str, ...]]:
    name, *parameters = feature.split("_")
    return name, (channel,), tuple(parameters)


def measure(cells: Cells) -> np.ndarray:
    """Measure the family.

    Parameters
    ----------
    cells : Cells

    Returns
    -------
    ndarray of float32, shape (n_cells, n_columns)
        NaN where a compartment is empty, or a ratio's denominator is 0.
    """
    xp = cells.device.xp
    kernels = cells.device.kernels.intensity
    values = [(cells.regions[name].offsets, cells.values_by_compartment[name]) for name in ("Nuclei", "Cytoplasm")]
    raw = kernels.summaries(*values, xp.array(_PERCENTS, xp.float64))
    pixels = xp.ascontiguousarray(cells.pixels)
    edges = kernels.edge_sums(pixels, cells.cell_labels, cells.nucleus_labels, cells.n)
    full = float(np.iinfo(cells.pixels.dtype).max)
    with np.errstate(divide="ignore", invalid="ignore"):
        described = _described(raw, edges, full, xp)
        nuclear = _nuclear(raw, xp)
    parts = [x.reshape(cells.n, math.prod(x.shape[1:])) for x in (described, nuclear)]
    return xp.concatenate(parts, axis=1).astype(xp.float32)


def _described(raw: np.ndarray, edges: np.ndarray, full: float, xp: ModuleType) -> np.ndarray:
    """The values of `_FEATURES`, float64, (n, 3, 4, n_features)."""
    count, mean, std, least, most, deviation, skewness, kurtosis, entropy, gini = xp.moveaxis(raw[..., :10], -1, 0)
    quantiles = raw[..., 10:]
    n_edge, edge_sum, edge_squares = xp.moveaxis(edges.astype(xp.float64), -1, 0)
    edge_mean = edge_sum / n_edge
    edge_std = xp.sqrt(xp.maximum(edge_squares / n_edge - edge_mean**2, 0))
    relative = [ratio(x, mean, xp) for x in (std, quantiles[..., _MEDIAN], quantiles[..., _NINETY_NINE], most)]
    absolute = [x / full for x in (mean, std, least, most, deviation)]
    spread = [x / full for x in xp.moveaxis(quantiles, -1, 0)]
    edge = [edge_mean / full, edge_std / full, ratio(edge_mean, mean, xp)]
    shape = [skewness, kurtosis, entropy, gini]
    return xp.stack([*absolute, *shape, *spread, count * mean / full, *relative, *edge], axis=-1)


def _nuclear(raw: np.ndarray, xp: ModuleType) -> np.ndarray:
    """The values of `_NUCLEAR`, float64, (n, 4, 2)."""
    count, mean = raw[..., 0], raw[..., 1]
    share = ratio(count[:, 1] * mean[:, 1], count[:, 0] * mean[:, 0], xp)
    return xp.stack([share, ratio(mean[:, 1], mean[:, 2], xp)], axis=-1)
