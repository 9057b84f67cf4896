"""Distances of the stains to the cell's landmarks: membranes, bright microtubules and ER, the nucleus' centre.

Lengths are in units of the field's median nucleus diameter. For protein, microtubules and ER (and, near a landmark of
its own, never that landmark):

- Membrane (Cells), Rim (both sides of the nuclear border), and in the cytoplasm near the bright Microtubules or ER
  (the brightest quarter of the cytoplasm's pixels): Share, the part of the channel's mass in a band of distance; Level,
  its mean there over its mean in all bands; near the bright landmarks also Nearness, the mean distance of the pixels
  over the mean distance of the mass (above 1: nearer than chance; distances beyond 0.25 diameters count as 0.25), and
  Contrast, (on - off) / (on + off) of the levels on the landmark and beyond 0.2 diameters.
- RimContrast, the level within 0.08 diameters of the nuclear border against both flanks, (rim - flanks) / (sum).
- Alignment of orientations, from -1 (at right angles) to 1 (parallel), of the channels with one another and, as
  RadialAlignment, with the direction of the nucleus' centre; structure tensors over blocks of an eighth of a diameter,
  at least 3 px, of gradients that see the cell's own pixels only.
- Peak: where the channel's brightest point lies: distance to the nuclear border (negative inside), to the cell border,
  to the nucleus' centre; PeakDistance, between the brightest points of two channels.

What needs a nucleus is NaN in cells without; everything with a length is NaN in fields without any nucleus.
"""

from types import ModuleType

import numpy as np

from features.core.arithmetic import contrast, ratio
from features.core.cells import Cells
from store.channels import ER, MICROTUBULES, PROTEIN
from store.columns import Column

_FAMILY = "Proximity"
_CHANNELS = (PROTEIN, MICROTUBULES, ER)
_WAYS = ((PROTEIN, MICROTUBULES), (PROTEIN, ER), (MICROTUBULES, ER))
MEMBRANE = (0.08, 0.16, 0.32, 0.64)
RIM = (-0.24, -0.08, 0.0, 0.08, 0.24)
BRIGHT = (1e-3, 0.1, 0.2)
BRIGHT_SHARE = 0.25
_REACH = 0.25
_PEAKS = ("NucleusBorder", "CellBorder", "NucleusCentre")


def _bands(zone: str, n: int, channels: tuple, compartment: str) -> list[Column]:
    return [
        Column(compartment, _FAMILY, zone + measure, channel, (f"{k + 1}of{n}",))
        for k in range(n)
        for channel in channels
        for measure in ("Share", "Level")
    ]


def columns() -> tuple[Column, ...]:
    """The family's columns, landmark by landmark."""
    single = tuple((channel,) for channel in _CHANNELS)
    out = _bands("Membrane", 5, single, "Cells") + _bands("Rim", 4, single, "Cells")
    out += [Column("Cells", _FAMILY, "RimContrast", channel) for channel in single]
    for landmark in (MICROTUBULES, ER):
        ways = tuple((channel, landmark) for channel in _CHANNELS if channel is not landmark)
        out += _bands("Bright", 4, ways, "Cytoplasm")
        out += [Column("Cytoplasm", _FAMILY, feature, way) for feature in ("Nearness", "Contrast") for way in ways]
    out += [Column("Cells", _FAMILY, "Alignment", way) for way in _WAYS]
    out += [Column("Cells", _FAMILY, "RadialAlignment", channel) for channel in single]
    out += [Column("Cells", _FAMILY, "Peak", channel, (place,)) for place in _PEAKS for channel in single]
    return tuple(out + [Column("Cells", _FAMILY, "PeakDistance", way) for way in _WAYS])


def measure(cells: Cells) -> np.ndarray:
    """Measure the family.

    Returns
    -------
    ndarray of float32, shape (n_cells, n_columns)
        NaN where undefined.
    """
    xp = cells.device.xp
    unit = cells.nucleus_diameter[cells.field]
    parts = [_membranes(cells, unit), _rim(cells, unit)]
    planes, cytoplasm = cells.planes(_CHANNELS), cells.cytoplasm_labels
    parts += [_near_bright(cells, cytoplasm, planes, landmark, unit) for landmark in (1, 2)]
    parts += [_alignments(cells, planes, unit), _peaks(cells, unit)]
    values = xp.concatenate(parts, axis=1)
    return xp.where(xp.isnan(unit)[:, None], xp.nan, values).astype(xp.float32)


