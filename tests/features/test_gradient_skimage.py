"""Smoothing inside a cell against SciPy, and Hessian and structure tensor against scikit-image, on real pixels."""

from itertools import pairwise

import cv2
import numpy as np
import pytest
from scipy import ndimage
from skimage.feature import hessian_matrix, hessian_matrix_eigvals, structure_tensor

from features import gradient as family
from features.core.cells import make_cells
from store.channels import MICROTUBULES

NAMES = {(c.compartment, c.feature, c.channels[0], *c.parameters): k for k, c in enumerate(family.columns())}


@pytest.fixture
def real(shared_data, device):
    """One large disc of a real microtubule image: levels, mask, values by name."""
    path = shared_data / "hpa-sample" / "train" / "17e922fa-bbaa-11e8-b2ba-ac1f6b6435d0_red.png"
    image = cv2.imread(str(path), -1)[100:420, 100:420]
    y, x = np.mgrid[:320, :320]
    mask = np.hypot(y - 160, x - 160) < 150
    labels = mask.astype(np.int32)[None]
    values = family.measure(make_cells(np.stack([image] * 4)[None], labels, labels, device))[0]
    return image.astype(float), mask, lambda *name: values[NAMES["Cells", name[0], MICROTUBULES, name[1]]]


def smoothed(image, mask):
    """The four levels by normalised convolution, with SciPy."""
    levels = [np.where(mask, image, 0)]
    for spacing in family.SCALES:
        taps = np.zeros(4 * spacing + 1)
        taps[::spacing] = np.array([1, 4, 6, 4, 1]) / 16
        blurred = [a.astype(float) for a in (levels[-1], mask)]
        for axis in (0, 1):
            blurred = [ndimage.convolve1d(a, taps, axis=axis, mode="constant") for a in blurred]
        levels.append(np.where(mask, blurred[0] / np.where(mask, blurred[1], 1), 0))
    return levels


def inner(mask):
    return ndimage.binary_erosion(mask, np.ones((3, 3)))


def test_bands_equal_scipy(real):
    image, mask, got = real
    levels = smoothed(image, mask)
    energies = [((a - b)[mask] ** 2).mean() for a, b in pairwise(levels)]
    coarse = sum(energies[1:]) + levels[-1][mask].var()
    for k, scale in enumerate(map(str, family.SCALES)):
        total = coarse + energies[0] if k == 0 else coarse
        assert got("BandContrast", scale) == pytest.approx(np.sqrt(energies[k]) / image[mask].mean(), rel=1e-4)
        assert got("BandShare", scale) == pytest.approx(energies[k] / total, rel=1e-4)


def test_curvature_equals_skimage_on_the_same_second_differences(real):
    image, mask, got = real
    where = inner(mask)
    for level, scale in zip(smoothed(image, mask)[1:4], ("1", "2", "4"), strict=True):
        second = np.array([1, -2, 1])
        rows, columns = (ndimage.convolve1d(level, second, axis=axis) for axis in (0, 1))
        mixed = ndimage.convolve(level, np.array([[1, 0, -1], [0, 0, 0], [-1, 0, 1]]) / 4)
        high, low = hessian_matrix_eigvals(np.array([rows, mixed, columns]))[:, where]
        total = (abs(high) + abs(low)).sum()
        ridge = np.where(low < 0, np.where(high < 0, high - low, np.maximum(0, -low - high)), 0).sum() / total
        blob = -2 * high[high < 0].sum() / total
        assert got("Ridge", scale) == pytest.approx(ridge, rel=1e-3)
        assert got("Blob", scale) == pytest.approx(blob, rel=1e-3)
        laplacian = np.sqrt(((high + low) ** 2).mean()) / image[mask].mean()
        assert got("Laplacian", scale) == pytest.approx(laplacian, rel=1e-3)


def test_curvature_is_near_the_gaussian_hessian(real):
    """The second level smooths like a Gaussian of variance 5 px^2."""
    image, mask, got = real
    far_inside = ndimage.binary_erosion(mask, iterations=12)
    elements = hessian_matrix(image, sigma=np.sqrt(5), order="rc", use_gaussian_derivatives=True)
    high, low = hessian_matrix_eigvals(elements)[:, far_inside]
    total = (abs(high) + abs(low)).sum()
    assert got("Blob", "2") == pytest.approx(-2 * high[high < 0].sum() / total, rel=0.15)
    laplacian = np.sqrt(((high + low) ** 2).mean()) / image[mask].mean()
    assert got("Laplacian", "2") == pytest.approx(laplacian, rel=0.15)


def test_structure_tensor_is_near_skimage(real):
    """Blocks of 8 px hold about what a Gaussian window of the same variance holds."""
    image, mask, got = real
    where, level = ndimage.binary_erosion(mask, iterations=9), smoothed(image, mask)[1]
    rr, rc, cc = (a[where] for a in structure_tensor(level, sigma=8 / np.sqrt(12), order="rc"))
    coherence = np.sqrt((rr - cc) ** 2 + 4 * rc**2).sum() / (rr + cc).sum()
    alignment = np.hypot((rr - cc).sum(), 2 * rc.sum()) / (rr + cc).sum()
    assert got("Coherence", "1") == pytest.approx(coherence, abs=0.05)
    assert got("Alignment", "1") == pytest.approx(alignment, abs=0.05)
