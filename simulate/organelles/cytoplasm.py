"""How the remaining organelles of the cytoplasm and the cell's border look. Recipes as in `nucleus`."""

import numpy as np

from simulate.brush import blur, scatter, spots, strokes, wander
from simulate.cell import Cell
from simulate.landmarks import cytoplasmic_points, reticulum
from simulate.layout import METAPHASE
from simulate.plan import Style


def endoplasmic_reticulum(cell: Cell, style: Style, rng: np.random.Generator) -> np.ndarray:
    """The net of the ER channel, with the antibody's own grain."""
    own = np.clip(1 + 0.4 * style.grain * cell.texture.fine, 0.1, None)
    return 0.95 * reticulum(cell, float(rng.uniform(0.8, 1.4))) * own


def golgi_apparatus(cell: Cell, style: Style, rng: np.random.Generator) -> np.ndarray:
    """A ribbon of short curved stacks beside the nucleus, at the organizing centre; scattered in a dividing cell."""
    n = round(rng.uniform(6, 13) * style.count)
    if cell.body.phase == METAPHASE:
        start = scatter(cell.cytoplasm, n, rng)
    else:
        turn = rng.normal(0, 0.12 * rng.uniform(1, 2.6), n)
        around = _around_nucleus(cell, turn)
        start = around + rng.normal(0, 0.10 * cell.body.radius, (n, 2))
    along = np.arctan2(*(start - _middle(cell)).T[::-1]) + np.pi / 2 + rng.normal(0, 0.7, len(start))
    stacks = strokes(cell.shape, wander(start, along, 1.3 * cell.scale, 7, 0.35, rng), width=2, layers=3)
    vesicles = cell.mtoc + rng.normal(0, 0.45 * cell.body.radius, (2 * n, 2))
    dots = spots(cell.shape, vesicles, np.full(2 * n, 0.9 * cell.scale), rng.uniform(0.1, 0.4, 2 * n))
    return (1.5 * blur(stacks, 0.8 * style.size) + dots + 0.05 * cell.thickness) * cell.cytoplasm


def _middle(cell: Cell) -> np.ndarray:
    return np.array([cell.body.nuclei[0].x, cell.body.nuclei[0].y])


def _around_nucleus(cell: Cell, turn: np.ndarray) -> np.ndarray:
    """The organizing centre turned around the nucleus' middle by angles in radians: (n, 2)."""
    x, y = cell.mtoc - _middle(cell)
    c, s = np.cos(turn), np.sin(turn)
    return _middle(cell) + np.stack([c * x - s * y, s * x + c * y], -1)


def microtubule_organizing_centre(cell: Cell, style: Style, rng: np.random.Generator) -> np.ndarray:
    """A hazy patch of some px where the microtubules start, with short rays and satellites; no sharp core."""
    n = 12
    cloud = cell.mtoc + rng.normal(0, 2.3 * cell.scale, (n, 2))
    sigma = rng.uniform(1.1, 2.6, n) * style.size * cell.scale
    patch = spots(cell.shape, cloud, sigma, rng.uniform(0.1, 0.3, n))
    start = np.repeat(cell.mtoc[None], 7, 0)
    rays = wander(start, rng.uniform(0, 2 * np.pi, 7), 1.6 * cell.scale, 6, 0.2, rng)
    return (patch + 0.35 * blur(strokes(cell.shape, rays, layers=1), 0.8) + 0.04 * cell.thickness) * cell.mask


def centrosome(cell: Cell, style: Style, rng: np.random.Generator) -> np.ndarray:
    """One or two small sharp spots (the centrioles) where the microtubules start; at both poles of a spindle."""
    poles = np.unique(np.round(cell.fibres[:, 0], 3), axis=0) if cell.body.phase == METAPHASE else cell.mtoc[None]
    pair = rng.uniform(1.5, 3.0) * cell.scale * (rng.random() < 0.6)
    angle = rng.uniform(0, 2 * np.pi)
    half = pair * np.array([np.cos(angle), np.sin(angle)])
    centres = np.concatenate([poles - half, poles + half])
    sigma = np.full(len(centres), 1.1 * style.size * cell.scale)
    sharp = np.minimum(spots(cell.shape, centres, sigma, rng.uniform(0.8, 1.2, len(centres))), 1.4)
    return (sharp + 0.05 * cell.thickness * (1 - 0.4 * cell.nuclear)) * cell.mask


def plasma_membrane(cell: Cell, style: Style, rng: np.random.Generator) -> np.ndarray:
    """A thin uneven line along the whole border of the cell, ruffles behind it, and the weak upper and lower face."""
    line = np.exp(-(((cell.rim - 1.3) / np.float32(1.1 * style.size * cell.scale)) ** 2))
    ruffles = np.exp(-(((cell.rim - 4.5) / 3.5) ** 2)) * np.clip(cell.texture.medium * cell.texture.coarse, 0, 1.5)
    uneven = np.clip(0.8 + 0.35 * cell.texture.coarse + 0.2 * style.grain * cell.texture.fine, 0.15, None)
    face = rng.uniform(0.06, 0.2) * np.clip(1 + 0.6 * cell.texture.medium, 0, None)
    return (line * uneven + 0.35 * ruffles + face * (1 - 0.4 * cell.nuclear)) * cell.mask


def cell_junctions(cell: Cell, style: Style, rng: np.random.Generator) -> np.ndarray:
    """A line only where the cell touches another one, here and there interrupted; nothing at free borders."""
    seam = blur(cell.contact.astype(np.float32), 1.0)
    broken = np.clip(0.9 + 0.5 * cell.texture.medium, 0.05, 1.4)
    return (0.95 * seam * broken + rng.uniform(0.02, 0.06) * cell.thickness) * cell.mask


def mitochondria(cell: Cell, style: Style, rng: np.random.Generator) -> np.ndarray:
    """Many short winding threads around the nucleus, denser on one side, none at the very border."""
    n = round(0.026 * np.count_nonzero(cell.cytoplasm) * style.count)
    start = cytoplasmic_points(cell, n, float(rng.uniform(0.5, 1.0)), rng)
    outwards = np.arctan2(*(start - _middle(cell)).T[::-1]) + rng.normal(0, 0.8, len(start))
    threads = strokes(cell.shape, wander(start, outwards, 1.5 * cell.scale, 7, 0.5, rng), layers=3)
    drawn = 0.9 * blur(threads, 0.6 * style.size) + 0.4 * blur(threads, 1.6)
    return np.minimum(1.3 * drawn, 1.4) * cell.cytoplasm * np.clip(cell.rim / 4, 0, 1)


def cytosol(cell: Cell, style: Style, rng: np.random.Generator) -> np.ndarray:
    """The whole cytoplasm, thicker towards the nucleus, finely grained, with dark holes where vesicles are."""
    uneven = 1 + style.grain * (0.35 * cell.texture.fine + 0.20 * cell.texture.medium)
    holes = np.where(cell.texture.medium > 1.9, np.float32(0.3), np.float32(1))
    body = np.clip(uneven, 0.05, None) * holes * (0.25 + 0.75 * cell.thickness) * cell.cytoplasm
    return 0.6 * body + np.float32(rng.uniform(0.02, 0.10)) * cell.nuclear
