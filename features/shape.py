"""Size and outline of the nucleus and of the cell, and how the nucleus lies in its cell.

A muscle cell is long, a macrophage ragged, an apoptotic nucleus small and round; a nucleus pushed to one side makes
room for a large Golgi or an aggresome. Sizes come twice: in pixels (they depend on the camera and are marked as
covariates) and relative to the field's median nucleus. Moments that turn with the image are left out.
"""

import math
from types import ModuleType

import numpy as np

from features.core.cells import Cells
from store.columns import Column

LENGTHS = (
    "Perimeter", "MajorAxisLength", "MinorAxisLength", "EquivalentDiameter",
    "MaxFeretDiameter", "MinFeretDiameter", "MaximumRadius", "MeanRadius",
)  # fmt: skip
AREAS = ("Area", "ConvexArea")
RATIOS = (
    "FormFactor", "Eccentricity", "AspectRatio", "Roundness", "Solidity", "Extent", "EulerNumber", "FeretRatio",
    "InscribedRatio", *(f"HuMoment{k}" for k in range(1, 8)),
)  # fmt: skip
POSITION = (
    "NucleusOffset", "NucleusOffsetRelative", "NucleusOffsetAlongAxis", "NucleusOrientationDifference",
    "NucleusPerimeterRatio", "NucleusMajorAxisRatio",
)  # fmt: skip
HU_FLOOR = 1e-15  # below it a Hu moment is rounding, not shape


def columns() -> tuple[Column, ...]:
    """The family's columns."""
    out = []
    for compartment in ("Cells", "Nuclei"):
        sizes = (*LENGTHS, *AREAS)
        out += [Column(compartment, "AreaShape", name, covariate=True) for name in sizes]
        out += [Column(compartment, "AreaShape", name, parameters=("relative",)) for name in sizes]
        out += [Column(compartment, "AreaShape", name) for name in RATIOS]
    out.append(Column("Cytoplasm", "AreaShape", "NucleusAreaRatio"))
    out += [Column("Cells", "AreaShape", name) for name in POSITION]
    return tuple(out)


def measure(cells: Cells) -> np.ndarray:
    """Measure the family; float32, shape (n_cells, n_columns).

    The Euler number (objects minus holes) of the nuclei is always 1 on our own segmentation, which fills their holes;
    masks made elsewhere may have some.
    """
    xp = cells.device.xp
    unit = cells.nucleus_diameter[cells.field]
    with np.errstate(divide="ignore", invalid="ignore"):
        shapes = _outlines(cells)
        cell, nucleus = ({name: values[k] for name, values in shapes.items()} for k in range(2))
        relative = {name: shapes[name] / unit for name in LENGTHS} | {name: shapes[name] / unit**2 for name in AREAS}
        out = []
        for k, shape in enumerate((cell, nucleus)):
            out += [shape[name] for name in (*LENGTHS, *AREAS)]
            out += [values[k] for values in relative.values()]
            out += [shape[name] for name in RATIOS]
        out.append((cell["Area"] - nucleus["Area"]) / nucleus["Area"])
        out += _position(cell, nucleus, unit, xp)
    values = xp.array(out).T
    return xp.where(xp.isfinite(values), values, xp.nan).astype(np.float32)


def _outlines(cells: Cells) -> dict[str, np.ndarray]:
    """Everything measured of the masks of cells and of nuclei, each (2, n_cells); lengths in px."""
    xp = cells.device.xp
    measured = zip(*(_counted(cells, compartment) for compartment in ("Cells", "Nuclei")))
    boxes, sums, steps, hull, radii = (xp.moveaxis(xp.stack(both), 2, 0) for both in measured)
    area = xp.where(sums[0] > 0, sums[0], xp.nan)
    perimeter = steps[0] + math.sqrt(2) * steps[1] + (1 + math.sqrt(2)) / 2 * steps[2]
    diameter = xp.sqrt(4 / math.pi * area)
    shape = {
        "Area": area,
        "Perimeter": xp.where(perimeter > 0, perimeter, xp.nan),
        "EquivalentDiameter": diameter,
        "ConvexArea": hull[0],
        "MaxFeretDiameter": hull[1],
        "MinFeretDiameter": hull[2],
        "MaximumRadius": radii[0],
        "MeanRadius": radii[1],
        "FormFactor": 4 * math.pi * area / perimeter**2,
        "Solidity": area / hull[0],
        "Extent": area / ((boxes[2] - boxes[0]) * (boxes[3] - boxes[1])),
        "EulerNumber": xp.where(sums[0] > 0, steps[3], xp.nan),
        "FeretRatio": hull[2] / hull[1],
        "InscribedRatio": 2 * radii[0] / diameter,
    }
    return shape | _moment_shape(sums.astype(np.float64), area, boxes, xp)


