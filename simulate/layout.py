"""Where the cells of a field lie and what shape they and their nuclei have; cells may be cut by the border."""

from dataclasses import dataclass
from itertools import islice

import numpy as np

from simulate.brush import Outline, angles, ellipse_radii, wobble
from simulate.cell_lines import CellLine
from simulate.labels import LabelSet

CYTOKINETIC_BRIDGE, MITOTIC_SPINDLE = 16, 17
INTERPHASE, METAPHASE, CYTOKINESIS = "interphase", "metaphase", "cytokinesis"
DIVIDING_SHARE = 0.008
REFERENCE_SIZE = 512


@dataclass(frozen=True)
class Body:
    """The shape of one cell, in px of the field; for a cell in cytokinesis, of both daughters together.

    Attributes
    ----------
    phase : str
        INTERPHASE, METAPHASE or CYTOKINESIS.
    outlines, nuclei : tuple of Outline
        One each, two in cytokinesis. In metaphase the "nucleus" is the plate of chromosomes.
    axis : float
        Long axis of the cell; of the spindle or the bridge in a dividing cell. Radians.
    radius : float
        Mean radius of the (interphase) nucleus, px.
    """

    phase: str
    outlines: tuple[Outline, ...]
    nuclei: tuple[Outline, ...]
    axis: float
    radius: float


def lay_out(line: CellLine, labels: LabelSet, size: int, scale: float, rng: np.random.Generator) -> list[Body]:
    """The cells of one field.

    Parameters
    ----------
    line : CellLine
    labels : tuple of int
        A field of mitotic spindles or cytokinetic bridges has one to three cells in that phase.
    size : int
        Side of the field, px. A smaller field shows fewer cells, not smaller ones.
    scale : float
        Magnification.
    rng : numpy.random.Generator
    """
    radius = line.nucleus * scale
    centres = _centres(line, size, radius, scale, rng)
    centres, phases = _make_room(*choose_phases(centres, labels, size, rng), radius)
    flow = rng.uniform(0, np.pi)
    spread = line.spread * rng.lognormal(0, 0.1)
    return [
        _body(centre, phase, line, radius, spread, flow, rng) for centre, phase in zip(centres, phases, strict=True)
    ]


def _centres(line: CellLine, size: int, radius: float, scale: float, rng: np.random.Generator) -> np.ndarray:
    """Centres of nuclei, (n, 2), a margin around the field included; no two nearer than nuclei allow, one inside."""
    margin = radius * line.spread
    crowding = rng.lognormal(0, 0.35) if rng.random() > 0.05 else 0.2
    area = ((size + 2 * margin) / (REFERENCE_SIZE * scale)) ** 2
    wanted = max(3, round(line.count * crowding * area))
    centres = rng.uniform(0.15 * size, 0.85 * size, (1, 2))
    for _ in range(6 * wanted):
        if len(centres) == wanted:
            break
        if rng.random() < line.clumping:
            angle, reach = rng.uniform(0, 2 * np.pi), rng.uniform(2.0, 1.25 * (1 + line.spread)) * radius
            centre = centres[rng.integers(len(centres))] + reach * np.array([np.cos(angle), np.sin(angle)])
        else:
            centre = rng.uniform(-margin, size + margin, 2)
        inside = (centre > -margin).all() and (centre < size + margin).all()
        if inside and ((centres - centre) ** 2).sum(1).min() > (1.95 * radius) ** 2:
            centres = np.vstack([centres, centre])
    return centres


