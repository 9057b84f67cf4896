"""How near the protein lies to the cell's landmarks: its membranes, its bright microtubules and ER, its centre.

Lengths are in units of the field's median nucleus diameter. For protein, microtubules and ER (and, near a landmark of
its own, never that landmark):

- Membrane (Cells), Rim (both sides of the nuclear border), and in the cytoplasm near the bright Microtubules or ER
  (the brightest quarter of the cytoplasm's pixels): Share, the channel's mass in a band of distance; Level, its mean
  there over its mean in all bands; near the bright landmarks also Nearness, the mean distance of the pixels over the
  mean distance of the mass (above 1: nearer than chance; what is beyond 0.25 diameters counts as 0.25), and Contrast,
  (on - off) / (on + off) of the levels on the landmark and beyond 0.2 diameters.
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

from features._cells import Cells
from features._channels import ER, MICROTUBULES, PROTEIN
from features._device import Device
from features._table import Column

_FAMILY = "Proximity"
_CHANNELS = (PROTEIN, MICROTUBULES, ER)
_WAYS = ((PROTEIN, MICROTUBULES), (PROTEIN, ER), (MICROTUBULES, ER))
_MEMBRANE = (0.08, 0.16, 0.32, 0.64)
_RIM = (-0.24, -0.08, 0.0, 0.08, 0.24)
_BRIGHT = (1e-3, 0.1, 0.2)
_BRIGHT_SHARE = 0.25
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


def measure(cells: Cells, device: Device) -> np.ndarray:
    """Measure the family.

    Returns
    -------
    ndarray of float32, shape (n_cells, n_columns)
        NaN where undefined.
    """
    xp = device.xp
    unit = cells.nucleus_diameter[cells.field]
    parts = [_membranes(cells, unit, device), _rim(cells, unit, device)]
    parts += [_near_bright(cells, landmark, unit, device) for landmark in (1, 2)]
    parts += [_alignments(cells, unit, device), _peaks(cells, unit, device)]
    values = xp.concatenate(parts, axis=1)
    return xp.where(xp.isnan(unit)[:, None], xp.nan, values).astype(xp.float32)


def _sums(cells: Cells, compartment: str, distances: np.ndarray, edges: np.ndarray, device: Device) -> np.ndarray:
    """Sums of the three channels and of pixels by band of distance; (n, n_bands, 4)."""
    region = cells.regions[compartment]
    adder = np.empty(0, np.float32 if cells.pixels.dtype == np.uint8 else np.float64)
    return device.kernels.proximity.band_sums(
        _values(cells, compartment), region.offsets, region.positions, distances.ravel(), edges, adder
    )


def _values(cells: Cells, compartment: str) -> tuple[np.ndarray, ...]:
    return tuple(cells.values(compartment, channel) for channel in _CHANNELS)


def _planes(cells: Cells) -> np.ndarray:
    """The three channels, (n_fields, 3, H, W)."""
    return cells.device.xp.ascontiguousarray(cells.pixels[:, [channel.index for channel in _CHANNELS]])


def _edges(xp: ModuleType, edges: tuple[float, ...], unit: np.ndarray) -> np.ndarray:
    """Edges in px for distances that count whole pixels: a border runs half a pixel before the first of them."""
    given = xp.asarray(edges)
    return (unit[:, None] * given + 0.5 * xp.sign(given)).astype(np.float32)


def _membranes(cells: Cells, unit: np.ndarray, device: Device) -> np.ndarray:
    sums = _sums(cells, "Cells", cells.distance_to_cell_border, _edges(device.xp, _MEMBRANE, unit), device)
    return _shares(device.xp, sums).reshape(cells.n, 30)


def _rim(cells: Cells, unit: np.ndarray, device: Device) -> np.ndarray:
    """Bands on both sides of the nuclear border, and how the two next to it stand out from the two beyond."""
    xp = device.xp
    signed = cells.distance_to_nucleus - cells.distance_inside_nucleus
    sums = _sums(cells, "Cells", signed, _edges(xp, _RIM, unit), device)
    has_nucleus = cells.regions["Nuclei"].counts > 0
    sums = xp.where(has_nucleus[:, None, None], sums[:, 1:5], 0)
    rim, flanks = sums[:, 1:3].sum(axis=1), sums[:, [0, 3]].sum(axis=1)
    contrast = _contrast(xp, _ratio(xp, rim[:, :3], rim[:, 3:]), _ratio(xp, flanks[:, :3], flanks[:, 3:]))
    return xp.concatenate([_shares(xp, sums).reshape(cells.n, 24), contrast], axis=1)


def _near_bright(cells: Cells, landmark: int, unit: np.ndarray, device: Device) -> np.ndarray:
    """Bands of distance to a landmark's brightest quarter of the cytoplasm, of the two other channels."""
    xp = device.xp
    reach = xp.nan_to_num(_REACH * unit, nan=1).astype(np.float32)
    edges = (unit[:, None] * xp.asarray(_BRIGHT)).astype(np.float32)
    sums, weighted = device.kernels.landmarks.bright_sums(
        _planes(cells), landmark, _BRIGHT_SHARE, cells.field, cells.boxes, cells.cytoplasm_labels, edges, reach
    )
    others = [c for c in range(3) if c != landmark]
    shares = _shares(xp, sums)[:, :, others].reshape(cells.n, 16)
    mean = _ratio(xp, weighted, sums.sum(axis=1))
    nearness = _ratio(xp, mean[:, 3:], mean[:, others])
    levels = _ratio(xp, sums[:, :, others], sums[:, :, 3:])
    contrast = _contrast(xp, levels[:, 0], levels[:, -1])
    has_bright = sums[:, 0, 3] > 0
    return xp.where(has_bright[:, None], xp.concatenate([shares, nearness, contrast], axis=1), xp.nan)


