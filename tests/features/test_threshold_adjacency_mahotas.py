"""Threshold adjacency against mahotas, a brute-force twin, and levels that can be worked out by hand.

mahotas sorts the pixels outside a band by their neighbours in it, the paper those in the band. So its "negated" block,
read backwards (8 minus the neighbours outside), is the paper's: that is what is compared.
"""

import cv2
import mahotas
import numpy as np
import pytest
from painting import assert_touching_cells_are_as_if_alone, paint_cells
from scipy import ndimage

from features import threshold_adjacency as family
from features.core.cells import make_cells
from store.channels import PROTEIN

NAMES = {(c.compartment, c.feature, c.channels[0], c.parameters): k for k, c in enumerate(family.columns())}


def shares_by_mahotas(band):
    """Shares of the pixels in a band with 0..8 neighbours in it."""
    return mahotas.features.pftas(np.pad(band, 1).astype(int), T=0)[45:54][::-1]


def shares_by_counting(band):
    near = ndimage.convolve(band.astype(int), [[1, 1, 1], [1, 0, 1], [1, 1, 1]], mode="constant")
    return np.bincount(near[band], minlength=9) / max(1, band.sum())


def measured(values, compartment, channel, feature, level):
    return values[[NAMES[compartment, feature, channel, (level, str(k))] for k in range(9)]]


def bands_of(image, mask, level):
    """The three bands, written once more with mahotas' threshold and NumPy."""
    inside = image[mask]
    bright = inside[inside > mahotas.otsu(inside)] if level == "bright" else inside
    mean, sd = bright.mean(), bright.std()
    return {
        "AroundMean": mask & (image > mean - sd) & (image < mean + sd),
        "AboveLow": mask & (image > mean - sd),
        "AboveMean": mask & (image > mean),
    }


def check(cells, values, i, compartment, channel):
    top, left, bottom, right = cells.boxes[i]
    window = (cells.field[i], slice(top, bottom), slice(left, right))
    mask = cells.labels(compartment)[window] == i + 1
    image = cells.pixels[:, channel.index][window].astype(np.uint16)
    for level in family.LEVELS:
        for name, band in bands_of(image, mask, level).items():
            for feature, pixels in ((name, band), ("Not" + name, mask & ~band)):
                got = measured(values[i], compartment, channel, feature, level)
                if not pixels.any():
                    assert np.isnan(got).all()
                    continue
                np.testing.assert_allclose(got, shares_by_mahotas(pixels), atol=1e-6)
                np.testing.assert_allclose(got, shares_by_counting(pixels), atol=1e-6)


def test_painted_cells(device, rng):
    cells = paint_cells(rng)
    values = family.measure(cells)
    for i in (0, 1, 9):
        for compartment, channel in family.MEASURED:
            check(cells, values, i, compartment, channel)


@pytest.mark.parametrize("width", [1, 2, 7, 8, 9, 17])
def test_cells_beside_the_border_and_beside_themselves(device, rng, width):
    """Rows are read beyond the box, but not beyond the image: the next row begins with the same cell."""
    labels = np.zeros((1, 12, 24), np.int32)
    labels[0, 1:9, :width] = 1
    labels[0, 8:10, width:] = 1
    labels[0, 2:7, -3:] = 2
    pixels = rng.integers(0, 256, (1, 4, *labels.shape[1:]), np.uint8)
    cells = make_cells(pixels, labels, labels, device)
    values = family.measure(cells)
    for compartment, channel in family.MEASURED:
        check(cells, values, 0, compartment, channel)
        check(cells, values, 1, compartment, channel)


