"""Bright objects of each cell: connected components above a threshold set for its compartment."""

from dataclasses import dataclass

import numpy as np

from features.core.cells import Cells
from features.core.maxima import values_at
from features.core.packed_crops import PARTS, PackedCrops
from store.channels import Channel
from store.columns import Column

SMALLEST = 0.0025  # smaller objects are noise: in squared nucleus diameters (3 px at least)
SETS = (("Cells", "otsu"), ("Nuclei", "otsu"), ("Cytoplasm", "otsu"), ("Cells", "peak"))
OBJECTS = (
    "ObjectCount", "ObjectAreaShare", "ObjectMassShare", "ObjectContrast", "ObjectSeparability", "ObjectMeanArea",
    "ObjectMeanEccentricity", "ObjectMeanNucleusDistance", "ObjectHoles", "ObjectSpread",
)  # fmt: skip
LARGEST = (
    "LargestAreaShare", "LargestMassShare", "LargestArea", "LargestEccentricity", "LargestHoles",
    "LargestNucleusDistance", "LargestCentreDistance",
)  # fmt: skip


def object_columns(family: str, channel: Channel) -> tuple[Column, ...]:
    """The columns of all sets of objects."""
    names = (*OBJECTS, *LARGEST)
    return tuple(Column(where, family, name, (channel,), (how,)) for where, how in SETS for name in names)


@dataclass(frozen=True)
class Objects:
    """The objects of a batch, ascending by set and cell; each attribute is (n_objects,).

    Attributes
    ----------
    offsets : ndarray of int64, shape (n_sets * n_cells + 1,)
        Set k of cell i owns the objects from offsets[k * n_cells + i] on.
    owner : ndarray of int64
        set * n_cells + cell of each.
    area, mass : ndarray of float64
        In px, and the sum of the stain.
    away : ndarray of float64
        Mean distance of its pixels to the border of the nucleus, negative inside, px; NaN without nucleus.
    y, x : ndarray of float64
        Centroid from the corner of the cell's box.
    eccentricity, holes : ndarray
    """

    offsets: np.ndarray
    owner: np.ndarray
    area: np.ndarray
    mass: np.ndarray
    away: np.ndarray
    y: np.ndarray
    x: np.ndarray
    eccentricity: np.ndarray
    holes: np.ndarray


def measure_objects(crops: PackedCrops, channel: Channel, cells: Cells, unit: np.ndarray) -> list[np.ndarray]:
    """Measure the objects of a channel, smoothed at the finest scale, in the order of `object_columns`.

    "otsu" objects lie above Otsu's threshold of the compartment, "peak" objects above half the way from the mean of
    the cell to its largest value.
    """
    xp = cells.device.xp
    values = crops.smooth[channel][0]
    found = cells.device.kernels.objects.thresholds(values, crops.parts, crops.starts)
    otsu, separability, mean, top = xp.moveaxis(found[[PARTS[compartment] for compartment, _ in SETS]], 2, 0)
    level = xp.where(xp.array([[how == "otsu"] for _, how in SETS]), otsu, (mean + top) / 2)
    objects = _find(values, level, unit, crops, cells)
    counts = xp.stack([cells.regions[compartment].counts for compartment, _ in SETS])
    size = xp.where(counts > 0, counts, xp.nan).ravel()
    units, middles = xp.tile(unit, len(SETS)), xp.tile(cells.centres, (len(SETS), 1))
    out = _all_objects(objects, size, mean.ravel() * size, separability.ravel(), units, cells)
    out += _largest_object(objects, middles, units, cells)
    return [values[k * cells.n : (k + 1) * cells.n] for k in range(len(SETS)) for values in out]


def _find(values: np.ndarray, level: np.ndarray, unit: np.ndarray, crops: PackedCrops, cells: Cells) -> Objects:
    """The objects above the level of each set and cell, (n_sets, n_cells)."""
    xp = cells.device.xp
    smallest = xp.maximum(3, SMALLEST * xp.where(xp.isfinite(unit), unit, 0) ** 2)
    wanted = xp.array([PARTS[compartment] for compartment, _ in SETS], np.uint8)
    distances = (cells.distance_to_nucleus, cells.distance_inside_nucleus)
    owner, offsets, euler, sums = cells.device.kernels.objects.find_objects(
        values, crops.parts, crops.starts, cells.field, cells.boxes, wanted, level, smallest, *distances
    )
    area = sums[:, 0]
    y, x = sums[:, 1] / area, sums[:, 2] / area
    yy, yx, xx = sums[:, 3] / area - y * y, sums[:, 4] / area - y * x, sums[:, 5] / area - x * x
    spread = xp.hypot((yy - xx) / 2, yx)
    return Objects(
        offsets=offsets,
        owner=owner,
        area=area,
        mass=sums[:, 6],
        away=xp.where(cells.regions["Nuclei"].counts[owner % cells.n] > 0, (sums[:, 7] - sums[:, 8]) / area, xp.nan),
        y=y,
        x=x,
        eccentricity=xp.sqrt(xp.minimum(1, 2 * spread / ((yy + xx) / 2 + spread))),
        holes=1 - euler,
    )


def _all_objects(
    objects: Objects, size: np.ndarray, total: np.ndarray, separability: np.ndarray, unit: np.ndarray, cells: Cells
) -> list[np.ndarray]:
    """Properties of all objects of each cell, in the order of `OBJECTS`; size and total are the compartment's."""
    xp, sums = cells.device.xp, cells.device.kernels.points.sums
    exists = xp.where(size > 0, 1, xp.nan)
    count = objects.offsets[1:] - objects.offsets[:-1]
    moments = [objects.mass * objects.y, objects.mass * objects.x]
    others = [objects.eccentricity, objects.area * objects.away, objects.holes.astype(np.float64)]
    given = xp.stack([objects.area, objects.mass, *moments, *others])
    area, mass, y, x, eccentricity, away, holes = sums(given, objects.offsets)
    squares = (objects.y - (y / mass)[objects.owner]) ** 2 + (objects.x - (x / mass)[objects.owner]) ** 2
    (spread,) = sums((objects.mass * squares)[None], objects.offsets)
    return [
        count * exists,
        area / size,
        mass / total,
        (mass / area) / ((total - mass) / (size - area)),
        separability,
        area / count / unit**2,
        eccentricity / count,
        away / area / unit,
        holes * exists,
        xp.sqrt(spread / mass) / unit,
    ]


def _largest_object(objects: Objects, centres: np.ndarray, unit: np.ndarray, cells: Cells) -> list[np.ndarray]:
    """Properties of each cell's largest object (of equal ones the first), in the order of `LARGEST`."""
    xp, kernels = cells.device.xp, cells.device.kernels.points
    which, _ = kernels.two_highest(objects.area, objects.offsets)
    values = (objects.area, objects.mass, objects.eccentricity, objects.holes, objects.away, objects.y, objects.x)
    area, mass, eccentricity, holes, away, y, x = values_at(which, values, xp)
    total_area, total_mass = kernels.sums(xp.stack([objects.area, objects.mass]), objects.offsets)
    return [
        area / total_area,
        mass / total_mass,
        area / unit**2,
        eccentricity,
        holes,
        away / unit,
        xp.hypot(y - centres[:, 0], x - centres[:, 1]) / unit,
    ]
