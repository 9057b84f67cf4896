"""Bright spots and bright objects in a cell: how many, how large, how bright, of what form, and where.

Vesicles are many small spots in the cytoplasm, nuclear bodies few larger ones in the nucleus, a centrosome is one or
two spots beside it, a Golgi or an aggresome is the one large object, rods and rings are long or have a hole. Spots are
maxima of the difference of two local means taken inside the cell's own mask, at two scales tied to the field's
median nucleus ("fine" and "coarse"); objects are connected pixels above a threshold set for each cell. The brightest
spot of the microtubules stands for the organising centre. Lengths and areas are in median nucleus diameters (squared).
"""

import math

import numpy as np

from features.core.cells import Cells
from features.core.maxima import Points, find_maxima, values_at
from features.core.objects import measure_objects, object_columns
from features.core.packed_crops import PARTS, PackedCrops, pack_crops
from store.channels import COMPARTMENTS, MICROTUBULES, PROTEIN
from store.columns import Column

BANDS = ("fine", "coarse")
NOISE = 4  # a spot's response exceeds this multiple of the band's noise (its swing below zero),
PROMINENCE = 0.25  # exceeds the brightest pixel around it by this share of itself, which the side of a step does not,
CONTRAST = 0.05  # and exceeds this share of the mean of its compartment
LARGE = 2**22  # px of the crops of a field whose stains are smoothed one after the other
COUNTED = ("Count", "Density", "Excess", "MeanContrast", "MeanNucleusDistance")
SPACED = ("NearestDistance", "Regularity")  # of spots in one compartment
WHERE = ("ShareInNucleus", "MeanBorderDistance", "ContrastVariation")
BRIGHTEST = (
    "BrightestContrast", "BrightestToSecond", "BrightestNucleusDistance", "BrightestCentreDistance",
    "BrightestPairDistance",
)  # fmt: skip
AT_CENTRE = ("LevelAtOrganisingCentre", "ContrastAtOrganisingCentre")


def columns() -> tuple[Column, ...]:
    """The family's columns."""
    out = []
    for band in BANDS:
        for compartment in COMPARTMENTS:
            names = COUNTED if compartment == "Cells" else (*COUNTED, *SPACED)
            out += [Column(compartment, "Spots", name, (PROTEIN,), (band,)) for name in names]
        out += [Column("Cells", "Spots", name, (PROTEIN,), (band,)) for name in (*WHERE, *BRIGHTEST)]
    out += [Column("Cells", "Spots", name, (MICROTUBULES,), ("coarse",)) for name in BRIGHTEST]
    out += [Column("Cells", "Spots", name, (MICROTUBULES, PROTEIN)) for name in AT_CENTRE]
    return (*out, *object_columns("Spots", PROTEIN))


def measure(cells: Cells) -> np.ndarray:
    """Measure the family; float32, shape (n_cells, n_columns)."""
    xp = cells.device.xp
    crops, tubules = _crops_and_tubules(cells)
    unit = cells.nucleus_diameter[cells.field]
    out = []
    with np.errstate(divide="ignore", invalid="ignore"):
        levels = {compartment: cells.mean_level(compartment, PROTEIN) for compartment in COMPARTMENTS}
        for k in range(len(BANDS)):
            points, noise = find_maxima(PROTEIN, k, PROMINENCE, crops, cells)
            out += _spots(points, noise, levels, crops, cells)
            out += _brightest(points, levels["Cells"], cells)[0]
        level = cells.mean_level("Cells", MICROTUBULES)
        found, first = _brightest(tubules, level, cells)
        out += found
        middle, coarse = (crops.smooth[PROTEIN][scale][tubules.packed] for scale in (1, 2))
        out += [*(values_at(first, (middle, middle - coarse), xp) / levels["Cells"])]
        out += measure_objects(crops, PROTEIN, cells, unit)
    values = xp.array(out).T
    return xp.where(xp.isfinite(values), values, xp.nan).astype(np.float32)