def choose_phases(
    centres: np.ndarray, labels: LabelSet, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, list[str]]:
    """The phase of each cell: random, except one to three cells that the labels require, which are moved inside."""
    centres = centres.copy()
    phases = rng.choice([INTERPHASE, METAPHASE, CYTOKINESIS], len(centres), p=_phase_shares()).tolist()
    free = iter(np.argsort(abs(centres - size / 2).max(1) + rng.uniform(0, 0.25 * size, len(centres))))
    for label, phase in ((MITOTIC_SPINDLE, METAPHASE), (CYTOKINETIC_BRIDGE, CYTOKINESIS)):
        if label in labels:
            for i in islice(free, min(int(rng.integers(1, 4)), max(1, len(centres) // 4))):
                phases[i] = phase
                centres[i] = np.clip(centres[i], 0.15 * size, 0.85 * size)
    return centres, phases


def _make_room(centres: np.ndarray, phases: list[str], radius: float) -> tuple[np.ndarray, list[str]]:
    """Leave out the interphase cells that a dividing cell would lie upon."""
    reach = {METAPHASE: 2.2 * radius, CYTOKINESIS: 3.2 * radius}
    dividing = [(centre, reach[phase]) for centre, phase in zip(centres, phases, strict=True) if phase in reach]
    kept = [
        i
        for i, phase in enumerate(phases)
        if phase in reach or all(np.linalg.norm(centres[i] - centre) > far for centre, far in dividing)
    ]
    return centres[kept], [phases[i] for i in kept]


def _phase_shares() -> tuple[float, float, float]:
    return 1 - 2 * DIVIDING_SHARE, DIVIDING_SHARE, DIVIDING_SHARE


def _body(
    centre: np.ndarray, phase: str, line: CellLine, radius: float, spread: float, flow: float, rng: np.random.Generator
) -> Body:
    """One cell around `centre`; `radius` is the mean of the field, the cell's own differs."""
    radius = radius * rng.lognormal(0, 0.11)
    if phase == METAPHASE:
        return _metaphase(centre, radius, rng)
    if phase == CYTOKINESIS:
        return _cytokinesis(centre, radius, rng)
    axis = flow + rng.normal(0, 0.9) if line.elongation > 1.5 else rng.uniform(0, np.pi)
    aspect = 1 + (line.nucleus_aspect - 1) * rng.gamma(4, 1 / 4)
    nucleus = ellipse_radii(radius, aspect, axis + rng.normal(0, 0.25))
    nucleus *= wobble(line.lobes * rng.gamma(2, 0.5), range(2, 6), rng)
    elongation = 1 + (line.elongation - 1) * rng.gamma(3, 1 / 3)
    reach = radius * spread * rng.lognormal(0, 0.18)
    cell = ellipse_radii(reach, elongation, axis) * wobble(0.07, range(2, 7), rng) * wobble(0.009, range(9, 24), rng)
    cell *= _processes(axis, rng.poisson(line.protrusions), rng)
    shift = rng.normal(0, 0.16, 2) * (reach - radius)
    outline = Outline(centre[0] + shift[0], centre[1] + shift[1], cell.astype(np.float32))
    return Body(INTERPHASE, (outline,), (Outline(centre[0], centre[1], nucleus.astype(np.float32)),), axis, radius)


def _processes(axis: float, n: int, rng: np.random.Generator) -> np.ndarray:
    """Factor on the radii for n thin processes, most of them near the long axis."""
    factor = np.ones_like(angles())
    for _ in range(n):
        towards = axis + np.pi * rng.integers(2) + rng.normal(0, 0.5)
        width, length = rng.uniform(0.1, 0.28), rng.uniform(0.4, 1.1)
        factor += length * np.exp((np.cos(angles() - towards) - 1) / width**2)
    return factor


def _metaphase(centre: np.ndarray, radius: float, rng: np.random.Generator) -> Body:
    """A rounded cell with its chromosomes in a plate across the spindle's axis."""
    axis = rng.uniform(0, np.pi)
    plate = ellipse_radii(0.42 * radius, 3.2 * rng.uniform(0.8, 1.2), axis + np.pi / 2) * wobble(
        0.06, range(5, 20), rng
    )
    cell = ellipse_radii(1.35 * radius, rng.uniform(1, 1.2), axis) * wobble(0.015, range(2, 12), rng)
    x, y = centre
    return Body(METAPHASE, (Outline(x, y, cell),), (Outline(x, y, plate),), axis, radius)


def _cytokinesis(centre: np.ndarray, radius: float, rng: np.random.Generator) -> Body:
    """Two daughters with small dense nuclei, still joined by a bridge along the axis."""
    axis = rng.uniform(0, np.pi)
    towards = np.array([np.cos(axis), np.sin(axis)])
    apart = radius * rng.uniform(1.45, 1.85)
    outlines, nuclei = [], []
    for side in (-1, 1):
        middle = centre + side * apart * towards
        x, y = middle
        cell = ellipse_radii(1.15 * radius, rng.uniform(1, 1.35), axis + rng.normal(0, 0.4))
        outlines.append(Outline(x, y, cell * wobble(0.05, range(2, 9), rng)))
        nucleus = ellipse_radii(0.62 * radius, rng.uniform(1.1, 1.5), axis + np.pi / 2 + rng.normal(0, 0.3))
        x, y = middle + 0.15 * side * radius * towards
        nuclei.append(Outline(x, y, nucleus * wobble(0.05, range(2, 8), rng)))
    return Body(CYTOKINESIS, tuple(outlines), tuple(nuclei), axis, radius)
