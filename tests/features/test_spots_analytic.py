"""Spots and objects on images with planted ones, and each step against scikit-image or SciPy on the same pixels."""

import numpy as np
import pytest
from mosaics import mosaic_cells
from painting import paint_cells
from scipy import ndimage
from scipy.spatial import cKDTree
from skimage.feature import blob_log
from skimage.filters import threshold_otsu
from skimage.measure import label, regionprops

import features.spots as spots
from features.core.cells import make_cells
from features.core.maxima import find_maxima
from features.core.packed_crops import PARTS, pack_crops
from store.channels import MICROTUBULES, PROTEIN

SIZE = 160
Y, X = np.mgrid[:SIZE, :SIZE]
CELL = (np.hypot((Y - 80) / 70, (X - 80) / 65) < 1).astype(np.int32)[None]
NUCLEUS = (np.hypot(Y - 80, X - 70) <= 22).astype(np.int32)[None]
UNIT = np.sqrt(4 / np.pi * NUCLEUS.sum())


def measured(planes, device):
    """The one cell's values, from planes by channel; the others are flat."""
    pixels = np.full((1, 4, SIZE, SIZE), 30, np.uint8)
    for channel, plane in planes.items():
        pixels[0, channel.index] = plane
    values = spots.measure(make_cells(pixels, CELL, NUCLEUS, device))
    return {column.name.replace("_Spots", ""): values[0, k] for k, column in enumerate(spots.columns())}


def planted(places, sigma, height, background=30):
    """Gaussian spots on an even background."""
    out = np.full((SIZE, SIZE), float(background))
    for y, x in places:
        out += height * np.exp(-((Y - y) ** 2 + (X - x) ** 2) / (2 * sigma**2))
    return np.rint(out).clip(0, 255)


CYTOPLASMIC = ((30, 80), (50, 110), (80, 120), (110, 110), (130, 80))
NUCLEAR = ((75, 65), (88, 78))


@pytest.mark.parametrize("sigma", [1.0, 1.5])
def test_planted_spots_are_counted_where_they_are(sigma, device):
    got = measured({PROTEIN: planted(CYTOPLASMIC + NUCLEAR, sigma, 120)}, device)
    assert [got[f"{where}_Count_Protein_fine"] for where in ("Cells", "Nuclei", "Cytoplasm")] == [7, 2, 5]
    assert got["Cells_ShareInNucleus_Protein_fine"] == pytest.approx(2 / 7)
    assert got["Nuclei_NearestDistance_Protein_fine"] * UNIT == pytest.approx(np.hypot(13, 13), rel=1e-5)
    regularity = 2 * np.hypot(13, 13) * np.sqrt(2 / NUCLEUS.sum())
    assert got["Nuclei_Regularity_Protein_fine"] == pytest.approx(regularity, rel=1e-5)
    excess = got["Nuclei_MeanContrast_Protein_fine"] * 2 / NUCLEUS.sum()
    assert got["Nuclei_Excess_Protein_fine"] == pytest.approx(excess, rel=1e-5)
    assert got["Nuclei_Density_Protein_fine"] == pytest.approx(2 / (np.pi / 4), rel=1e-5)
    away = [np.hypot(y - 80, x - 70) - 22 for y, x in CYTOPLASMIC]
    assert got["Cytoplasm_MeanNucleusDistance_Protein_fine"] * UNIT == pytest.approx(np.mean(away), abs=0.7)
    assert got["Nuclei_MeanNucleusDistance_Protein_fine"] < 0
    assert got["Cells_ContrastVariation_Protein_fine"] == pytest.approx(0, abs=0.02)


def test_a_flat_cell_has_no_spots_and_no_objects(device):
    got = measured({}, device)
    assert got["Cells_Count_Protein_fine"] == got["Cells_Count_Protein_coarse"] == 0
    assert got["Cells_ObjectCount_Protein_otsu"] == got["Cells_ObjectCount_Protein_peak"] == 0
    assert np.isnan(got["Cells_MeanContrast_Protein_fine"]) and np.isnan(got["Cells_LargestArea_Protein_otsu"])


