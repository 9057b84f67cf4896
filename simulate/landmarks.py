"""The three stains that every field has: nucleus, microtubules and endoplasmic reticulum, cell by cell."""

import numpy as np

from simulate.brush import Outline, blur, scatter, strokes
from simulate.cell import Cell, Claim, Texture
from simulate.layout import CYTOKINESIS, INTERPHASE, METAPHASE, Body

FIBRE_POINTS = 14


def finish_cell(claim: Claim, texture: Texture, scale: float, rng: np.random.Generator) -> Cell:
    """Give a claimed cell its organizing centre, nucleoli and microtubules."""
    body = claim.body
    mtoc = _organizing_centre(body, rng)
    n_fibres = int(np.clip(rng.normal(0.022, 0.004) * np.count_nonzero(claim.mask), 14, 190))
    draw_fibres = {INTERPHASE: _interphase_fibres, METAPHASE: _spindle_fibres, CYTOKINESIS: _bridge_fibres}[body.phase]
    return Cell(
        claim.window,
        body,
        claim.mask,
        claim.nucleus,
        claim.contact,
        texture.window(claim.window),
        scale,
        claim.share,
        mtoc,
        _nucleoli(body, rng),
        draw_fibres(body, mtoc, n_fibres, rng),
    )


def _organizing_centre(body: Body, rng: np.random.Generator) -> np.ndarray:
    """Beside the nucleus, mostly on the side where the cell is wider."""
    nucleus, cell = body.nuclei[0], body.outlines[0]
    wider = np.arctan2(cell.y - nucleus.y, cell.x - nucleus.x)
    angle = wider + rng.normal(0, 0.9)
    return nucleus.points(np.array([angle]), np.array([rng.uniform(1.08, 1.25)]))[0]


def _nucleoli(body: Body, rng: np.random.Generator) -> np.ndarray:
    """One to five dark bodies inside an interphase nucleus: x, y, radius."""
    if body.phase != INTERPHASE:
        return np.zeros((0, 3))
    n = 1 + rng.binomial(4, 0.35)
    middles = body.nuclei[0].points(rng.uniform(0, 2 * np.pi, n), np.sqrt(rng.uniform(0, 0.42, n)))
    radii = body.radius * rng.uniform(0.32, 0.46) * rng.uniform(0.45, 1, n) / np.sqrt(n)
    return np.column_stack([middles, radii])