def _counted(cells: Cells, compartment: str) -> tuple[np.ndarray, ...]:
    """Boxes, moments, steps of the outline, hulls and radii of one compartment's masks, each (n_cells, ...)."""
    kernels, labels, region = cells.device.kernels.shape, cells.labels(compartment), cells.regions[compartment]
    field, boxes = cells.places(compartment)
    distance = cells.distance_inside_nucleus if compartment == "Nuclei" else cells.distance_to_cell_border
    return (
        boxes,
        kernels.region_moments(labels, field, boxes),
        kernels.outlines(labels, field, boxes),
        kernels.hulls(labels, field, boxes),
        kernels.inscribed_radii(distance.ravel(), region.offsets, region.positions),
    )


def _moment_shape(s: np.ndarray, area: np.ndarray, boxes: np.ndarray, xp: ModuleType) -> dict[str, np.ndarray]:
    """The ellipse with the same second moments, and Hu's invariants, from the sums of `region_moments`."""
    y, x = s[1] / area, s[2] / area
    yy, yx, xx = s[3] - y * s[1], s[4] - y * s[2], s[5] - x * s[2]
    half_sum, spread = (yy + xx) / 2, xp.hypot((yy - xx) / 2, yx)
    major = 4 * xp.sqrt((half_sum + spread) / area)
    minor = 4 * xp.sqrt(xp.maximum(half_sum - spread, 0) / area)
    third = (
        s[6] - 3 * y * s[3] + 2 * y**2 * s[1],
        s[7] - 2 * y * s[4] - x * s[3] + 2 * y**2 * s[2],
        s[8] - 2 * x * s[4] - y * s[5] + 2 * x**2 * s[1],
        s[9] - 3 * x * s[5] + 2 * x**2 * s[2],
    )
    hu = _hu_moments(yy / area**2, yx / area**2, xx / area**2, *(mu / area**2.5 for mu in third))
    shape = {
        "MajorAxisLength": major,
        "MinorAxisLength": minor,
        "Eccentricity": xp.sqrt(1 - (minor / major) ** 2),
        "AspectRatio": major / minor,
        "Roundness": 4 * area / (math.pi * major**2),
        "y": boxes[0] + y,
        "x": boxes[1] + x,
        "Orientation": xp.where(spread > 0, xp.arctan2(2 * yx, yy - xx) / 2, xp.nan),
    }
    return shape | {f"HuMoment{k + 1}": xp.log10(xp.maximum(abs(h), HU_FLOOR)) for k, h in enumerate(hu)}


def _hu_moments(
    n20: np.ndarray,
    n11: np.ndarray,
    n02: np.ndarray,
    n30: np.ndarray,
    n21: np.ndarray,
    n12: np.ndarray,
    n03: np.ndarray,
) -> tuple[np.ndarray, ...]:
    """Hu's seven invariants of the normalised central moments (Hu 1962); n30 is along y."""
    a, b, c, d = n30 + n12, n21 + n03, n30 - 3 * n12, 3 * n21 - n03
    p, q = a * (a * a - 3 * b * b), b * (3 * a * a - b * b)
    return (
        n20 + n02,
        (n20 - n02) ** 2 + 4 * n11**2,
        c * c + d * d,
        a * a + b * b,
        c * p + d * q,
        (n20 - n02) * (a * a - b * b) + 4 * n11 * a * b,
        d * p - c * q,
    )


def _position(
    cell: dict[str, np.ndarray], nucleus: dict[str, np.ndarray], unit: np.ndarray, xp: ModuleType
) -> list[np.ndarray]:
    """How the nucleus lies in its cell, in the order of `POSITION`; angles in degrees, 0 to 90."""
    dy, dx = nucleus["y"] - cell["y"], nucleus["x"] - cell["x"]
    offset = xp.hypot(dy, dx)
    along = abs(dy * xp.cos(cell["Orientation"]) + dx * xp.sin(cell["Orientation"]))
    turn = abs(cell["Orientation"] - nucleus["Orientation"]) % math.pi
    return [
        offset / unit,
        2 * offset / cell["EquivalentDiameter"],
        2 * along / cell["MajorAxisLength"],
        xp.degrees(xp.minimum(turn, math.pi - turn)),
        nucleus["Perimeter"] / cell["Perimeter"],
        nucleus["MajorAxisLength"] / cell["MajorAxisLength"],
    ]
