"""Proximity on drawn cells where the answer is known: membranes, stripes, brightest points; and against brute force."""

import numpy as np
import pytest
from mosaics import mosaic_cells
from scipy.ndimage import distance_transform_edt

from features import proximity
from features.core.cells import make_cells

_SIZE, _R, _NUCLEUS = 161, 70, 25


@pytest.fixture
def yx():
    return np.mgrid[:_SIZE, :_SIZE] - _SIZE // 2


def measured(yx, device, protein=20, tubules=20, er=20):
    """The columns of a round cell with a concentric nucleus; diameter 50 px."""
    away = np.hypot(*yx)
    labels = (away <= _R).astype(np.int32)[None], (away <= _NUCLEUS).astype(np.int32)[None]
    pixels = np.zeros((1, 4, _SIZE, _SIZE), np.uint8)
    pixels[0, 0], pixels[0, 1], pixels[0, 3] = tubules, protein, er
    cells = make_cells(pixels, *labels, device)
    return dict(zip((c.name for c in proximity.columns()), proximity.measure(cells)[0].tolist()))


def test_protein_at_the_membrane(yx, device):
    found = measured(yx, device, protein=np.where(np.hypot(*yx) > _R - 3.5, 100, 0))
    assert found["Cells_Proximity_MembraneShare_Protein_1of5"] == 1
    assert found["Cells_Proximity_MembraneLevel_Protein_1of5"] == pytest.approx(_R**2 / (_R**2 - 65.7**2), rel=0.04)
    assert found["Cells_Proximity_MembraneLevel_Protein_5of5"] == 0
    assert found["Cells_Proximity_MembraneLevel_ER_3of5"] == pytest.approx(1)


@pytest.mark.parametrize(("shift", "band"), [(-1.5, 2), (1.5, 3)])
def test_protein_at_the_nuclear_rim(yx, device, shift, band):
    found = measured(yx, device, protein=np.where(abs(np.hypot(*yx) - _NUCLEUS - shift) < 1.2, 200, 0))
    assert found[f"Cells_Proximity_RimShare_Protein_{band}of4"] > 0.99
    assert found["Cells_Proximity_RimContrast_Protein"] > 0.99
    assert abs(found["Cells_Proximity_RimContrast_ER"]) < 1e-6


def stripes(yx, angle):
    y, x = yx
    return (100 + 90 * np.cos(2 * np.pi * (x * np.sin(angle) + y * np.cos(angle)) / 15)).astype(np.uint8)


@pytest.mark.parametrize("turn", [0, 30, 45, 60, 90])
def test_alignment_is_the_cosine_of_twice_the_turn(yx, device, turn):
    found = measured(yx, device, protein=stripes(yx, 0.3 + np.radians(turn)), tubules=stripes(yx, 0.3))
    assert found["Cells_Proximity_Alignment_Protein_Microtubules"] == pytest.approx(
        np.cos(2 * np.radians(turn)), abs=0.05
    )


def test_alignment_with_the_nucleus(yx, device):
    spokes = (100 + 90 * np.cos(24 * np.arctan2(*yx))).astype(np.uint8)
    rings = (100 + 90 * np.cos(np.hypot(*yx))).astype(np.uint8)
    found = measured(yx, device, protein=spokes, tubules=rings)
    assert found["Cells_Proximity_RadialAlignment_Protein"] > 0.9
    assert found["Cells_Proximity_RadialAlignment_Microtubules"] < -0.9


def test_no_alignment_with_a_nucleus_that_is_not_there(painted, device):
    """A cell without a nucleus has NaN, not 0, where its field has nuclei."""
    without = painted.regions["Nuclei"].counts == 0
    assert without.any()
    assert not without.all()
    radial = [k for k, column in enumerate(proximity.columns()) if column.feature == "RadialAlignment"]
    values = proximity.measure(painted)[:, radial]
    assert np.isnan(values[without]).all()
    assert np.isfinite(values[0]).all()


def test_protein_on_and_between_the_microtubules(yx, device):
    tubules = stripes(yx, 0.3)
    on = measured(yx, device, protein=np.where(tubules > 168, 100, 10), tubules=tubules)
    off = measured(yx, device, protein=np.where(tubules < 40, 100, 10), tubules=tubules)
    level = "Cytoplasm_Proximity_BrightLevel_Protein_Microtubules_1of4"
    nearness = "Cytoplasm_Proximity_Nearness_Protein_Microtubules"
    assert on[level] > 2 > 0.7 > off[level]
    assert on[nearness] > 1.5 > 0.9 > off[nearness]


def test_brightest_points(yx, device):
    protein, tubules = np.full((_SIZE, _SIZE), 20), np.full((_SIZE, _SIZE), 20)
    middle = _SIZE // 2
    protein[middle, middle + 40] = 200
    protein[middle + 9 : middle + 12, middle - 1 : middle + 2] = 200  # as bright, but not alone
    tubules[middle, middle + 40] = 200
    found = measured(yx, device, protein=protein, tubules=tubules)
    unit = np.sqrt(4 / np.pi * (np.hypot(*yx) <= _NUCLEUS).sum())
    assert found["Cells_Proximity_Peak_Protein_NucleusCentre"] == pytest.approx(10 / unit)
    assert found["Cells_Proximity_Peak_Protein_NucleusBorder"] == pytest.approx(-15 / unit, abs=1 / unit)
    assert found["Cells_Proximity_Peak_Microtubules_NucleusBorder"] == pytest.approx(15 / unit, abs=1 / unit)
    assert found["Cells_Proximity_Peak_Microtubules_CellBorder"] == pytest.approx(30 / unit, abs=1 / unit)
    assert found["Cells_Proximity_PeakDistance_Protein_Microtubules"] == pytest.approx(np.hypot(10, 40) / unit)


def test_bands_near_bright_tubules_of_real_cells(shared_data, device):
    """Shares, levels and nearness by brute force."""
    folder = shared_data / "hpa-cells" / "train"
    name = sorted(path.stem.removesuffix("_red") for path in folder.glob("*_red.png"))[3]
    cells = mosaic_cells(folder, name, device)
    index = {c.name: k for k, c in enumerate(proximity.columns())}
    values, unit = proximity.measure(cells), cells.nucleus_diameter[0]
    for i in range(cells.n):
        mine = cells.cytoplasm_labels[0] == i + 1
        tubules, protein = cells.pixels[0, 0][mine], cells.pixels[0, 1][mine].astype(float)
        level = next(v for v in range(256) if (tubules > v).sum() <= 0.25 * tubules.size)
        distance = distance_transform_edt(~(mine & (cells.pixels[0, 0] > level)))[mine] / unit
        found = dict(zip(index, values[i]))
        for k, (a, b) in enumerate([(0, 1e-3), (1e-3, 0.1), (0.1, 0.2), (0.2, 99)], 1):
            band = (distance >= a) & (distance < b)
            share = protein[band].sum() / protein.sum()
            prefix = "Cytoplasm_Proximity_Bright"
            assert found[f"{prefix}Share_Protein_Microtubules_{k}of4"] == pytest.approx(share, abs=1e-5)
            if band.any():
                wanted = protein[band].mean() / protein.mean()
                assert found[f"{prefix}Level_Protein_Microtubules_{k}of4"] == pytest.approx(wanted, rel=1e-4)
        capped = np.minimum(distance, 0.25)
        nearness = capped.mean() / (capped @ protein / protein.sum())
        assert found["Cytoplasm_Proximity_Nearness_Protein_Microtubules"] == pytest.approx(nearness, rel=1e-4)