def _shares(xp: ModuleType, sums: np.ndarray) -> np.ndarray:
    """Share of mass, and level over the mean level, by band and channel; (n, n_bands, 3, 2)."""
    total = sums.sum(axis=1, keepdims=True)
    share = _ratio(xp, sums[..., :3], total[..., :3])
    level = _ratio(xp, share, _ratio(xp, sums[..., 3:], total[..., 3:]))
    return xp.stack([share, level], axis=-1)


def _alignments(cells: Cells, unit: np.ndarray, device: Device) -> np.ndarray:
    """Of each pair of channels, then of each channel with the direction of the nucleus; (n, 6)."""
    xp = device.xp
    sides = xp.maximum(xp.rint(xp.nan_to_num(unit) / 8), 3).astype(np.int64)
    centres = cells.nucleus_centres - cells.boxes[:, :2]
    align = device.kernels.proximity.alignments
    aligned = align(
        _planes(cells), cells.field, cells.boxes, cells.cell_labels, cells.distance_to_cell_border, centres, sides
    )
    has_nucleus = (cells.regions["Nuclei"].counts > 0)[:, None]
    among, radial = aligned[:, : len(_WAYS)], aligned[:, len(_WAYS) :]
    return xp.concatenate([among, xp.where(has_nucleus, radial, xp.nan)], axis=1)


def _peaks(cells: Cells, unit: np.ndarray, device: Device) -> np.ndarray:
    """Where the brightest points lie, then how far from one another; (n, 12)."""
    xp, region = device.xp, cells.regions["Cells"]
    height, width = cells.cell_labels.shape[1:]
    to_border, inside = cells.distance_to_cell_border.ravel(), cells.distance_inside_nucleus.ravel()
    points = [
        device.kernels.proximity.brightest(
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


def _contrast(xp: ModuleType, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(a - b) / (a + b); NaN where both are 0."""
    return _ratio(xp, a - b, a + b)


def _ratio(xp: ModuleType, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """a / b; NaN where b is not positive."""
    return a / xp.where(b > 0, b, xp.nan)