def _crops_and_tubules(cells: Cells) -> tuple[PackedCrops, Points]:
    """The protein's crops, and the microtubules' coarse maxima.

    The crops of a large field take 200 MB if both stains are smoothed at once: then one comes after the other, at the
    cost of the masks' smoothing.
    """
    if len(cells.pixels) == 1 and cells.n_crop_pixels > LARGE:
        tubules, _ = find_maxima(MICROTUBULES, 1, PROMINENCE, pack_crops(cells, {MICROTUBULES: 1}), cells)
        return pack_crops(cells, {PROTEIN: 0}), tubules
    crops = pack_crops(cells, {MICROTUBULES: 1, PROTEIN: 0})
    return crops, find_maxima(MICROTUBULES, 1, PROMINENCE, crops, cells)[0]


def _spots(
    points: Points, noise: np.ndarray, levels: dict[str, np.ndarray], crops: PackedCrops, cells: Cells
) -> list[np.ndarray]:  # fmt: skip
    """Counts, brightness and places of the maxima that stand out, in the order of the columns."""
    xp = cells.device.xp
    unit = cells.nucleus_diameter[cells.field]
    response, part = points.response, crops.parts[points.packed]
    in_nucleus = part == PARTS["Nuclei"]
    level = xp.stack([levels[compartment] for compartment in COMPARTMENTS])
    own_level = xp.where(in_nucleus, levels["Nuclei"][points.owner], levels["Cytoplasm"][points.owner])
    stands_out = (response > NOISE * noise[points.owner, part - 1]) & (response > CONTRAST * own_level)
    kept = xp.stack([stands_out, stands_out & in_nucleus, stands_out & ~in_nucleus])
    size = xp.stack([cells.regions[compartment].counts for compartment in COMPARTMENTS])
    size = xp.where(size > 0, size, xp.nan)
    border = cells.distance_to_cell_border.ravel()[points.flat]
    given = xp.stack([stands_out, response, points.away, border]).astype(np.float64)
    count, total, away, border = _sums(given[:, None], kept, points, cells)
    density = count / size
    counted = (
        density * size,
        density * unit**2,
        total / (level * size),
        total / count / level,
        away / count / unit,
    )
    nearest = cells.device.kernels.points.nearest_distances
    gaps = xp.stack([nearest(points.y, points.x, mine, points.offsets) for mine in kept[1:]])
    gap = _sums(gaps, kept[1:], points, cells) / count[1:]
    spaced = (gap / unit, 2 * gap * xp.sqrt(density[1:]))
    out = [values[0] for values in counted]
    for k in (1, 2):
        out += [*(values[k] for values in counted), *(values[k - 1] for values in spaced)]
    mean = total[0] / count[0]
    squares = _sums((response - mean[points.owner]) ** 2, stands_out, points, cells)
    has_nucleus = xp.where(cells.regions["Nuclei"].counts > 0, 1, xp.nan)
    return [
        *out,
        count[1] / count[0] * has_nucleus,
        border[0] / count[0] / unit,
        xp.sqrt(squares / count[0]) / mean,
    ]


def _sums(values: np.ndarray, kept: np.ndarray, points: Points, cells: Cells) -> np.ndarray:
    """Sums of values over the kept points of each cell, (..., n_cells), of arrays that broadcast to (..., n_points)."""
    chosen = cells.device.xp.where(kept, values, 0)
    rows = math.prod(chosen.shape[:-1])
    sums = cells.device.kernels.points.sums(chosen.reshape(rows, len(points.owner)), points.offsets)
    return sums.reshape(*chosen.shape[:-1], len(points.offsets) - 1)


def _brightest(points: Points, level: np.ndarray, cells: Cells) -> tuple[list[np.ndarray], np.ndarray]:
    """The two brightest maxima of each cell, in the order of `BRIGHTEST`; and the index of the first, -1 if none."""
    xp = cells.device.xp
    unit = cells.nucleus_diameter[cells.field]
    which = cells.device.kernels.points.two_highest(points.response.astype(np.float64), points.offsets)
    of_points = (points.y, points.x, points.response, points.away)
    (y, second_y), (x, second_x), (response, second), (away, _) = values_at(which, of_points, xp)
    return [
        response / level,
        response / second,
        away / unit,
        xp.hypot(y - cells.centres[:, 0], x - cells.centres[:, 1]) / unit,
        xp.hypot(y - second_y, x - second_x) / unit,
    ], which[0]
