"""Rings and bands on discs, where shares and levels are known; and against CellProfiler's rings on the same disc."""

import numpy as np
import pytest
from cp_measure.core.measureobjectintensitydistribution import get_radial_distribution

from features import radial
from features.core.cells import make_cells

_R, _SIZE = 80, 181


@pytest.fixture
def offsets():
    y, x = np.mgrid[:_SIZE, :_SIZE] - _SIZE // 2
    return y, x


def disc(offsets, device, protein):
    """A round cell with a concentric nucleus of half its radius, uniform but for the protein."""
    y, x = offsets
    away = np.hypot(y, x)
    cell_labels, nucleus_labels = (away <= _R).astype(np.int32)[None], (away <= _R / 2).astype(np.int32)[None]
    pixels = np.full((1, 4, _SIZE, _SIZE), 50, np.uint16)
    pixels[0, 1] = protein
    cells = make_cells(pixels, cell_labels, nucleus_labels, device)
    return cells, dict(zip((c.name for c in radial.columns()), radial.measure(cells)[0]))


def test_uniform_disc(offsets, device):
    _, found = disc(offsets, device, 200)
    bounds = {"deeper0.2": (0, 0.3), "in0.2": (0.3, 0.4), "in0.1": (0.4, 0.5), "out0.1": (0.5, 0.6)}
    bounds |= {"out0.2": (0.6, 0.7), "out0.4": (0.7, 0.9), "out0.8": (0.9, 1)}
    for zone, (a, b) in bounds.items():
        assert found[f"Cells_RadialDistribution_FracAtD_Protein_{zone}"] == pytest.approx(b * b - a * a, abs=0.02)
    assert found["Cells_RadialDistribution_FracAtD_Protein_beyond0.8"] == 0
    assert np.isnan(found["Cells_RadialDistribution_MeanFrac_Protein_beyond0.8"])
    for k in range(1, 5):
        share = (k * k - (k - 1) ** 2) / 16
        assert found[f"Cells_RadialDistribution_FracAtD_Protein_{k}of4"] == pytest.approx(share, abs=0.015)
        assert found[f"Nuclei_RadialDistribution_FracAtD_Protein_{k}of4"] == pytest.approx(share, abs=0.03)
        annulus = ((4 + k) ** 2 - (3 + k) ** 2) / 48
        assert found[f"Cytoplasm_RadialDistribution_FracAtD_Protein_{k}of4"] == pytest.approx(annulus, abs=0.03)
    levels = [v for name, v in found.items() if "MeanFrac" in name and "beyond" not in name]
    np.testing.assert_allclose(levels, 1, rtol=1e-6)
    assert max(v for name, v in found.items() if "RadialCV" in name and "beyond" not in name) < 1e-6
    assert max(v for name, v in found.items() if "Shift" in name) < 1e-6


def test_half_lit_disc(offsets, device):
    """The centre of mass of half a disc lies 4 R / 3 pi from the centre; four wedges are lit and four dark."""
    cells, found = disc(offsets, device, np.where(offsets[1] > 0, 100, 0))
    unit = cells.nucleus_diameter[0]
    assert found["Cells_RadialDistribution_Shift_Protein"] == pytest.approx(4 * _R / (3 * np.pi) / unit, rel=0.02)
    assert found["Nuclei_RadialDistribution_Shift_Protein"] == pytest.approx(2 * _R / (3 * np.pi) / unit, rel=0.03)
    assert found["Cells_RadialDistribution_RadialCV_Protein_4of4"] == pytest.approx(1, rel=0.02)


def test_rings_are_cellprofilers_on_a_disc(offsets, device):
    """There the nucleus' centre is the point furthest from the border; straight and walked distances differ by 8 %."""
    y, x = offsets
    protein = (200 * np.exp(-((np.hypot(y - 9, x) / 50) ** 2)) + 20).astype(np.uint16)
    cells, found = disc(offsets, device, protein)
    theirs = get_radial_distribution(cells.cell_labels[0], protein / 65535)
    for k in range(1, 5):
        for measure, tolerance in (("FracAtD", 0.03), ("MeanFrac", 0.07), ("RadialCV", 0.03)):
            ours = found[f"Cells_RadialDistribution_{measure}_Protein_{k}of4"]
            assert ours == pytest.approx(theirs[f"RadialDistribution_{measure}_{k}of4"][0], abs=tolerance), (measure, k)


def test_cell_without_nucleus_has_no_values(offsets, device):
    cells, _ = disc(offsets, device, 9)
    bare = make_cells(cells.pixels, cells.cell_labels, np.zeros_like(cells.cell_labels), device)
    assert np.isnan(radial.measure(bare)).all()
