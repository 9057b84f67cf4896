"""Shape against scikit-image's regionprops on the same masks, and against brute force where definitions differ."""

import numpy as np
import pytest
from mosaics import mosaic_cells
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist
from skimage.measure import regionprops

import features.shape as shape
from features.core.cells import make_cells

SAME = {
    "Area": "area",
    "Perimeter": "perimeter",
    "MajorAxisLength": "axis_major_length",
    "MinorAxisLength": "axis_minor_length",
    "EquivalentDiameter": "equivalent_diameter_area",
    "ConvexArea": "area_convex",
    "Eccentricity": "eccentricity",
    "Solidity": "solidity",
    "Extent": "extent",
    "EulerNumber": "euler_number",
}


def measured(cells, device):
    values = shape.measure(cells)
    return {column.name: values[:, k] for k, column in enumerate(shape.columns())}


def assert_like_regionprops(cells, device, at_least):
    got = measured(cells, device)
    seen = 0
    for compartment in ("Cells", "Nuclei"):
        for region in regionprops(cells.labels(compartment)[0]):
            if region.area < at_least:
                continue
            i = region.label - 1
            for ours, theirs in SAME.items():
                value = got[f"{compartment}_AreaShape_{ours}"][i]
                np.testing.assert_allclose(value, region[theirs], rtol=3e-6, atol=1e-6, err_msg=f"{ours} of {i + 1}")
            hu = np.log10(np.maximum(abs(region.moments_hu), shape.HU_FLOOR))
            ours = [got[f"{compartment}_AreaShape_HuMoment{k}"][i] for k in range(1, 8)]
            np.testing.assert_allclose(ours[:4], hu[:4], atol=1e-4)
            np.testing.assert_allclose(ours[4:], hu[4:], atol=1e-2)
            assert abs(got[f"{compartment}_AreaShape_MaxFeretDiameter"][i] - region.feret_diameter_max) < 1
            seen += 1
    assert seen


def blobs(rng, size=120):
    """A field of ragged blobs with holes, concave and in several parts; four cells side by side."""
    noise = rng.standard_normal((size, size))
    k = np.fft.fftfreq(size)
    smooth = np.fft.ifft2(np.fft.fft2(noise) * np.exp(-200 * (k[:, None] ** 2 + k[None] ** 2))).real
    half = size // 2
    quarter = 1 + np.arange(size)[:, None] // half * 2 + np.arange(size)[None] // half
    return np.where(smooth > 0, quarter, 0)[None], np.where(smooth > 0.5 * smooth.std(), quarter, 0)[None]


@pytest.mark.parametrize("seed", range(3))
def test_ragged_blobs(seed, device):
    cell_labels, nucleus_labels = blobs(np.random.default_rng(seed))
    pixels = np.zeros((1, 4, *cell_labels.shape[1:]), np.uint8)
    assert_like_regionprops(make_cells(pixels, cell_labels, nucleus_labels, device), device, at_least=9)


@pytest.mark.shared
def test_real_cells(shared_data, device):
    folder = shared_data / "hpa-cells" / "train"
    for name in ("duloc1-mixed-img1", "duloc1-mixed-img67"):
        assert_like_regionprops(mosaic_cells(folder, name, device), device, at_least=9)


def test_feret_diameters_are_those_of_the_hull_of_pixel_sides(device):
    cell_labels, nucleus_labels = blobs(np.random.default_rng(5))
    cells = make_cells(np.zeros((1, 4, *cell_labels.shape[1:]), np.uint8), cell_labels, nucleus_labels, device)
    got = measured(cells, device)
    for i in range(cells.n):
        y, x = np.nonzero(cell_labels[0] == i + 1)
        sides = np.concatenate([np.stack([y + v, x + u], 1) for v, u in ((0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5))])
        corners = sides[ConvexHull(sides).vertices]
        along = np.roll(corners, -1, 0) - corners
        normals = np.stack([-along[:, 1], along[:, 0]], 1) / np.linalg.norm(along, axis=1)[:, None]
        narrowest = np.ptp(corners @ normals.T, axis=0).min()
        np.testing.assert_allclose(got["Cells_AreaShape_MaxFeretDiameter"][i], pdist(corners).max(), rtol=1e-6)
        np.testing.assert_allclose(got["Cells_AreaShape_MinFeretDiameter"][i], narrowest, rtol=1e-6)


def ellipse(y0, x0, a, b, degrees, size=200):
    """An ellipse with half axes a (along its direction, from the vertical) and b."""
    y, x = np.mgrid[:size, :size].astype(float)
    t = np.radians(degrees)
    along, across = (y - y0) * np.cos(t) + (x - x0) * np.sin(t), -(y - y0) * np.sin(t) + (x - x0) * np.cos(t)
    return (along / a) ** 2 + (across / b) ** 2 <= 1


@pytest.mark.parametrize("turn", [0, 20, 65, 130])
def test_nucleus_in_an_ellipse(turn, device):
    """A nucleus 12 px along the long axis of its cell and turned by 50 degrees against it."""
    t = np.radians(turn)
    cell = ellipse(100, 100, 60, 30, turn)
    nucleus = ellipse(100 + 12 * np.cos(t), 100 + 12 * np.sin(t), 18, 12, turn + 50)
    labels = cell.astype(np.int32)[None], (cell & nucleus).astype(np.int32)[None]
    got = measured(make_cells(np.zeros((1, 4, 200, 200), np.uint8), *labels, device), device)
    unit = np.sqrt(4 / np.pi * labels[1].sum())
    assert got["Cells_AreaShape_NucleusOffset"][0] == pytest.approx(12 / unit, rel=0.02)
    assert got["Cells_AreaShape_NucleusOffsetAlongAxis"][0] == pytest.approx(0.2, abs=0.005)
    assert got["Cells_AreaShape_NucleusOrientationDifference"][0] == pytest.approx(50, abs=1.5)
    assert got["Cells_AreaShape_MajorAxisLength"][0] == pytest.approx(120, rel=0.01)
    assert got["Cells_AreaShape_FormFactor"][0] == pytest.approx(0.77, abs=0.03)
    assert got["Nuclei_AreaShape_EquivalentDiameter_relative"][0] == pytest.approx(1, abs=1e-6)
    assert got["Nuclei_AreaShape_Area_relative"][0] == pytest.approx(np.pi / 4, abs=1e-6)
    assert got["Nuclei_AreaShape_MaximumRadius"][0] == pytest.approx(12, abs=1)
    assert got["Cytoplasm_AreaShape_NucleusAreaRatio"][0] == pytest.approx(60 * 30 / (18 * 12) - 1, rel=0.02)


def test_lengths_in_pixels_are_covariates_and_relative_ones_are_not():
    for column in shape.columns():
        assert column.covariate == (column.feature in (*shape.LENGTHS, *shape.AREAS) and not column.parameters)


def test_a_cell_without_nucleus_has_no_nuclear_shape(painted, device):
    got = measured(painted, device)
    without = np.flatnonzero(painted.regions["Nuclei"].counts == 0)
    assert len(without)
    for name, values in got.items():
        if "Nucle" in name:
            assert np.isnan(values[without]).all(), name
