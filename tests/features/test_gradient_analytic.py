"""Gradients of patterns whose answer is known: gratings, rings, dots, noise, nothing."""

import numpy as np
import pytest
from painting import assert_touching_cells_are_as_if_alone

from features import gradient as family
from features.core.cells import make_cells
from store.channels import ER, NUCLEUS, PROTEIN

NAMES = {(c.compartment, c.feature, c.channels[0], *c.parameters): k for k, c in enumerate(family.columns())}
SIZE = 160
Y, X = np.mgrid[:SIZE, :SIZE].astype(float)
DISC = np.hypot(Y - 80, X - 78) < 74
NUCLEUS_DISC = np.hypot(Y - 70, X - 90) < 40


def measure_image(image, device, dtype=np.uint16):
    """The family's values, by name, of a round cell that shows this image in every channel."""
    pixels = np.broadcast_to(np.rint(image).astype(dtype), (1, 4, SIZE, SIZE)).copy()
    pixels[:, :, ~DISC] = np.iinfo(dtype).max  # what lies outside must not matter
    cells = make_cells(pixels, DISC[None].astype(np.int32), NUCLEUS_DISC[None].astype(np.int32), device)
    values = family.measure(cells)[0]
    return lambda *name: values[NAMES[name]]


def grating(period, angle=0.0):
    return 20000 + 10000 * np.cos(2 * np.pi * (X * np.cos(angle) + Y * np.sin(angle)) / period)


@pytest.mark.parametrize("angle", [0, 0.3, np.pi / 2, 2.5])
@pytest.mark.parametrize("compartment", ["Cells", "Nuclei"])
def test_grating_has_one_direction(device, compartment, angle):
    got = measure_image(grating(12, angle), device)
    for scale in ("1", "2"):
        assert got(compartment, "Coherence", PROTEIN, scale) > 0.95
        assert got(compartment, "Alignment", PROTEIN, scale) > 0.9
        assert got(compartment, "OrientationEntropy", PROTEIN, scale) < 0.35


def test_rings_have_all_directions_but_each_place_has_one(device):
    got = measure_image(20000 + 10000 * np.cos(2 * np.pi * np.hypot(Y - 80, X - 78) / 10), device)
    assert got("Cells", "Coherence", NUCLEUS, "1") > 0.85
    assert got("Cells", "Alignment", NUCLEUS, "1") < 0.05
    assert got("Cells", "OrientationEntropy", NUCLEUS, "1") > 0.98


def test_noise_has_no_direction(device, rng):
    got = measure_image(rng.uniform(10000, 30000, (SIZE, SIZE)), device)
    assert got("Cells", "Coherence", ER, "1") < 0.35
    assert got("Cells", "Alignment", ER, "1") < 0.05
    assert got("Cells", "OrientationEntropy", ER, "1") > 0.95


@pytest.mark.parametrize(("period", "tolerance"), [(4, 0.02), (8, 0.02), (16, 0.05), (32, 0.1)])
def test_bands_follow_the_transfer_function(device, period, tolerance):
    """A B3 smoothing with taps s px apart passes cos(pi s / period)^4 of a grating; less near the border."""
    got = measure_image(grating(period), device)
    passed, energies = 1.0, []
    for s in family.SCALES:
        kept = passed * np.cos(np.pi * s / period) ** 4
        energies.append((passed - kept) ** 2)
        passed = kept
    coarse = sum(energies[1:]) + passed**2
    expected = [energies[0] / (energies[0] + coarse), *(e / coarse for e in energies[1:]), passed**2 / coarse]
    shares = [got("Cells", "BandShare", PROTEIN, str(s)) for s in (*family.SCALES, "rest")]
    np.testing.assert_allclose(shares, expected, atol=tolerance)
    contrast = [got("Cells", "BandContrast", PROTEIN, str(s)) for s in family.SCALES]
    np.testing.assert_allclose(contrast, np.sqrt(np.array(energies) / 2) / 2, atol=0.02)


def test_grating_is_half_ridge_half_valley(device):
    got = measure_image(grating(14, 0.4), device)
    for scale in ("1", "2"):
        shares = [got("Cells", form, PROTEIN, scale) for form in family.FORMS]
        np.testing.assert_allclose(shares, [0.5, 0.5, 0, 0], atol=0.04)


