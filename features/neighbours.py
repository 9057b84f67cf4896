"""Neighbours: distances and contacts of each cell, and the bridge to its nearest neighbour.

A protein of cell junctions lines the contacts with other cells and not the free edge; one of the plasma membrane lines
both. After a division the two daughters are alike, close and joined by a thin bridge of microtubules: between their
nuclei every crossing of the line is bright at one place. Distances are between nuclei, in median nucleus diameters of
the field; levels are relative to the mean of the cell, along the bridge to that of both cells.
"""

from types import ModuleType

import numpy as np

from features.core.cells import Cells
from store.channels import CHANNELS, ER, MICROTUBULES, PROTEIN
from store.columns import Column

NEIGHBOURS_MATTER = True
REACHES = (2, 4)  # in nucleus diameters
GAP = 0.04  # two cells touch across at most this part of a nucleus diameter (2 px at least)
DEPTH = 0.04  # a membrane is looked for this far inside the border (1 px at least)
STEP = 0.05  # the space between two nuclei is sampled at this distance (1 px at least)
BORDER_STAINS = {
    PROTEIN: ("ContactLevel", "FreeLevel", "ContactContrast", "ContactPeak", "FreePeak"),
    MICROTUBULES: ("FreeLevel", "ContactContrast"),
    ER: ("FreeLevel",),
}
PLACE = (
    "FirstDistance", "SecondDistance", "AngleBetween", "FirstIsMutual", "FirstNucleusAreaRatio",
    *(f"CountWithin{reach}" for reach in REACHES), "Touching", "ContactShare", "LargestContactShare", "CutShare",
)  # fmt: skip
BRIDGE = ("BridgeContinuity", "BridgePeak", "BridgeNeck", "BridgeSharpness")


def columns() -> tuple[Column, ...]:
    """The family's columns."""
    return (
        *(Column("Cells", "Neighbors", name) for name in PLACE),
        *(Column(whose, "Neighbors", "FirstLevelShare", (c,)) for whose in ("Cells", "Nuclei") for c in CHANNELS),
        *(Column("Cells", "Neighbors", name, (c,)) for c, names in BORDER_STAINS.items() for name in names),
        Column("Cells", "Neighbors", "BridgeThickness"),
        *(Column("Cells", "Neighbors", name, (c,)) for c in CHANNELS for name in BRIDGE),
    )


def measure(cells: Cells) -> np.ndarray:
    """Measure the family; float32, shape (n_cells, n_columns)."""
    xp, kernels = cells.device.xp, cells.device.kernels.neighbours
    unit = cells.nucleus_diameter[cells.field]
    centres = cells.centres
    reach = xp.asarray(REACHES) * unit[:, None]
    first, within = kernels.nearest(cells.field, cells.boxes, centres, reach)
    levels, nuclear = (
        xp.stack([cells.mean_level(compartment, channel) for channel in CHANNELS], axis=1)
        for compartment in ("Cells", "Nuclei")
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        contacts, stains = _borders(cells, levels, unit)
        out = _place(cells, centres, first, unit, xp)
        out += [xp.where(xp.isfinite(unit), count, xp.nan) for count in within.T]
        out += contacts
        for mean in (levels, nuclear):
            share = mean / (mean + mean[first[:, 0]])
            out += [*xp.where(first[:, :1] >= 0, share, xp.nan).T]
        out += stains
        out += _bridge(cells, centres, first[:, 0], levels, unit)
    values = xp.array(out).T
    return xp.where(xp.isfinite(values), values, xp.nan).astype(np.float32)


def _place(cells: Cells, centres: np.ndarray, near: np.ndarray, unit: np.ndarray, xp: ModuleType) -> list[np.ndarray]:
    """Distances and angle of the two nearest cells, and whether the nearest could be a sister."""
    corner = cells.boxes[:, :2]
    away = []
    for j in near.T:
        step = corner[j] - corner + (centres[j] - centres)
        away.append(xp.where(j[:, None] >= 0, step, xp.nan))
    distance = [xp.hypot(*step.T) for step in away]
    cosine = (away[0] * away[1]).sum(axis=1) / (distance[0] * distance[1])
    area = xp.where(cells.regions["Nuclei"].counts > 0, cells.regions["Nuclei"].counts, xp.nan)
    alone = near[:, 0] < 0
    mutual = near[near[:, 0], 0] == xp.arange(cells.n)
    smaller, larger = xp.minimum(area, area[near[:, 0]]), xp.maximum(area, area[near[:, 0]])
    return [
        distance[0] / unit,
        distance[1] / unit,
        xp.degrees(xp.arccos(xp.clip(cosine, -1, 1))),
        xp.where(alone, xp.nan, mutual),
        xp.where(alone, xp.nan, smaller / larger),
    ]


def _borders(cells: Cells, levels: np.ndarray, unit: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """What the border touches, and the stains along contacts and free edges, in the order of the columns."""
    xp = cells.device.xp
    scale = xp.where(xp.isfinite(unit), unit, 0)
    gap = xp.maximum(2, xp.rint(GAP * scale)).astype(np.int64)
    depth = xp.maximum(1, xp.rint(DEPTH * scale)).astype(np.int64)
    index = [channel.index for channel in BORDER_STAINS]
    counts, sums, sizes, peaks = cells.device.kernels.neighbours.borders(
        cells.pixels[:, index], cells.cell_labels, cells.field, cells.boxes, gap, depth
    )
    uncut = counts[:, 0] + counts[:, 1]
    contacts = [counts[:, 3], counts[:, 0] / uncut, counts[:, 4] / uncut, counts[:, 2] / (uncut + counts[:, 2])]
    stains = []
    for k, (channel, names) in enumerate(BORDER_STAINS.items()):
        level = levels[:, channel.index]
        contact, free = (sums[:, kind, k] / sizes[:, kind] for kind in (0, 1))
        found = {
            "ContactLevel": contact / level,
            "FreeLevel": free / level,
            "ContactContrast": (contact - free) / (contact + free),
            "ContactPeak": peaks[:, 0, k] / level,
            "FreePeak": peaks[:, 1, k] / level,
        }
        stains += [found[name] for name in names]
    return contacts, stains


def _bridge(
    cells: Cells, centres: np.ndarray, partner: np.ndarray, levels: np.ndarray, unit: np.ndarray
) -> list[np.ndarray]:
    """What lies between the nucleus and the nearest other one."""
    xp = cells.device.xp
    step = xp.maximum(1, xp.floor(STEP * xp.where(xp.isfinite(unit), unit, 0))).astype(np.int64)
    thickness, found = cells.device.kernels.bridge.crossings(
        cells.pixels, cells.cell_labels, cells.field, cells.boxes, centres, partner, unit, step
    )
    out = [thickness / unit]
    for k in range(len(CHANNELS)):
        both = (levels[:, k] + levels[partner, k]) / 2
        out += [*(found[:, k, kind] / both for kind in range(3)), found[:, k, 3]]
    return out
