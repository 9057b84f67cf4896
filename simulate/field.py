"""One field, from its plan to its four pictures."""

import numpy as np

from simulate.brush import spots
from simulate.camera import photograph, set_up_camera
from simulate.cell import Cell, claim_pixels, make_texture
from simulate.landmarks import finish_cell, paint_er, paint_microtubules, paint_nucleus
from simulate.layout import REFERENCE_SIZE, lay_out
from simulate.organelles import RECIPES
from simulate.plan import FieldPlan


def draw_field(plan: FieldPlan, size: int, seed: int) -> np.ndarray:
    """Draw one field.

    Its random numbers come from `SeedSequence([seed, plan.index])`: they do not depend on what else is drawn.

    Returns
    -------
    ndarray of uint8, shape (4, size, size)
        Microtubules, protein, nucleus, ER.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, plan.index]))
    planes = np.zeros((4, size, size), np.float32)
    for cell in make_cells(plan, size, rng):
        own = np.random.default_rng(rng.integers(2**63))
        for plane, painted in zip(planes, _paint(cell, plan, own), strict=True):
            plane[cell.window] += painted
    planes[1] += _debris(plan, size, rng)
    return photograph(planes, set_up_camera(plan.style.gain, rng), rng)


def make_cells(plan: FieldPlan, size: int, rng: np.random.Generator) -> list[Cell]:
    """The cells of a field, ready to be painted."""
    scale = float(np.clip(rng.lognormal(0, 0.14), 0.7, 1.4))
    bodies = lay_out(plan.cell_line, plan.labels, size, scale, rng)
    texture = make_texture(size, rng)
    return [finish_cell(claim, texture, scale, rng) for claim in claim_pixels(bodies, size)]


def _paint(cell: Cell, plan: FieldPlan, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """The cell's four channels in its window."""
    return paint_microtubules(cell, rng), paint_protein(cell, plan, rng), paint_nucleus(cell, rng), paint_er(cell, rng)


def paint_protein(cell: Cell, plan: FieldPlan, rng: np.random.Generator) -> np.ndarray:
    """Unspecific haze, and each labelled organelle with its weight, as strongly as this cell expresses the protein."""
    style = plan.style
    expression = rng.lognormal(0, style.variation) if rng.random() < style.expressing else rng.uniform(0, 0.25)
    haze = style.haze_nucleus * cell.nuclear + style.haze_cytoplasm * cell.thickness * cell.cytoplasm
    painted = haze * np.clip(1 + style.grain * cell.texture.fine, 0, None)
    for label, weight in zip(plan.labels, style.weights, strict=True):
        strength = expression * weight * rng.lognormal(0, 0.2)
        painted = painted + np.float32(strength) * RECIPES[label](cell, style, rng)
    return painted


def _debris(plan: FieldPlan, size: int, rng: np.random.Generator) -> np.ndarray:
    """Stained specks that belong to no cell."""
    n = rng.poisson(plan.style.debris * (size / REFERENCE_SIZE) ** 2)
    centres = rng.uniform(0, size, (n, 2))
    return spots((size, size), centres, rng.uniform(0.6, 2.2, n), rng.uniform(0.1, 1.2, n))
