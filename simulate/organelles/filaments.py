"""How the seven organelles of the cytoskeleton look in the protein channel. Recipes as in `nucleus`."""

import numpy as np

from simulate.brush import blur, scatter, spots, strokes, wander
from simulate.cell import Cell
from simulate.landmarks import bridge_ends
from simulate.layout import CYTOKINESIS, METAPHASE
from simulate.plan import Style


def intermediate_filaments(cell: Cell, style: Style, rng: np.random.Generator) -> np.ndarray:
    """Wavy bundles tangled around the nucleus, a cage that thins out outwards and ignores the organizing centre."""
    n = round(0.011 * np.count_nonzero(cell.mask) * style.count)
    fall = np.exp(-cell.from_nucleus / np.float32(0.55 * cell.body.radius))
    start = scatter(fall * cell.cytoplasm, n, rng)
    lines = wander(start, rng.uniform(0, 2 * np.pi, len(start)), 0.085 * cell.body.radius, 18, 0.38, rng)
    drawn = strokes(cell.shape, lines, layers=4)
    bundles = blur(drawn, 0.7) * 1.3 + 0.8 * blur(drawn, 2.2)
    spared = 1 - 0.8 * np.clip(cell.depth / 3, 0, 1)
    return np.minimum(bundles, 1.6) * spared * np.clip(cell.rim / 3, 0, 1)


def actin_filaments(cell: Cell, style: Style, rng: np.random.Generator) -> np.ndarray:
    """Straight parallel stress fibres through the whole cell, over the nucleus too, and a seam along the border."""
    n = max(4, round(0.004 * np.count_nonzero(cell.mask) * style.count))
    middle = scatter((cell.mask & (cell.rim > 2)).astype(np.float32), n, rng)
    direction = cell.body.axis + rng.normal(0, 0.16, len(middle)) + 0.6 * (rng.random(len(middle)) < 0.12)
    half = cell.body.radius * rng.uniform(0.4, 1.5, len(middle))
    along = np.stack([np.cos(direction), np.sin(direction)], -1) * half[:, None]
    fibres = blur(strokes(cell.shape, np.stack([middle - along, middle + along], 1), layers=3), 0.6)
    seam = np.exp(-(((cell.rim - 2.0) / 1.8) ** 2))
    patchy = np.clip(0.6 + 0.5 * cell.texture.coarse, 0, 1.3)
    return (1.5 * fibres + 0.55 * seam * patchy + 0.04 * cell.thickness) * cell.mask


def focal_adhesions(cell: Cell, style: Style, rng: np.random.Generator) -> np.ndarray:
    """Short streaks under the cell's edge that point inwards, where the cell is attached at the end of its fibres."""
    n = round(rng.uniform(14, 34) * style.count * cell.share)
    edge = np.exp(-(((cell.rim - 5.0 * cell.scale) / (3.0 * cell.scale)) ** 2)) * cell.cytoplasm
    middle = scatter(edge * (1 + 0.8 * np.clip(cell.texture.coarse, -1, 2)), n, rng)
    cell_middle = np.array([cell.body.outlines[0].x, cell.body.outlines[0].y])
    outwards = np.arctan2(*(middle - cell_middle).T[::-1]) + rng.normal(0, 0.25, len(middle))
    half = rng.uniform(1.0, 4.0, len(middle)) * style.size * cell.scale
    along = np.stack([np.cos(outwards), np.sin(outwards)], -1) * half[:, None]
    streaks = strokes(cell.shape, np.stack([middle - along, middle + along], 1), layers=2)
    return (3.2 * blur(streaks, 0.7) + 0.03 * cell.thickness * (1 - 0.5 * cell.nuclear)) * cell.mask


def microtubules(cell: Cell, style: Style, rng: np.random.Generator) -> np.ndarray:
    """The fibres of the microtubule channel, evenly decorated along their length; the spindle in a dividing cell."""
    lines = strokes(cell.shape, cell.fibres, layers=3)
    if cell.body.phase == METAPHASE:
        return 1.8 * blur(lines, 0.8) * cell.mask
    hidden = 1 - 0.85 * np.clip(cell.depth / 3, 0, 1)
    decorated = np.clip(1 + 0.5 * style.grain * cell.texture.fine, 0.1, None)
    return (lines + rng.uniform(0.25, 0.65) * blur(lines, 1.2) + 0.03) * decorated * hidden * cell.mask


def microtubule_ends(cell: Cell, style: Style, rng: np.random.Generator) -> np.ndarray:
    """Comets of some px at the growing (plus) ends only, many of them out in the cell; the fibres themselves faint."""
    n, points = cell.fibres.shape[:2]
    growing = rng.random(n) < min(0.9, 0.6 * style.count)
    # A fibre seen at one moment may end short of where it will grow to: the comet sits where it ends now.
    last = np.minimum(points - 1, (points * rng.uniform(0.65, 1.25, n)).astype(int))[growing]
    tips = cell.fibres[growing, last]
    back = cell.fibres[growing, np.maximum(last - 1, 0)] - tips
    length = rng.uniform(2.0, 6.0, (len(tips), 1)) * style.size * cell.scale
    tails = tips + back * length / np.maximum(np.linalg.norm(back, axis=1, keepdims=True), 1.0)
    comets = blur(strokes(cell.shape, np.stack([tails, tips], 1), width=1, layers=2), 0.6)
    heads = spots(cell.shape, tips, np.full(len(tips), 0.9 * style.size * cell.scale), np.full(len(tips), 0.55))
    faint = strokes(cell.shape, cell.fibres, layers=3)
    hidden = 1 - 0.85 * np.clip(cell.depth / 3, 0, 1)
    return (1.5 * comets + heads + 0.14 * faint + 0.02) * hidden * cell.mask


def cytokinetic_bridge(cell: Cell, style: Style, rng: np.random.Generator) -> np.ndarray:
    """The thin link between two daughters, brightest beside its middle (the midbody); nothing in other cells."""
    if cell.body.phase != CYTOKINESIS:
        return np.zeros(cell.shape, np.float32)
    a, b = bridge_ends(cell.body)
    link = blur(strokes(cell.shape, np.array([[a, b]]), width=2, layers=1), 0.7)
    along = (b - a) / np.linalg.norm(b - a)
    flanks = (a + b) / 2 + np.array([-1.0, 1.0])[:, None] * rng.uniform(0.5, 2.5) * cell.scale * along
    midbody = spots(cell.shape, flanks, np.full(2, 1.7 * style.size * cell.scale), np.full(2, 0.9))
    return (1.2 * link + midbody).astype(np.float32)


def mitotic_spindle(cell: Cell, style: Style, rng: np.random.Generator) -> np.ndarray:
    """The spindle of a dividing cell, from its poles to the chromosomes; nothing in other cells."""
    if cell.body.phase != METAPHASE:
        return np.zeros(cell.shape, np.float32)
    fibres = blur(strokes(cell.shape, cell.fibres, layers=3), 1.0 * style.size)
    poles = spots(
        cell.shape, cell.fibres[:, 0], np.full(len(cell.fibres), 2.2), np.full(len(cell.fibres), rng.uniform(0, 0.04))
    )
    return (2.0 * fibres + poles + 0.06) * cell.mask
