"""Every column of the radial family against its definition in plain NumPy, on painted and on real cells."""

from itertools import pairwise

import numpy as np
import pytest
from mosaics import mosaic_cells

from features import radial
from features.core.cells import Cells, make_cells


def wedge_variation(values, wedges):
    means = np.array([values[wedges == w].mean() for w in range(8) if (wedges == w).any()])
    return means.std() / means.mean() if means.size and means.mean() > 0 else np.nan


def zone_values(values, zone, wedges, whole):
    """Share, relative level and variation of one channel in one zone."""
    total = values[whole].sum()
    share = values[zone].sum() / total if total else np.nan
    level = share / (zone.sum() / whole.sum()) if zone.any() else np.nan
    return [share, level, wedge_variation(values[zone], wedges[zone])]


def expected(cells: Cells, i: int) -> np.ndarray:
    """The columns of one cell with a nucleus."""
    f = cells.field[i]
    cell, nucleus = cells.cell_labels[f] == i + 1, cells.nucleus_labels[f] == i + 1
    unit = cells.nucleus_diameter[f]
    y, x = np.nonzero(cell)
    dy, dx = y - np.nonzero(nucleus)[0].mean(), x - np.nonzero(nucleus)[1].mean()
    border, inside, outside = (
        m[f][cell].astype(float)
        for m in (cells.distance_to_cell_border, cells.distance_inside_nucleus, cells.distance_to_nucleus)
    )
    centre, is_nucleus = np.hypot(dy, dx), nucleus[cell]
    wedges = (dy > 1e-6) + 2 * (dx > 1e-6) + 4 * (abs(dy) > abs(dx) + 1e-6)
    rings = [
        (np.ones_like(is_nucleus), centre / (centre + border + 0.001)),
        (is_nucleus, centre / (centre + inside + 0.001)),
        (~is_nucleus, outside / (outside + border + 0.001)),
    ]
    zones = [(part & (np.floor(4 * r) == k), part) for part, r in rings for k in range(4)]
    signed = np.where(is_nucleus, 0.5 - inside, outside - 0.5) / unit
    edges = [-np.inf, -0.2, -0.1, 0, 0.1, 0.2, 0.4, 0.8, np.inf]
    zones += [((signed >= a) & (signed < b), rings[0][0]) for a, b in pairwise(edges)]
    channels = [cells.pixels[f, c][cell].astype(float) for c in range(4)]
    values = [v for zone, whole in zones for channel in channels for v in zone_values(channel, zone, wedges, whole)]
    for part, _ in rings:
        for channel in channels:
            mass = channel[part].sum()
            values.append(
                np.hypot(dy[part] @ channel[part], dx[part] @ channel[part]) / mass / unit if mass else np.nan
            )
    return np.array(values)


def assert_as_defined(cells: Cells, found: np.ndarray, share: float) -> None:
    """At least `share` of the values agree to 1e-4; float32 may put a pixel on an edge to either side of it."""
    agree = []
    for i in range(cells.n):
        if (cells.nucleus_labels == i + 1).any():
            wanted = expected(cells, i)
            agree.append(np.isclose(found[i], wanted, rtol=1e-4, atol=1e-5, equal_nan=True).mean())
            np.testing.assert_allclose(found[i], wanted, atol=0.2, rtol=0.2)
    assert len(agree) > 2
    assert np.mean(agree) >= share


def test_painted_cells(painted, device):
    assert_as_defined(painted, radial.measure(painted), 0.98)


def test_real_cells(shared_data, device):
    folder = shared_data / "hpa-cells" / "train"
    name = sorted(path.stem.removesuffix("_red") for path in folder.glob("*_red.png"))[1]
    cells = mosaic_cells(folder, name, device)
    assert_as_defined(cells, radial.measure(cells), 0.99)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_long_bright_rows(rng, device, kind):
    """Sums of a row in one zone are split where their bits would not do."""
    cell_labels = np.repeat([[1], [2], [3]], 60, axis=0).repeat(1500, axis=1)[None]
    nucleus_labels = np.zeros_like(cell_labels)
    nucleus_labels[0, :, 100:130] = cell_labels[0, :, 100:130]
    pixels = np.full((1, 4, *cell_labels.shape[1:]), np.iinfo(kind).max, kind)
    pixels[0, 1] = rng.integers(0, np.iinfo(kind).max, pixels.shape[2:])
    cells = make_cells(pixels, cell_labels, nucleus_labels, device)
    assert_as_defined(cells, radial.measure(cells), 0.98)