def test_spots_are_found_where_blob_log_finds_them(rng, device):
    places = np.argwhere((CELL - NUCLEUS)[0, 12:-12:16, 12:-12:16] > 0) * 16 + 12
    places = places + rng.integers(-3, 4, places.shape)
    image = planted(places, 1.2, 100) * CELL[0]
    pixels = np.full((1, 4, SIZE, SIZE), 30, np.uint8)
    pixels[0, PROTEIN.index] = image
    cells = make_cells(pixels, CELL, NUCLEUS, device)
    points, noise = find_maxima(PROTEIN, 0, 0, pack_crops(cells, {PROTEIN: 0}), cells)
    bright = points.response > spots.NOISE * noise[0].max()
    ours = np.stack([points.y, points.x], 1)[bright] + cells.boxes[0, :2]
    np.testing.assert_array_equal(np.divmod(points.flat[bright], SIZE), ours.T)
    theirs = blob_log(image / 255, min_sigma=1, max_sigma=2, num_sigma=4, threshold=0.1, exclude_border=False)
    assert len(ours) == len(places)
    assert len(theirs) >= 0.9 * len(places)
    assert cKDTree(ours).query(places)[0].max() <= 1
    assert cKDTree(ours).query(theirs[CELL[0][tuple(theirs[:, :2].astype(int).T)] > 0, :2])[0].max() <= 1.5


def test_the_side_of_a_step_and_a_fibre_are_no_spots(rng, device):
    image = np.where(NUCLEUS[0] > 0, 150, 20) + np.where(abs(X - 110) < 2, 100, 0)
    image = rng.poisson(image).clip(0, 255)
    got = measured({PROTEIN: image}, device)
    assert got["Cells_Count_Protein_coarse"] <= 3


def test_a_pair_of_centrosomes(device):
    got = measured({PROTEIN: planted([(80, 98)], 1.2, 160) + planted([(80, 106)], 1.2, 80, 0)}, device)
    assert got["Cells_BrightestToSecond_Protein_fine"] == pytest.approx(2, rel=0.1)
    assert got["Cells_BrightestPairDistance_Protein_fine"] * UNIT == pytest.approx(8, abs=1e-4)
    assert got["Cells_BrightestNucleusDistance_Protein_fine"] * UNIT == pytest.approx(6, abs=1)
    assert got["Cells_BrightestCentreDistance_Protein_fine"] * UNIT == pytest.approx(28, abs=0.1)
    assert got["Cells_BrightestContrast_Protein_fine"] > 1


def test_a_large_field_gives_the_same_one_stain_after_the_other(rng, device, monkeypatch):
    cells = paint_cells(rng, n_fields=1)
    before = spots.measure(cells)
    monkeypatch.setattr(spots, "LARGE", 0)
    assert spots.measure(cells).tobytes() == before.tobytes()


def test_the_protein_at_the_organising_centre(device):
    tubes = planted([(105, 90)], 4, 150)
    beside = measured({MICROTUBULES: tubes, PROTEIN: planted([(50, 110)], 3, 150)}, device)
    there = measured({MICROTUBULES: tubes, PROTEIN: planted([(105, 90)], 3, 150)}, device)
    expected = np.hypot(25, 20)
    for got in (beside, there):
        distance = got["Cells_BrightestCentreDistance_Microtubules_coarse"] * UNIT
        assert distance == pytest.approx(expected, abs=1)
    assert there["Cells_LevelAtOrganisingCentre_Microtubules_Protein"] > 3
    assert there["Cells_ContrastAtOrganisingCentre_Microtubules_Protein"] > 0.3
    assert beside["Cells_LevelAtOrganisingCentre_Microtubules_Protein"] == pytest.approx(1, abs=0.1)
    assert abs(beside["Cells_ContrastAtOrganisingCentre_Microtubules_Protein"]) < 0.05