def test_magnitude_and_laplacian_of_a_grating(device):
    period = 24
    got = measure_image(grating(period), device)
    w = 2 * np.pi / period
    passed = 0.5 * np.cos(np.pi / period) ** 4  # amplitude over mean, after the first level
    assert got("Cells", "Magnitude", PROTEIN, "1") == pytest.approx(passed * np.sin(w) * 2 / np.pi, rel=0.03)
    assert got("Cells", "Laplacian", PROTEIN, "1") == pytest.approx(passed * (2 - 2 * np.cos(w)) / np.sqrt(2), rel=0.03)


def test_threads_are_ridges_and_dots_are_blobs(device):
    def peak(distance):
        return 20000 * np.exp(-(distance**2) / 4)

    threads = measure_image(1000 + peak(X % 16 - 8), device)
    dots = measure_image(1000 + peak(np.hypot(X % 16 - 8, Y % 16 - 8)), device)
    pits = measure_image(30000 - peak(np.hypot(X % 16 - 8, Y % 16 - 8)), device)
    for scale in ("1", "2"):
        assert threads("Cells", "Blob", PROTEIN, scale) < 0.03 < 0.4 < threads("Cells", "Ridge", PROTEIN, scale)
        assert dots("Cells", "Blob", PROTEIN, scale) > dots("Cells", "Hole", PROTEIN, scale)
        assert dots("Cells", "Blob", PROTEIN, scale) > 0.15
        assert pits("Cells", "Hole", PROTEIN, scale) == pytest.approx(dots("Cells", "Blob", PROTEIN, scale), rel=1e-3)


def test_flat_cell_has_contrast_0_and_no_shares(device):
    got = measure_image(np.full((SIZE, SIZE), 12345), device)
    assert got("Cells", "BandContrast", PROTEIN, "1") == got("Cells", "Magnitude", PROTEIN, "2") == 0
    for name in (
        ("BandShare", "4"),
        ("Ridge", "2"),
        ("Coherence", "1"),
        ("Alignment", "2"),
        ("OrientationEntropy", "1"),
    ):
        assert np.isnan(got("Cells", name[0], PROTEIN, name[1]))


def test_brightness_is_no_texture(device, rng):
    image = rng.integers(10, 250, (SIZE, SIZE))
    dim, bright = measure_image(image, device, np.uint8), measure_image(image * 257, device)
    np.testing.assert_allclose([dim(*n) for n in NAMES], [bright(*n) for n in NAMES], rtol=1e-4, atol=1e-5)


def test_only_the_finest_band_is_a_covariate(device, rng):
    """No other column of bands moves when the finest band grows alone (a pattern that the first smoothing removes)."""
    assert {(c.feature, c.parameters) for c in family.columns() if c.covariate} == {
        ("BandContrast", ("1",)),
        ("BandShare", ("1",)),
    }
    base = grating(16)
    plain, fine = measure_image(base, device), measure_image(base + 3000 * (-1) ** (X + Y), device)
    assert fine("Cells", "BandShare", PROTEIN, "1") > 2 * plain("Cells", "BandShare", PROTEIN, "1")
    for scale in ("2", "4", "8", "rest"):
        before, after = plain("Cells", "BandShare", PROTEIN, scale), fine("Cells", "BandShare", PROTEIN, scale)
        assert after == pytest.approx(before, abs=0.01)


def test_touching_cells_in_one_box_do_not_see_each_other(device, rng):
    assert_touching_cells_are_as_if_alone(family, device, rng)


def test_what_the_bands_leave_is_the_variance_of_the_smoothest_level():
    """One region of 4 px: energies 2, 1 and 0 a pixel, the smoothest level 4, 2, 2, 0 with mean 2 and variance 2."""
    bands = np.zeros((1, 1, len(family.SCALES) + 3))
    bands[0, 0, 0], bands[0, 0, 1] = 8, 4
    bands[0, 0, -3:] = 8, 24, 40
    found = family.band_values(bands, np.array([[4]]), np.array([[10.0]]), np)[0, 0]
    n = len(family.SCALES)
    np.testing.assert_allclose(found[:n], np.sqrt([2, 1, *[0] * (n - 2)]) / 10)
    np.testing.assert_allclose(found[n:], [2 / 5, 1 / 3, *[0] * (n - 2), 2 / 3])
