"""Colocalisation of the protein with each landmark, pixel by pixel, and of the landmarks with one another.

For every compartment and the pairs protein and microtubules, protein and nucleus, protein and ER, microtubules and
nucleus, microtubules and ER, nucleus and ER (first and second; two channels in a column's name say which is which):

- Pearson, and Slope of the least-squares line of the second on the first;
- Spearman, with ties at their middle rank;
- Manders: the share of the first one's lit mass at pixels where the second is lit too, and the reverse. Lit is a level
  of at least 15 % of the channel's maximum in the compartment of the cell, as in CellProfiler;
- Overlap, and K, the sum of products over the sum of the first one's squares, at pixels lit in both;
- RWC: Manders weighted by how close the ranks of both levels are (Singan et al. 2011, BMC Bioinformatics 12:407).

For the protein's pairs also:

- Costes, in the whole cell: Manders above the thresholds below which the channels are not correlated (Costes et al.
  2004, Biophys. J. 86:3993);
- Information: mutual information over the mean of the entropies, each channel in 8 levels of equal counts. Few levels,
  because the small nuclei of crowded fields have some 300 pixels, and each cell of the table adds to the bias.

Names and formulas are those of CellProfiler's MeasureColocalization as in cp_measure. On purpose different: 0/0
(no pixel lit in both, a black or constant channel) gives NaN, not 0, and so does Costes where the channels avoid each
other; the 255 steps of the search for Costes' thresholds reach up to the larger maximum of the two channels, not to the
camera's, so that they suit dim and 16-bit fields too.
"""

from types import ModuleType

import numpy as np

from features.core.arithmetic import ratio
from features.core.cells import Cells
from store.channels import CHANNELS, COMPARTMENTS, ER, MICROTUBULES, NUCLEUS, PROTEIN
from store.columns import Column

SORTED_AS = "relation"

_FAMILY = "Correlation"
_PROTEIN_PAIRS = ((PROTEIN, MICROTUBULES), (PROTEIN, NUCLEUS), (PROTEIN, ER))
_PAIRS = (*_PROTEIN_PAIRS, (MICROTUBULES, NUCLEUS), (MICROTUBULES, ER), (NUCLEUS, ER))
_SYMMETRIC = ("Pearson", "Slope", "Spearman", "Overlap")
_DIRECTED = ("Manders", "K", "RWC")
LIT = 15 / 100


def columns() -> tuple[Column, ...]:
    """The family's columns: by compartment, then Costes."""
    out = []
    for compartment in COMPARTMENTS:
        for pair in _PAIRS:
            out += [Column(compartment, _FAMILY, feature, pair) for feature in _SYMMETRIC]
            out += [Column(compartment, _FAMILY, feature, way) for feature in _DIRECTED for way in (pair, pair[::-1])]
        out += [Column(compartment, _FAMILY, "Information", pair) for pair in _PROTEIN_PAIRS]
    out += [Column("Cells", _FAMILY, "Costes", way) for pair in _PROTEIN_PAIRS for way in (pair, pair[::-1])]
    return tuple(out)


def measure(cells: Cells) -> np.ndarray:
    """Measure the family.

    Returns
    -------
    ndarray of float32, shape (n_cells, n_columns)
        NaN where a compartment is missing or a coefficient is 0/0.
    """
    xp = cells.device.xp
    summed = zip(*(_compartment_sums(cells, compartment) for compartment in COMPARTMENTS))
    counts, channels, pairs, information = map(xp.stack, summed)
    coefficients = _coefficients(counts, channels, pairs, xp)
    flat = coefficients.reshape(len(COMPARTMENTS), cells.n, len(_PAIRS) * coefficients.shape[3])
    parts = [*xp.concatenate([flat, information], axis=2)]
    offsets = cells.regions["Cells"].offsets
    for pair in _PROTEIN_PAIRS:
        parts.append(cells.device.kernels.costes.costes(*(cells.values("Cells", channel) for channel in pair), offsets))
    return xp.concatenate(parts, axis=1).astype(np.float32)


def _compartment_sums(cells: Cells, compartment: str) -> tuple[np.ndarray, ...]:
    """Pixels of one compartment, (n,), and the kernel's sums there, each (n, ...)."""
    region = cells.regions[compartment]
    values = tuple(cells.values(compartment, channel) for channel in CHANNELS)
    adder = np.empty(0, np.float32 if cells.pixels.dtype == np.uint8 else np.float64)
    return (region.counts, *cells.device.kernels.colocalization.pair_sums(values, region.offsets, LIT, adder))


def _coefficients(counts: np.ndarray, channels: np.ndarray, pairs: np.ndarray, xp: ModuleType) -> np.ndarray:
    """Coefficients of all pairs, (3, n, 6, 10), from the kernel's sums in the three compartments."""
    first = channels[:, :, [x.index for x, _ in _PAIRS]]
    second = channels[:, :, [y.index for _, y in _PAIRS]]
    (_, x, xx, lit_x, ranks_x, centred_x), (_, y, yy, lit_y, ranks_y, centred_y) = (
        xp.moveaxis(sums, -1, 0) for sums in (first, second)
    )
    xy, both_x, both_y, both_xx, both_yy, both_xy, apart_x, apart_y, centred = xp.moveaxis(pairs, -1, 0)
    n = counts[..., None]
    var_x = xp.where(ranks_x > 1, n * xx - x * x, 0)
    var_y = xp.where(ranks_y > 1, n * yy - y * y, 0)
    covariance = n * xy - x * y
    ranks = xp.maximum(ranks_x, ranks_y)
    return xp.stack(
        [
            ratio(covariance, xp.sqrt(var_x) * xp.sqrt(var_y), xp),
            ratio(covariance, var_x, xp),
            ratio(centred, xp.sqrt(centred_x) * xp.sqrt(centred_y), xp),
            ratio(both_xy, xp.sqrt(both_xx) * xp.sqrt(both_yy), xp),
            ratio(both_x, lit_x, xp),
            ratio(both_y, lit_y, xp),
            ratio(both_xy, both_xx, xp),
            ratio(both_xy, both_yy, xp),
            ratio(both_x - ratio(apart_x, ranks, xp), lit_x, xp),
            ratio(both_y - ratio(apart_y, ranks, xp), lit_y, xp),
        ],
        axis=-1,
    )