def test_a_disc_a_rod_and_a_ring(device):
    ring = abs(np.hypot(Y - 125, X - 80) - 7) <= 2
    rod = (abs(Y - 80) <= 14) & (abs(X - 115) <= 2)
    disc = np.hypot(Y - 40, X - 80) <= 11
    got = measured({PROTEIN: np.where(ring | rod | disc, 200, 20)}, device)
    assert got["Cells_ObjectCount_Protein_otsu"] == 3
    assert got["Cells_ObjectHoles_Protein_otsu"] == 1
    assert got["Cells_LargestHoles_Protein_otsu"] == 0
    assert got["Cells_LargestEccentricity_Protein_otsu"] < 0.2
    assert got["Cells_LargestArea_Protein_otsu"] * UNIT**2 == pytest.approx(disc.sum(), rel=0.15)
    total = (ring | rod | disc).sum()
    assert got["Cells_LargestAreaShare_Protein_otsu"] == pytest.approx(disc.sum() / total, rel=0.1)
    assert got["Cells_ObjectAreaShare_Protein_otsu"] == pytest.approx(total / CELL.sum(), rel=0.2)
    away = np.hypot(40, 10) - 22
    assert got["Cells_LargestNucleusDistance_Protein_otsu"] * UNIT == pytest.approx(away, abs=1)
    assert got["Cells_LargestCentreDistance_Protein_otsu"] * UNIT == pytest.approx(np.hypot(40, 10), abs=0.5)
    assert 0 < got["Cells_ObjectSeparability_Protein_otsu"] < 1
    assert got["Nuclei_ObjectCount_Protein_otsu"] == 0
    only_ring, only_rod = (measured({PROTEIN: np.where(mask, 200, 20)}, device) for mask in (ring, rod))
    assert only_ring["Cells_LargestHoles_Protein_otsu"] == 1
    assert only_rod["Cells_LargestEccentricity_Protein_otsu"] > 0.97
    assert only_rod["Cells_ObjectSpread_Protein_otsu"] == pytest.approx(0, abs=1e-5)
    assert only_rod["Cells_ObjectContrast_Protein_otsu"] > 5


def tent(image, reach):
    """The tent-weighted sums, by SciPy."""
    weights = np.convolve(np.ones(2 * reach + 1), np.ones(2 * reach + 1))
    for axis in (0, 1):
        image = ndimage.correlate1d(image, weights, axis=axis, mode="constant")
    return image


@pytest.mark.parametrize("times", [1, 9])
def test_local_means_are_those_of_scipy_on_each_cell_alone(painted, device, times):
    """At nine times the reach, sums of 16-bit planes need more than 32 bits."""
    crops = pack_crops(painted, {PROTEIN: 0})
    reach = np.maximum(np.rint(np.multiply.outer(painted.nucleus_diameter, (0.02, 0.05, 0.12))), (1, 2, 3)).astype(int)
    np.testing.assert_array_equal(crops.reach, reach)
    places = (crops.parts, crops.starts, painted.field, painted.boxes)
    means = device.kernels.spots.local_means(painted.pixels[:, [1]], *places, reach * times, np.zeros(1, int))[0]
    if times == 1:
        np.testing.assert_array_equal(means, crops.smooth[PROTEIN])
    for i, (top, left, bottom, right) in enumerate(painted.boxes):
        f = painted.field[i]
        mask = (painted.cell_labels[f] == i + 1).astype(float)
        for scale in range(3):
            sums, weights = (tent(image, times * reach[f, scale]) for image in (mask * painted.pixels[f, 1], mask))
            expected = np.where(mask > 0, sums / np.maximum(weights, 1), 0)[top:bottom, left:right].ravel()
            got = means[scale, crops.starts[i] : crops.starts[i + 1]]
            np.testing.assert_allclose(got, expected, rtol=1e-6)


def assert_objects_like_skimage(cells, device):
    crops = pack_crops(cells, {PROTEIN: 0})
    values = crops.smooth[PROTEIN][0]
    wanted = np.array(list(PARTS.values()), np.uint8)
    kernels = device.kernels.objects
    found = kernels.thresholds(values, crops.parts, crops.starts)[wanted]
    maps, smallest = (cells.distance_to_nucleus, cells.distance_inside_nucleus), np.full(cells.n, 3.0)
    owner, _, euler, sums = kernels.find_objects(
        values, crops.parts, crops.starts, cells.field, cells.boxes, wanted, found[:, :, 0], smallest, *maps
    )
    seen = 0
    for k, i in np.ndindex(len(wanted), cells.n):
        top, left, bottom, right = cells.boxes[i]
        crop = values[crops.starts[i] : crops.starts[i + 1]].reshape(bottom - top, right - left)
        mask = crops.parts[crops.starts[i] : crops.starts[i + 1]].reshape(crop.shape) & wanted[k] > 0
        level, _, mean, top_value = found[k, i]
        if not mask.any():
            assert np.isnan(found[k, i]).all() and not (owner == k * cells.n + i).any()
            continue
        np.testing.assert_allclose((mean, top_value), (crop[mask].mean(dtype=float), crop[mask].max()), rtol=1e-6)
        if np.ptp(crop[mask]) > 1e-3:
            bin_width = np.ptp(crop[mask]) / 256
            assert abs(level - threshold_otsu(crop[mask])) <= bin_width
        expected = [r for r in regionprops(label(mask & (crop > np.float32(level)), connectivity=2)) if r.area >= 3]
        mine = np.flatnonzero(owner == k * cells.n + i)
        np.testing.assert_array_equal(sums[mine, 0], [r.area for r in expected])
        np.testing.assert_array_equal(euler[mine], [r.euler_number for r in expected])
        for at, r in zip(mine, expected):
            np.testing.assert_allclose(sums[at, 1:3] / r.area, r.centroid, rtol=1e-9)
            y, x = r.coords.T
            np.testing.assert_allclose(sums[at, 3:6], [(y * y).sum(), (y * x).sum(), (x * x).sum()])
            np.testing.assert_allclose(sums[at, 6], crop[y, x].sum(), rtol=1e-5)
            window = (maps[0] - maps[1])[cells.field[i], top:bottom, left:right]
            np.testing.assert_allclose(sums[at, 7] - sums[at, 8], window[y, x].sum(), rtol=1e-4, atol=1e-3)
        seen += len(mine)
    assert seen


