"""Magnitudes of Zernike moments: how the stain is spread over the cell as a whole.

Each moment measures how much of one wavy pattern on a disc is in the cell: low degrees see a cap on one side or a ring,
high degrees finer lobes. Magnitudes do not change when the cell is turned. All channels of a cell share one disc,
around the centroid of the cell and out to its furthest pixel, so a stain that sits beside the centre shows in degree 1;
mahotas.features.zernike_moments gives the same values for this centre and radius (its default centre is that of the
stain). The masks themselves are measured too: the outline of cell and nucleus. Values that are constant by definition
(degree 0; degree 1 of a mask around its own centroid) are left out. By default the protein is the only stain: the
other stains' columns did not help to localise it (docs/benchmarks.md).
"""

from functools import cache
from math import comb, factorial

import numpy as np

from features.core.arithmetic import ratio
from features.core.cells import Cells
from store.channels import CHANNELS, NUCLEUS, PROTEIN, Channel
from store.columns import Column

DEGREE = 9
ORDERS = tuple((n, m) for n in range(1, DEGREE + 1) for m in range(n + 1) if (n - m) % 2 == 0)
STAINS = {"Cells": CHANNELS, "Nuclei": (PROTEIN, NUCLEUS)}
DEFAULT_STAINS = (PROTEIN,)


def columns(stains: tuple[Channel, ...] = CHANNELS) -> tuple[Column, ...]:
    """The family's columns."""
    out = []
    for compartment, channels in _measured(stains):
        out += [Column(compartment, "Zernike", "Stain", (channel,), nm) for channel in channels for nm in ORDERS]
        out += [Column(compartment, "Zernike", "Outline", (), nm) for nm in ORDERS[1:]]
    return tuple(out)


def _measured(stains: tuple[Channel, ...]) -> list[tuple[str, list[Channel]]]:
    """The stains of these that are measured in each compartment."""
    return [(compartment, [one for one in mine if one in stains]) for compartment, mine in STAINS.items()]


def measure(cells: Cells, stains: tuple[Channel, ...] = CHANNELS) -> np.ndarray:
    """Measure the family; float32, shape (n_cells, n_columns)."""
    xp = cells.device.xp
    to_zernike = xp.asarray(_zernike_of_geometric(DEGREE))
    out = []
    for compartment, channels in _measured(stains):
        labels = cells.labels(compartment)
        field, boxes = cells.places(compartment)
        moments = cells.device.kernels.zernike.disc_moments(cells.planes(channels), labels, field, boxes, DEGREE)
        magnitudes = ratio(abs(moments @ to_zernike), moments[:, :, :1], xp)
        out += [magnitudes[:, :-1].reshape(cells.n, len(channels) * len(ORDERS)), magnitudes[:, -1, 1:]]
    return xp.concatenate(out, axis=1).astype(np.float32)


@cache
def _zernike_of_geometric(degree: int) -> np.ndarray:
    """The map from geometric moments to Zernike moments.

    A moment is (n + 1) / pi times the sum of value * conj(R_nm(r) exp(i m theta)) (Teague 1980), and every term
    r**p exp(i m theta) of it is the polynomial (x**2 + y**2)**((p - m) / 2) * (x + i y)**m.

    Returns
    -------
    ndarray of complex128, shape ((degree + 1) * (degree + 2) // 2, len(ORDERS))
        Rows in the order of `disc_moments`: y**k * x**l, k = 0..degree, l = 0..degree - k.
    """
    row = {kl: at for at, kl in enumerate((k, p) for k in range(degree + 1) for p in range(degree + 1 - k))}
    out = np.zeros((len(row), len(ORDERS)), complex)
    for column, (n, m) in enumerate(ORDERS):
        for s in range((n - m) // 2 + 1):
            half = (n - m) // 2 - s
            radial = (-1) ** s * factorial(n - s) / (factorial(s) * factorial(half) * factorial((n + m) // 2 - s))
            for a in range(half + 1):
                for b in range(m + 1):
                    k = 2 * a + b
                    term = radial * comb(half, a) * comb(m, b) * (-1j) ** b
                    out[row[k, n - 2 * s - k], column] += (n + 1) / np.pi * term
    return out
