"""Local binary patterns against scikit-image, and against a plain twin in exact integers."""

import cv2
import numpy as np
import pytest
from painting import assert_touching_cells_are_as_if_alone, paint_cells
from skimage.feature import local_binary_pattern

from features import local_binary_pattern as family
from features.core.cells import make_cells
from store.channels import ER, MICROTUBULES, PROTEIN

NAMES = {(c.compartment, c.channels[0], *c.parameters): k for k, c in enumerate(family.columns())}


def inside(mask, radius):
    """The pixels whose square of 2 * radius + 1 px lies in the mask."""
    side = 2 * radius + 1
    return cv2.erode(np.pad(mask, radius).astype(np.uint8), np.ones((side, side)))[radius:-radius, radius:-radius] > 0


def shares(codes):
    return np.bincount(codes.astype(int), minlength=10) / max(1, codes.size)


def measured(values, compartment, channel, radius):
    return values[[NAMES[compartment, channel, str(radius), str(k)] for k in range(10)]]


def codes_in_plain_python(image, radius, weights, bins):
    """The code of each pixel, its circle walked point by point; 255 where it leaves the image."""
    step, near, edge, far = weights
    out = np.full(image.shape, 255)
    points = [(0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1), (1, 0), (1, 1)]
    for y in range(radius, image.shape[0] - radius):
        for x in range(radius, image.shape[1] - radius):
            code = 0
            for k, (dy, dx) in enumerate(points):
                if dy and dx:
                    inner, outer = (step * dy, step * dx), ((step + 1) * dy, (step + 1) * dx)
                    level = near * int(image[y + inner[0], x + inner[1]]) + far * int(image[y + outer[0], x + outer[1]])
                    sides = int(image[y + inner[0], x + outer[1]]) + int(image[y + outer[0], x + inner[1]])
                    level += edge * sides
                else:
                    level = 16384 * int(image[y + radius * dy, x + radius * dx])
                code |= (level >= 16384 * int(image[y, x])) << k
            out[y, x] = bins[code]
    return out


def uniform_bins():
    """The bin of each 8-bit code: its number of ones if they lie in one piece around the circle, otherwise 9."""
    bins = np.full(256, 9, np.uint8)
    for ones in range(9):
        for turn in range(8):
            piece = (1 << ones) - 1
            bins[(piece << turn | piece >> (8 - turn)) & 255] = ones
    return bins


@pytest.mark.parametrize("radius", family.RADII)
def test_weights_are_the_circle(radius):
    step, near, edge, far = family.diagonal_weights(radius)
    assert near + 2 * edge + far == 16384
    assert (step * 16384 + edge + far) / 16384 == pytest.approx(radius / np.sqrt(2), abs=1e-4)


def test_bins_are_rotation_invariant():
    bins = uniform_bins()
    for turn in range(8):
        turned = [(code << turn | code >> (8 - turn)) & 255 for code in range(256)]
        np.testing.assert_array_equal(bins[turned], bins)
    assert np.bincount(bins).tolist() == [1, 8, 8, 8, 8, 8, 8, 8, 1, 198]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_plain_twin(device, rng, dtype):
    """Every cell, ties and extremes included, bit for bit."""
    cells = paint_cells(rng, dtype)
    cells.pixels[0, PROTEIN.index] = rng.choice([0, 1, np.iinfo(dtype).max], cells.pixels.shape[2:])
    values, bins = family.measure(cells), uniform_bins()
    for radius in family.RADII:
        weights = family.diagonal_weights(radius)
        codes = [codes_in_plain_python(image, radius, weights, bins) for image in cells.pixels[:, PROTEIN.index]]
        for i in range(cells.n):
            for compartment in ("Cells", "Nuclei"):
                mine = inside(cells.labels(compartment)[cells.field[i]] == i + 1, radius)
                got = measured(values[i], compartment, PROTEIN, radius)
                if not mine.any():
                    assert np.isnan(got).all()
                    continue
                np.testing.assert_allclose(got, shares(codes[cells.field[i]][mine]), atol=1e-6)


def test_noise_without_ties_equals_skimage(device, rng):
    pixels = rng.permutation(4 * 60 * 60).reshape(1, 4, 60, 60).astype(np.uint16)
    y, x = np.mgrid[:60, :60]
    labels = ((y - 30) ** 2 + (x - 28) ** 2 < 500).astype(np.int32)[None]
    values = family.measure(make_cells(pixels, labels, labels, device))[0]
    for radius in family.RADII:
        mine = inside(labels[0] > 0, radius)
        for channel in (MICROTUBULES, PROTEIN, ER):
            codes = local_binary_pattern(pixels[0, channel.index], 8, radius, method="uniform")
            # scikit-image rounds the circle to 5 decimals, this family to 1/16384: a near-tie in ten thousand
            np.testing.assert_allclose(measured(values, "Cells", channel, radius), shares(codes[mine]), atol=2 / 1385)


def test_real_pixels_equal_skimage(shared_data, device, rng):
    """Real texture; a different fraction of a level is added to each pixel, as scikit-image breaks ties at random."""
    path = shared_data / "hpa-sample" / "train" / "17e922fa-bbaa-11e8-b2ba-ac1f6b6435d0_green.png"
    image = cv2.imread(str(path), -1).astype(np.uint16) * 200 + rng.integers(0, 200, (512, 512)).astype(np.uint16)
    y, x = np.mgrid[:512, :512]
    tile = 1 + 4 * (y // 128) + x // 128
    labels = np.where(np.hypot(y % 128 - 64, x % 128 - 64) < 62, tile, 0)[None]
    values = family.measure(make_cells(np.stack([image] * 4)[None], labels, labels, device))
    for radius in family.RADII:
        codes = local_binary_pattern(image, 8, radius, method="uniform")
        for i in range(16):
            mine = inside(labels[0] == i + 1, radius)
            np.testing.assert_allclose(measured(values[i], "Cells", PROTEIN, radius), shares(codes[mine]), atol=1e-3)


def test_flat_cell_is_all_plateau(device):
    """Ties count as bright, exactly, wherever the cell lies (interpolation in floating point breaks them at random)."""
    labels = np.ones((1, 20, 20), np.int32)
    values = family.measure(make_cells(np.full((1, 4, 20, 20), 7, np.uint8), labels, labels, device))[0]
    assert (measured(values, "Cells", PROTEIN, 1)[8], measured(values, "Nuclei", PROTEIN, 2)[8]) == (1, 1)


def test_quarter_turn_changes_nothing(device, rng):
    cells = paint_cells(rng, n_fields=1)
    turned = [np.rot90(a, axes=(-2, -1)).copy() for a in (cells.pixels, cells.cell_labels, cells.nucleus_labels)]
    before, after = family.measure(cells), family.measure(make_cells(*turned, device))
    np.testing.assert_array_equal(after, before)


def test_touching_cells_in_one_box_do_not_see_each_other(device, rng):
    assert_touching_cells_are_as_if_alone(family, device, rng)
