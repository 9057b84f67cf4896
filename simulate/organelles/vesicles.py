"""How bodies and vesicles of the cytoplasm look in the protein channel. Recipes as in `nucleus`.

Peroxisomes, endosomes and lysosomes are all spots in the cytoplasm: they differ, as in reality, only in how many there
are, how large and how alike they are, and where they gather.
"""

import cv2
import numpy as np

from simulate.brush import blur, scatter, spots, strokes, wander
from simulate.cell import Cell
from simulate.landmarks import cytoplasmic_points
from simulate.plan import Style


def _towards_centre(cell: Cell, reach: float) -> np.ndarray:
    """Density in the cytoplasm that falls with the distance from the organizing centre, by 1/e in `reach` radii."""
    y, x = np.ogrid[: cell.shape[0], : cell.shape[1]]
    away = np.hypot(x - cell.mtoc[0], y - cell.mtoc[1]).astype(np.float32)
    return np.exp(-away / np.float32(reach * cell.body.radius)) * cell.cytoplasm


def peroxisomes(cell: Cell, style: Style, rng: np.random.Generator) -> np.ndarray:
    """Very many small spots of one size, spread evenly through the cytoplasm."""
    n = round(rng.uniform(0.010, 0.018) * np.count_nonzero(cell.cytoplasm) * style.count)
    centres = cytoplasmic_points(cell, n, 4.0, rng)
    sigma = rng.normal(0.95, 0.08, len(centres)) * style.size * cell.scale
    return spots(cell.shape, centres, sigma, rng.uniform(0.6, 1.0, len(centres))) * cell.mask + 0.03 * cell.cytoplasm


def endosomes(cell: Cell, style: Style, rng: np.random.Generator) -> np.ndarray:
    """Spots of uneven size all over the cytoplasm, also near the border; the large ones are rings."""
    n = round(rng.uniform(18, 55) * style.count * cell.share)
    centres = cytoplasmic_points(cell, n, 2.2, rng)
    sigma = rng.lognormal(np.log(1.05), 0.28, len(centres)) * style.size * cell.scale
    height = rng.uniform(0.35, 1.1, len(centres))
    filled = spots(cell.shape, centres, sigma, height)
    large = sigma > 1.35 * cell.scale
    hollow = spots(cell.shape, centres[large], 0.55 * sigma[large], 0.75 * height[large])
    return (np.clip(filled - hollow, 0, None) + 0.04 * cell.cytoplasm) * cell.mask


def lysosomes(cell: Cell, style: Style, rng: np.random.Generator) -> np.ndarray:
    """Larger, filled spots, gathered beside the nucleus around the organizing centre."""
    n = round(rng.uniform(18, 50) * style.count * cell.share)
    gathered = _towards_centre(cell, 0.8) + 0.05 * np.exp(-cell.from_nucleus / cell.body.radius) * cell.cytoplasm
    centres = scatter(gathered, n, rng)
    sigma = rng.lognormal(np.log(1.4), 0.22, len(centres)) * style.size * cell.scale
    return (spots(cell.shape, centres, sigma, rng.uniform(0.5, 1.1, len(centres))) + 0.03 * cell.cytoplasm) * cell.mask


def lipid_droplets(cell: Cell, style: Style, rng: np.random.Generator) -> np.ndarray:
    """Round droplets of very uneven size in groups, stained on their surface: rings with a dark core when large."""
    n_groups = 1 + rng.poisson(2.5)
    middles = cytoplasmic_points(cell, n_groups, 1.5, rng)
    n = round(rng.uniform(8, 32) * style.count * cell.share)
    if not len(middles):
        return np.zeros(cell.shape, np.float32)
    near = middles[rng.integers(len(middles), size=n)] + rng.normal(0, 0.35 * cell.body.radius, (n, 2))
    radii = np.clip(rng.lognormal(np.log(2.1), 0.4, n) * style.size * cell.scale, 1.0, 6.0)
    canvas = np.zeros(cell.shape, np.uint8)
    for (x, y), radius in zip((near * 16).astype(int).tolist(), (radii * 16).astype(int).tolist(), strict=True):
        cv2.circle(canvas, (x, y), radius, 220, 1, cv2.LINE_AA, 4)
    surfaces = blur(canvas.astype(np.float32) / 160, 0.6)
    return (surfaces + 0.04) * cell.cytoplasm * (cell.rim > 1)


def cytoplasmic_bodies(cell: Cell, style: Style, rng: np.random.Generator) -> np.ndarray:
    """A few (two to fifteen) round bright spots far apart in the cytoplasm."""
    n = 2 + rng.poisson(5 * style.count * cell.share)
    centres = cytoplasmic_points(cell, n, 3.0, rng)
    sigma = rng.uniform(1.1, 1.7, len(centres)) * style.size * cell.scale
    return (spots(cell.shape, centres, sigma, rng.uniform(0.7, 1.2, len(centres))) + 0.05 * cell.cytoplasm) * cell.mask


def rods_and_rings(cell: Cell, style: Style, rng: np.random.Generator) -> np.ndarray:
    """One to five straight rods and small closed rings, in the cytoplasm and now and then over the nucleus."""
    n = 1 + rng.binomial(4, min(1.0, 0.4 * style.count))
    centres = scatter(cell.cytoplasm * (cell.rim > 4) + 0.08 * cell.nuclear, n, rng)
    ring = rng.random(len(centres)) < 0.4
    canvas = np.zeros(cell.shape, np.uint8)
    radii = rng.uniform(3.0, 5.0, len(centres)) * style.size * cell.scale
    for (x, y), radius in zip(
        (centres[ring] * 16).astype(int).tolist(), (radii[ring] * 16).astype(int).tolist(), strict=True
    ):
        cv2.circle(canvas, (x, y), radius, 230, 2, cv2.LINE_AA, 4)
    rods = centres[~ring]
    lines = wander(rods, rng.uniform(0, 2 * np.pi, len(rods)), 1.6 * style.size * cell.scale, 8, 0.04, rng)
    drawn = canvas.astype(np.float32) / 180 + strokes(cell.shape, lines, width=2, layers=1)
    return 1.2 * blur(drawn, 0.6) * cell.mask + 0.03 * cell.cytoplasm


def aggresome(cell: Cell, style: Style, rng: np.random.Generator) -> np.ndarray:
    """One large, dense, irregular clump at the organizing centre, pressing on the nucleus, in most of the cells."""
    if rng.random() > 0.8:
        return 0.05 * cell.cytoplasm
    n = 9
    centres = cell.mtoc + rng.normal(0, 0.15 * cell.body.radius, (n, 2))
    sigma = rng.uniform(0.09, 0.18, n) * cell.body.radius * style.size
    clump = np.minimum(spots(cell.shape, centres, sigma, rng.uniform(0.4, 0.8, n)), 1.2)
    ragged = np.clip(1 + 0.2 * cell.texture.fine, 0.3, None)
    return (1.2 * clump * ragged + 0.06 * cell.thickness) * cell.cytoplasm