def real_discs(shared_data, device, field_id="17e922fa-bbaa-11e8-b2ba-ac1f6b6435d0"):
    """Discs on a real field, each with a nucleus."""
    path = shared_data / "hpa-sample" / "train"
    colours = ("red", "green", "blue", "yellow")
    pixels = np.stack([cv2.imread(str(path / f"{field_id}_{colour}.png"), -1) for colour in colours])
    y, x = np.mgrid[:512, :512]
    tile, radius = 1 + 4 * (y // 128) + x // 128, np.hypot(y % 128 - 64, x % 128 - 64)
    return make_cells(pixels[None], np.where(radius < 62, tile, 0)[None], np.where(radius < 30, tile, 0)[None], device)


def test_real_pixels(shared_data, device):
    cells = real_discs(shared_data, device)
    values = family.measure(cells)
    for i in (0, 10):
        for compartment, channel in family.MEASURED:
            check(cells, values, i, compartment, channel)


def test_whole_pftas_of_a_rectangular_cell(device, rng):
    """The real pftas on a cell that is the whole image: all of its own bands, border pixels left out of both."""
    image = rng.gamma(2, 30, (60, 60)).clip(1, 255).astype(np.uint8)
    labels = np.ones((1, 60, 60), np.int32)
    cells = make_cells(np.broadcast_to(image, (1, 4, 60, 60)).copy(), labels, labels, device)
    got = family.measure(cells)[0]
    theirs = mahotas.features.pftas(image, T=mahotas.otsu(image)).reshape(6, 9)
    for k, name in enumerate(family.BANDS):
        # their image border mirrors, ours is "out": a border of 1 of 60 pixels moves few shares
        np.testing.assert_allclose(measured(got, "Cells", PROTEIN, name, "bright"), theirs[3 + k][::-1], atol=0.06)


@pytest.mark.parametrize(("feature", "neighbours", "share"), [("AboveMean", 0, 1.0), ("NotAboveMean", 8, 0.6)])
def test_specks_have_no_neighbours(device, feature, neighbours, share):
    image = np.zeros((1, 4, 41, 41), np.uint8)
    image[..., 4::9, 4::9] = 200
    labels = np.ones((1, 41, 41), np.int32)
    got = measured(family.measure(make_cells(image, labels, labels, device))[0], "Cells", PROTEIN, feature, "all")
    assert got[neighbours] >= share


def test_threads_have_two_neighbours(device):
    image = np.zeros((1, 4, 41, 41), np.uint8)
    image[..., 4::6, 1:-1] = 200
    labels = np.ones((1, 41, 41), np.int32)
    got = measured(family.measure(make_cells(image, labels, labels, device))[0], "Cells", PROTEIN, "AboveMean", "all")
    np.testing.assert_allclose(got[[1, 2]], [2 / 39, 37 / 39], rtol=1e-6)


def test_flat_cell_has_empty_bands(device):
    labels = np.ones((1, 12, 12), np.int32)
    cells = make_cells(np.full((1, 4, 12, 12), 9, np.uint8), labels, labels, device)
    got = family.measure(cells)[0]
    assert np.isnan(measured(got, "Cells", PROTEIN, "AboveMean", "bright")).all()
    np.testing.assert_allclose(measured(got, "Cells", PROTEIN, "NotAboveMean", "all")[8], 100 / 144)


def test_16_bit_bands_follow_the_levels(device, rng):
    """Bits that carry nothing change nothing; Otsu's threshold of a wide range is found to a 128th of it."""
    cells = paint_cells(rng)
    wide = make_cells(cells.pixels.astype(np.uint16), cells.cell_labels, cells.nucleus_labels, device)
    assert family.measure(wide).tobytes() == family.measure(cells).tobytes()
    values = rng.gamma(2, 4000, 5000).clip(0, 65535).astype(np.uint16)
    first, last = device.kernels.threshold_adjacency.bands(values, np.array([0, 5000]))[0].T
    bright = values[values > mahotas.otsu(values)]
    tolerance = values.max() / 128
    np.testing.assert_allclose(first[:3], [bright.mean() - bright.std()] * 2 + [bright.mean()], atol=tolerance)
    low, high = values.mean() - values.std(), values.mean() + values.std()
    assert (first[3:] == np.floor([low, low, values.mean()]) + 1).all()
    assert last[3] == np.ceil(high) - 1


def test_touching_cells_in_one_box_do_not_see_each_other(device, rng):
    assert_touching_cells_are_as_if_alone(family, device, rng)
