"""How the six organelles of the nucleus look in the protein channel.

A recipe is `recipe(cell, style, rng) -> (h, w) float32`, 0 without stain and about 1 where it is strong. In a
dividing cell the nuclear proteins spread through the whole cell (the envelope breaks down in prometaphase).
"""

import numpy as np

from simulate.brush import blur, scatter, spots, strokes, wander
from simulate.cell import Cell
from simulate.layout import METAPHASE
from simulate.plan import Style


def released(cell: Cell) -> np.ndarray:
    """What is left of a nuclear staining in a cell without envelope: even, sparing the chromosomes."""
    return 0.35 * cell.thickness * cell.cytoplasm


def nucleoplasm(cell: Cell, style: Style, rng: np.random.Generator) -> np.ndarray:
    """The nucleus without its nucleoli, finely uneven."""
    if cell.body.phase == METAPHASE:
        return released(cell)
    uneven = 1 + style.grain * (0.30 * cell.texture.medium + 0.35 * cell.texture.fine)
    spared = 1 - np.float32(rng.uniform(0.5, 0.95)) * cell.nucleolar
    return 0.6 * np.clip(uneven, 0, None) * spared * cell.nuclear


def nuclear_membrane(cell: Cell, style: Style, rng: np.random.Generator) -> np.ndarray:
    """A thin ring at the border of the nucleus, some folds across it, and a weak shine of its upper and lower face."""
    if cell.body.phase == METAPHASE:
        return released(cell)
    width = np.float32(1.1 * style.size * cell.scale)
    ring = np.exp(-(((cell.depth - 1.3) / width) ** 2)) * cell.nuclear
    start = scatter(cell.nuclear, rng.poisson(0.9), rng)
    direction = rng.uniform(0, 2 * np.pi, len(start))
    folds = blur(strokes(cell.shape, wander(start, direction, 0.12 * cell.body.radius, 9, 0.25, rng), layers=1), 0.8)
    uneven = np.clip(1 + 0.35 * style.grain * cell.texture.medium, 0.2, None)
    return (ring * uneven + 0.7 * folds * cell.nuclear + 0.13 * cell.nuclear).astype(np.float32)


def nucleoli(cell: Cell, style: Style, rng: np.random.Generator) -> np.ndarray:
    """The nucleoli, filled; in some cells with a brighter rim."""
    if cell.body.phase == METAPHASE:
        return released(cell)
    filled = cell.nucleolar * np.clip(1 + 0.3 * style.grain * cell.texture.fine, 0.2, None)
    rim = np.clip(cell.nucleolar - blur(cell.nucleolar, 1.5), 0, None)
    return 0.85 * filled + np.float32(rng.uniform(0, 0.8)) * rim + 0.05 * cell.nuclear


def fibrillar_centers(cell: Cell, style: Style, rng: np.random.Generator) -> np.ndarray:
    """A cluster of small spots within each nucleolus, most clusters of two to eight."""
    if cell.body.phase == METAPHASE:
        return released(cell)
    inside = (cell.nucleolar > 0.5).astype(np.float32)
    n = round(rng.uniform(2.5, 5.5) * len(cell.nucleoli) * style.count)
    centres = scatter(inside, n, rng)
    sigma = rng.uniform(0.8, 1.3, len(centres)) * style.size * cell.scale
    return spots(cell.shape, centres, sigma, rng.uniform(0.6, 1.2, len(centres))) + 0.10 * inside + 0.03 * cell.nuclear


def nuclear_speckles(cell: Cell, style: Style, rng: np.random.Generator) -> np.ndarray:
    """Twenty to fifty irregular patches of uneven size between the chromatin, over a nucleoplasmic haze."""
    if cell.body.phase == METAPHASE:
        return released(cell)
    n = round(rng.uniform(22, 45) * style.count * cell.share)
    centres = scatter(cell.nuclear * (1 - cell.nucleolar) * (cell.depth > 2), n, rng)
    sigma = rng.uniform(0.9, 2.0, len(centres)) * style.size * cell.scale
    patches = spots(cell.shape, centres, sigma, rng.uniform(0.4, 1.0, len(centres)))
    ragged = np.clip(1 + 0.35 * cell.texture.fine + 0.25 * cell.texture.medium, 0.1, None)
    return (np.minimum(patches, 1.3) * ragged + 0.12 * (1 - cell.nucleolar)) * cell.nuclear


def nuclear_bodies(cell: Cell, style: Style, rng: np.random.Generator) -> np.ndarray:
    """Two to twelve round, sharply bounded spots anywhere in the nucleus but in nucleoli."""
    if cell.body.phase == METAPHASE:
        return released(cell)
    n = 2 + rng.poisson(4 * style.count)
    centres = scatter(cell.nuclear * (1 - cell.nucleolar) * (cell.depth > 2), n, rng)
    sigma = rng.uniform(1.0, 1.7, len(centres)) * style.size * cell.scale
    return (spots(cell.shape, centres, sigma, rng.uniform(0.6, 1.2, len(centres))) + 0.04) * cell.nuclear