def _interphase_fibres(body: Body, mtoc: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Fibres from the organizing centre outwards, bent along the cell's border, and free ones that run around."""
    cell = body.outlines[0]
    t = np.linspace(0, 1, FIBRE_POINTS)[None, :]
    anchored = rng.random(n) < 0.6
    end_angle, end_reach = rng.uniform(0, 2 * np.pi, n), np.sqrt(rng.uniform(0.25, 0.98, n))
    turn = rng.normal(0, 0.6, n)
    tips = cell.points(end_angle + turn, end_reach)
    control = cell.points(end_angle, rng.uniform(0.55, 0.95, n))
    rays = _bezier(np.broadcast_to(mtoc, tips.shape), control, tips, t)
    sweep = rng.normal(0, 0.9, n)[:, None] * t
    reach = np.clip(
        end_reach[:, None] * rng.uniform(0.6, 1, n)[:, None] + rng.normal(0, 0.18, n)[:, None] * t, 0.2, 0.98
    )
    arcs = cell.points(end_angle[:, None] + sweep, reach)
    lines = np.where(anchored[:, None, None], rays, arcs)
    return lines + _waves(n, 0.035 * body.radius, rng)


def _bezier(start: np.ndarray, control: np.ndarray, end: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Quadratic Bezier curves: points (n, 2) and t (1, m) to lines (n, m, 2)."""
    a, b, c = ((1 - t) ** 2)[..., None], (2 * t * (1 - t))[..., None], (t**2)[..., None]
    return a * start[:, None] + b * control[:, None] + c * end[:, None]


def _waves(n: int, size: float, rng: np.random.Generator) -> np.ndarray:
    """Small bends that start at 0, (n, FIBRE_POINTS, 2)."""
    t = np.linspace(0, 1, FIBRE_POINTS)[None, :, None]
    waves = rng.uniform(4, 14, (n, 1, 2))
    return size * rng.normal(0, 1, (n, 1, 2)) * np.sin(waves * t)


def _spindle_fibres(body: Body, mtoc: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """From two poles to the plate of chromosomes, bulging, and a few astral fibres outwards."""
    cell = body.outlines[0]
    middle = np.array([cell.x, cell.y])
    along = np.array([np.cos(body.axis), np.sin(body.axis)])
    across = np.array([-along[1], along[0]])
    side = rng.choice([-1.0, 1.0], n)[:, None]
    pole = middle + side * 0.78 * body.radius * along
    offset = rng.uniform(-0.62, 0.62, (n, 1)) * body.radius
    plate = middle + offset * across - side * rng.uniform(-0.06, 0.1, (n, 1)) * body.radius * along
    control = (pole + plate) / 2 + 0.45 * offset * across
    astral = rng.random(n) < 0.2
    away = np.arctan2(side[:, 0] * along[1], side[:, 0] * along[0]) + rng.normal(0, 1.0, n)
    tip = pole + (rng.uniform(0.2, 0.45, n) * body.radius)[:, None] * np.stack([np.cos(away), np.sin(away)], -1)
    end = np.where(astral[:, None], tip, plate)
    control = np.where(astral[:, None], (pole + tip) / 2, control)
    return _bezier(pole, control, end, np.linspace(0, 1, FIBRE_POINTS)[None, :])


def _bridge_fibres(body: Body, mtoc: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Fibres of two daughters, and a bundle that runs through the bridge between them."""
    half = n // 2
    singles = [
        _interphase_fibres(Body(INTERPHASE, (o,), (k,), body.axis, body.radius), _between(o, k), half, rng)
        for o, k in zip(body.outlines, body.nuclei, strict=True)
    ]
    a, b = bridge_ends(body)
    n_bundle = max(6, n // 8)
    shift = rng.normal(0, 1.0, (n_bundle, 2))
    t = np.linspace(0, 1, FIBRE_POINTS)[None, :]
    bundle = _bezier(a + shift * 2.5, (a + b) / 2 + shift * 0.4, b + shift * 2.5, t)
    return np.concatenate([*singles, bundle])


def _between(cell: Outline, nucleus: Outline) -> np.ndarray:
    return np.array([nucleus.x, nucleus.y]) + 1.6 * np.array([cell.x - nucleus.x, cell.y - nucleus.y])


def bridge_ends(body: Body) -> tuple[np.ndarray, np.ndarray]:
    """The two ends of the bridge of a cell in cytokinesis, a little inside either daughter; x, y in px."""
    a, b = (np.array([o.x, o.y]) for o in body.outlines)
    along = (b - a) / np.linalg.norm(b - a)
    return a + 0.75 * body.radius * along, b - 0.75 * body.radius * along


def paint_nucleus(cell: Cell, rng: np.random.Generator) -> np.ndarray:
    """Chromatin: uneven, darker in the nucleoli; condensed and bright in a dividing cell. 0 to about 1.5, float32."""
    if cell.body.phase != INTERPHASE:
        return cell.nuclear * np.float32(rng.uniform(1.3, 1.8)) * (1 + 0.15 * cell.texture.medium)
    chromatin = 0.72 + 0.13 * cell.texture.medium + 0.09 * cell.texture.fine + 0.06 * cell.texture.coarse
    chromatin = chromatin * (1 - np.float32(rng.uniform(0.55, 0.9)) * cell.nucleolar)
    return np.clip(chromatin, 0.02, None) * cell.nuclear * np.float32(rng.lognormal(0, 0.22))


def paint_microtubules(cell: Cell, rng: np.random.Generator) -> np.ndarray:
    """The fibres over a faint haze of unbound tubulin; hidden where the nucleus fills the height of the cell."""
    lines = strokes(cell.shape, cell.fibres, layers=3)
    if cell.body.phase == METAPHASE:
        return (2.2 * blur(lines, 0.8) + 0.10 * cell.cytoplasm) * cell.mask
    lit = 0.8 * lines + 0.55 * blur(lines, 1.3) + 0.03 + 0.04 * cell.thickness
    uneven = np.clip(1 + 0.25 * cell.texture.coarse, 0.3, None)
    hidden = 1 - np.float32(0.85) * np.clip(cell.depth / 3, 0, 1)
    bundle = 1 + 0.8 * (cell.body.phase == CYTOKINESIS) * _in_bridge(cell)
    return lit * uneven * hidden * bundle * cell.mask * np.float32(rng.lognormal(0, 0.25))


def _in_bridge(cell: Cell) -> np.ndarray:
    """1 around the bridge of a cell in cytokinesis, else 0, float32."""
    if cell.body.phase != CYTOKINESIS:
        return np.zeros(cell.shape, np.float32)
    ends = np.array(bridge_ends(cell.body))[None]
    return (strokes(cell.shape, ends, width=5, layers=1) > 0).astype(np.float32)


def reticulum(cell: Cell, reach: float) -> np.ndarray:
    """The shape of the endoplasmic reticulum: a net that thins out from the nucleus on, over `reach` nuclear radii."""
    fall = np.exp(-cell.from_nucleus / np.float32(reach * cell.body.radius))
    envelope = 0.35 * np.exp(-(((cell.from_nucleus - 1.5) / 1.6) ** 2))
    return (cell.texture.net * (0.25 + 0.85 * fall) * (0.3 + 0.7 * cell.thickness) + envelope) * cell.cytoplasm


def paint_er(cell: Cell, rng: np.random.Generator) -> np.ndarray:
    """The reticulum, with a faint shadow of what lies above and below the nucleus."""
    net = reticulum(cell, float(rng.uniform(0.9, 1.8)))
    folds = np.clip(1 + 0.3 * cell.texture.coarse, 0.2, None)
    shadow = 0.10 * np.clip(cell.depth, 0, 1) * cell.texture.net
    return (net * folds + shadow) * np.float32(rng.lognormal(-0.1, 0.25))


def cytoplasmic_points(cell: Cell, n: int, reach: float, rng: np.random.Generator) -> np.ndarray:
    """n points of the cytoplasm, denser near the nucleus: falling by 1/e over `reach` nuclear radii."""
    fall = np.exp(-cell.from_nucleus / np.float32(reach * cell.body.radius))
    return scatter(fall * cell.cytoplasm * (cell.rim > 1.5), n, rng)