def _sums(cells: Cells, compartment: str, distances: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Sums of the three channels and of pixels by band of distance; (n, n_bands, 4)."""
    region = cells.regions[compartment]
    adder = np.empty(0, np.float32 if cells.pixels.dtype == np.uint8 else np.float64)
    return cells.device.kernels.proximity.band_sums(
        _values(cells, compartment), region.offsets, region.positions, distances.ravel(), edges, adder
    )


def _values(cells: Cells, compartment: str) -> tuple[np.ndarray, ...]:
    return tuple(cells.values(compartment, channel) for channel in _CHANNELS)


def _edges(edges: tuple[float, ...], unit: np.ndarray, xp: ModuleType) -> np.ndarray:
    """Edges in px for distances that count whole pixels: a border runs half a pixel before the first of them."""
    given = xp.asarray(edges)
    return (unit[:, None] * given + 0.5 * xp.sign(given)).astype(np.float32)


def _membranes(cells: Cells, unit: np.ndarray) -> np.ndarray:
    sums = _sums(cells, "Cells", cells.distance_to_cell_border, _edges(MEMBRANE, unit, cells.device.xp))
    return _shares_and_levels(sums, cells.device.xp).reshape(cells.n, 30)


def _rim(cells: Cells, unit: np.ndarray) -> np.ndarray:
    """Bands on both sides of the nuclear border, and how the two next to it stand out from the two beyond."""
    xp = cells.device.xp
    signed = cells.distance_to_nucleus - cells.distance_inside_nucleus
    sums = _sums(cells, "Cells", signed, _edges(RIM, unit, xp))
    has_nucleus = cells.regions["Nuclei"].counts > 0
    sums = xp.where(has_nucleus[:, None, None], sums[:, 1:5], 0)
    rim, flanks = sums[:, 1:3].sum(axis=1), sums[:, [0, 3]].sum(axis=1)
    rim_contrast = contrast(ratio(rim[:, :3], rim[:, 3:], xp), ratio(flanks[:, :3], flanks[:, 3:], xp), xp)
    return xp.concatenate([_shares_and_levels(sums, xp).reshape(cells.n, 24), rim_contrast], axis=1)


def _near_bright(
    cells: Cells, cytoplasm: np.ndarray, planes: np.ndarray, landmark: int, unit: np.ndarray
) -> np.ndarray:  # fmt: skip
    """Bands of distance to a landmark's brightest quarter of the cytoplasm, of the two other channels."""
    xp = cells.device.xp
    reach = xp.nan_to_num(_REACH * unit, nan=1).astype(np.float32)
    edges = (unit[:, None] * xp.asarray(BRIGHT)).astype(np.float32)
    sums, weighted = cells.device.kernels.landmarks.bright_sums(
        planes, landmark, BRIGHT_SHARE, cells.field, cells.boxes, cytoplasm, edges, reach
    )
    others = [c for c in range(3) if c != landmark]
    zones = _shares_and_levels(sums, xp)[:, :, others].reshape(cells.n, 16)
    mean = ratio(weighted, sums.sum(axis=1), xp)
    nearness = ratio(mean[:, 3:], mean[:, others], xp)
    levels = ratio(sums[:, :, others], sums[:, :, 3:], xp)
    on_and_off = contrast(levels[:, 0], levels[:, -1], xp)
    has_bright = sums[:, 0, 3] > 0
    return xp.where(has_bright[:, None], xp.concatenate([zones, nearness, on_and_off], axis=1), xp.nan)


def _shares_and_levels(sums: np.ndarray, xp: ModuleType) -> np.ndarray:
    """Share of mass, and level over the mean level, by band and channel; (n, n_bands, 3, 2)."""
    total = sums.sum(axis=1, keepdims=True)
    share = ratio(sums[..., :3], total[..., :3], xp)
    level = ratio(share, ratio(sums[..., 3:], total[..., 3:], xp), xp)
    return xp.stack([share, level], axis=-1)


def _alignments(cells: Cells, planes: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """Of each pair of channels, then of each channel with the direction of the nucleus; (n, 6)."""
    xp = cells.device.xp
    sides = xp.maximum(xp.rint(xp.nan_to_num(unit) / 8), 3).astype(np.int64)
    centres = cells.nucleus_centres - cells.boxes[:, :2]
    align = cells.device.kernels.proximity.alignments
    aligned = align(planes, cells.field, cells.boxes, cells.cell_labels, cells.distance_to_cell_border, centres, sides)
    has_nucleus = (cells.regions["Nuclei"].counts > 0)[:, None]
    among, radial = aligned[:, : len(_WAYS)], aligned[:, len(_WAYS) :]
    return xp.concatenate([among, xp.where(has_nucleus, radial, xp.nan)], axis=1)


def _peaks(cells: Cells, unit: np.ndarray) -> np.ndarray:
    """Where the brightest points lie, then how far from one another; (n, 12)."""
    xp, region = cells.device.xp, cells.regions["Cells"]
    height, width = cells.cell_labels.shape[1:]
    to_border, inside = cells.distance_to_cell_border.ravel(), cells.distance_inside_nucleus.ravel()
    points = [
        cells.device.kernels.proximity.brightest(
            cells.plane(channel).reshape(-1, width), region.offsets, region.positions, to_border
        )
        for channel in _CHANNELS
    ]
    at = xp.stack(points, axis=1)
    yx = xp.stack([at // width % height, at % width], axis=2)
    has_nucleus = (cells.regions["Nuclei"].counts > 0)[:, None]
    outwards = xp.where(inside[at] > 0, 0.5 - inside[at], cells.distance_to_nucleus.ravel()[at] - 0.5)
    centre = xp.linalg.norm(yx - cells.nucleus_centres[:, None], axis=2)
    ways = [(_CHANNELS.index(a), _CHANNELS.index(b)) for a, b in _WAYS]
    apart = [xp.linalg.norm(yx[:, a] - yx[:, b], axis=1) for a, b in ways]
    lengths = [xp.where(has_nucleus, outwards, xp.nan), to_border[at] - 0.5, centre, xp.stack(apart, axis=1)]
    return xp.concatenate(lengths, axis=1) / unit[:, None]
