"""Gradients and scales: is the stain fine or coarse, drawn as threads or dots, and do its threads run in one direction?

All lengths are those of the B3 wavelet's levels in px. The finest band depends on camera and focus as much as on
the cell, so it is marked as a covariate and left out of the shares of the others. By default only the protein is
measured: the other stains' columns did not help to localise it (docs/benchmarks.md).
"""

import math
from types import ModuleType

import numpy as np

from features.core.arithmetic import ratio
from features.core.cells import Cells
from store.channels import CHANNELS, ER, MICROTUBULES, NUCLEUS, PROTEIN, Channel
from store.columns import Column

MEASURED = (
    ("Cells", PROTEIN),
    ("Nuclei", PROTEIN),
    ("Cells", MICROTUBULES),
    ("Cells", NUCLEUS),
    ("Cells", ER),
)
DEFAULT_STAINS = (PROTEIN,)
SCALES = (1, 2, 4, 8)
FORMS = ("Ridge", "Valley", "Blob", "Hole")


def columns(stains: tuple[Channel, ...] = CHANNELS) -> tuple[Column, ...]:
    """The family's columns, with the scale in px as parameter."""
    features = [
        *(("BandContrast", scale) for scale in SCALES),
        *(("BandShare", scale) for scale in (*SCALES, "rest")),
        *(("Laplacian", scale) for scale in SCALES[:3]),
        *((form, scale) for scale in SCALES[:3] for form in FORMS),
        *(("Magnitude", scale) for scale in SCALES[:2]),
        *(("Coherence", scale) for scale in SCALES[:2]),
        *(("Alignment", scale) for scale in SCALES[:2]),
        *(("OrientationEntropy", scale) for scale in SCALES[:2]),
    ]
    return tuple(
        Column(compartment, "Gradient", name, (channel,), (scale,), "Band" in name and scale == SCALES[0])
        for compartment, channel in MEASURED
        if channel in stains
        for name, scale in features
    )


def measure(cells: Cells, stains: tuple[Channel, ...] = CHANNELS) -> np.ndarray:
    """Band energies, forms of curvature and orientation of each stain; the rest of the field never matters.

    Each cell is smoothed over its own pixels only (normalised convolution, Knutsson and Westin 1993) by the B3 spline
    of the a-trous wavelet (Starck and Murtagh 2002); a nucleus is measured on its cell's planes.

    BandContrast
        Root mean square of a wavelet band / mean level.
    BandShare
        Energy of a band / that of all coarser than 1 px, incl. the rest; of the finest band / that of all.
    Laplacian, Magnitude
        Root mean square Laplacian, and mean gradient magnitude, of the smoothed levels / mean level.
    Ridge, Valley, Blob, Hole
        Shares of the eigenvalues of the Hessian, |first| + |second|: bright or dark lines curve across only, bright or
        dark dots in both directions. The rest, up to 1, are saddles.
    Coherence
        Energy-weighted coherence of structure tensors of blocks of 8 or 16 px (Bigun and Granlund 1987): 1 if a block
        has one direction, 0 if it has none. Alignment: the same for the whole region in one tensor.
    OrientationEntropy
        Entropy of the blocks' directions in 8 sectors, weighted by their coherent energy; 1 if uniform.

    Parameters
    ----------
    cells : Cells
    stains : tuple of Channel

    Returns
    -------
    ndarray of float32, shape (n_cells, n_columns)
        NaN where a denominator is 0: a black or flat region, or one without an inner pixel.
    """
    chosen = [(compartment, channel) for compartment, channel in MEASURED if channel in stains]
    measured = np.array([(channel.index, compartment == "Nuclei") for compartment, channel in chosen], np.int64)
    pixels = cells.device.xp.ascontiguousarray(cells.pixels)
    bands, curvature, orientation = cells.device.kernels.gradient.derivative_sums(
        pixels, measured, cells.cell_labels, cells.nucleus_labels, cells.field, cells.boxes
    )
    counts = cells.device.xp.stack([cells.regions[compartment].counts for compartment, _ in chosen], axis=1)
    mean = ratio(bands[..., -1], counts, cells.device.xp)
    parts = [
        band_values(bands, counts, mean, cells.device.xp),
        _curvature_values(curvature, mean, cells.device.xp),
        _orientation_values(orientation, curvature[..., : orientation.shape[-2], 0], mean, cells.device.xp),
    ]
    values = cells.device.xp.concatenate(parts, axis=-1)
    return values.reshape(cells.n, math.prod(values.shape[1:])).astype(np.float32)


def band_values(bands: np.ndarray, counts: np.ndarray, mean: np.ndarray, xp: ModuleType) -> np.ndarray:
    """Contrasts and shares of energy of each region, (n, n_regions, n_values), from the kernel's sums by band."""
    n_bands = len(SCALES)
    energies = ratio(bands[..., :n_bands], counts[..., None], xp)
    smooth_mean = ratio(bands[..., n_bands], counts, xp)
    rest = xp.maximum(ratio(bands[..., n_bands + 1], counts, xp) - smooth_mean**2, 0)
    coarse = energies[..., 1:].sum(axis=-1) + rest
    return xp.concatenate(
        [
            ratio(xp.sqrt(energies), mean[..., None], xp),
            ratio(energies[..., :1], (coarse + energies[..., 0])[..., None], xp),
            ratio(energies[..., 1:], coarse[..., None], xp),
            ratio(rest, coarse, xp)[..., None],
        ],
        axis=-1,
    )


def _curvature_values(curvature: np.ndarray, mean: np.ndarray, xp: ModuleType) -> np.ndarray:
    pixels, forms, size, squares = curvature[..., 0], curvature[..., 1:5], curvature[..., 5], curvature[..., 6]
    laplacian = xp.sqrt(ratio(squares, pixels, xp))
    forms = ratio(forms, size[..., None], xp)
    flat_shape = (*forms.shape[:-2], forms.shape[-2] * forms.shape[-1])
    return xp.concatenate([ratio(laplacian, mean[..., None], xp), forms.reshape(flat_shape)], axis=-1)


def _orientation_values(orientation: np.ndarray, pixels: np.ndarray, mean: np.ndarray, xp: ModuleType) -> np.ndarray:
    magnitude, trace, coherent, cosine, sine = (orientation[..., k] for k in range(5))
    sectors = ratio(orientation[..., 5:], coherent[..., None], xp)
    entropy = -(sectors * xp.log(xp.where(sectors > 0, sectors, 1))).sum(axis=-1) / np.log(sectors.shape[-1])
    return xp.concatenate(
        [
            ratio(ratio(magnitude, pixels, xp), mean[..., None], xp),
            ratio(coherent, trace, xp),
            ratio(xp.hypot(cosine, sine), trace, xp),
            entropy,
        ],
        axis=-1,
    )