def test_objects_are_those_of_skimage(painted, device):
    assert_objects_like_skimage(painted, device)


def test_objects_of_cells_that_fill_their_boxes_are_those_of_skimage(rng, device):
    """Objects end at one edge of the box and others begin at the opposite one, a row below."""
    labels = (np.arange(40)[:, None] // 20 * 3 + np.arange(57) // 19 + 1)[None]
    nuclei = np.where((np.arange(40)[:, None] % 20 > 8) & (np.arange(57) % 19 > 8), labels, 0)
    pixels = rng.integers(0, 256, (1, 4, 40, 57)).astype(np.uint8)
    assert_objects_like_skimage(make_cells(pixels, labels, nuclei, device), device)


@pytest.mark.shared
def test_objects_of_real_cells_are_those_of_skimage(shared_data, device):
    assert_objects_like_skimage(
        mosaic_cells(shared_data / "hpa-cells" / "train", "duloc3-mixed-img282", device), device
    )


def test_nearest_distances_equal_a_tree(rng, device):
    owner = np.sort(rng.integers(0, 6, 60))
    owner[-1] = 9
    y, x = rng.integers(0, 50, (2, 60))
    kept, offsets = np.ones(60, bool), np.searchsorted(owner, np.arange(11))
    got = device.kernels.points.nearest_distances(y, x, kept, offsets)
    assert np.isnan(got[-1])
    for i in range(6):
        at = np.stack([y, x], 1)[owner == i]
        np.testing.assert_allclose(got[owner == i], cKDTree(at).query(at, k=2)[0][:, 1])


def test_peaks_are_strict_maxima_and_one_of_a_plateau(painted, device):
    crops = pack_crops(painted, {PROTEIN: 0})
    band = np.rint((crops.smooth[PROTEIN][0] - crops.smooth[PROTEIN][2]) / crops.smooth[PROTEIN][0].max() * 40)
    band = (band * (crops.parts > 0)).astype(np.float32)
    anywhere = np.zeros(painted.n, np.int64)
    points, offsets, noise = device.kernels.spots.peaks(
        band, np.zeros_like(band), crops.parts, crops.starts, painted.boxes, anywhere, 0
    )
    owner, positions, *places = points.T
    np.testing.assert_array_equal(offsets, np.searchsorted(owner, np.arange(painted.n + 1)))
    for i, (top, left, bottom, right) in enumerate(painted.boxes):
        mine = slice(crops.starts[i], crops.starts[i + 1])
        crop, part = (image[mine].reshape(bottom - top, right - left) for image in (band, crops.parts))
        order = np.arange(crop.size).reshape(crop.shape)
        rank = np.lexsort((-order.ravel(), crop.ravel())).argsort().reshape(crop.shape)
        highest = (rank == ndimage.maximum_filter(rank, 3, mode="constant", cval=-1)) & (crop > 0)
        got = positions[(positions >= mine.start) & (positions < mine.stop)] - mine.start
        np.testing.assert_array_equal(got, np.flatnonzero(highest))
        np.testing.assert_array_equal(np.stack(places)[:, owner == i], np.nonzero(highest))
        for k in (1, 2):
            below = crop[(part == k) & (crop < 0)]
            assert noise[i, k - 1] == pytest.approx(np.sqrt(np.mean(below**2)) if below.size else 0)
