"""Cells of painted and real fields: what holds whatever the outlines look like."""

import cv2
import numpy as np
import pytest
from painted_fields import SPREAD, TOUCHING, paint_field
from scipy import ndimage

from engine.errors import FieldError
from features.reading.field_reading import read_field
from features.reading.fields import find_fields
from features.segmentation.segment import segment


def centres(found, nuclei):
    return [int(found.nuclei[y, x]) for y, x, _ in nuclei]


def assert_whole(found):
    """Ids without gaps; one connected nucleus in each cell, each cell connected."""
    ids = np.arange(found.n + 1)
    np.testing.assert_array_equal(np.unique(found.cells)[-found.n :], ids[1:])
    np.testing.assert_array_equal(np.unique(found.nuclei)[-found.n :], ids[1:])
    inside = found.nuclei > 0
    np.testing.assert_array_equal(found.nuclei[inside], found.cells[inside])
    for labels in (found.cells, found.nuclei):
        assert labels.dtype == np.int32
        for box, label in zip(ndimage.find_objects(labels), ids[1:]):
            assert ndimage.label(labels[box] == label, np.ones((3, 3)))[1] == 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("gain", [1.0, 0.1])
@pytest.mark.parametrize("nuclei", [SPREAD, TOUCHING])
def test_each_painted_nucleus_is_one_cell(nuclei, dtype, gain):
    found = segment(paint_field(nuclei, dtype=dtype, gain=gain))
    assert_whole(found)
    assert sorted(centres(found, nuclei)) == list(range(1, len(nuclei) + 1))


def test_areas_are_those_painted():
    found = segment(paint_field(SPREAD))
    for label, (_, _, radius) in zip(centres(found, SPREAD), SPREAD):
        assert (found.nuclei == label).sum() == pytest.approx(np.pi * radius**2, rel=0.15)


def test_an_oval_nucleus_is_not_split():
    pixels = paint_field(SPREAD)
    y, x = np.mgrid[:256, :256]
    pixels[2][((y - 110) / 12) ** 2 + ((x - 110) / 26) ** 2 < 1] = 110
    found = segment(pixels)
    assert found.n == len(SPREAD) + 1


def test_cells_at_the_border_are_kept():
    nuclei = [(3, 60, 16), (130, 2, 16), (130, 253, 16), (253, 253, 16), (120, 120, 16)]
    found = segment(paint_field(nuclei))
    assert_whole(found)
    assert sorted(centres(found, nuclei)) == [1, 2, 3, 4, 5]


def test_cells_do_not_leak_over_black_background():
    pixels = paint_field(SPREAD)
    found = segment(pixels)
    lit = ndimage.binary_dilation(pixels[[0, 3]].max(0) > 0, iterations=3)
    assert not (found.cells[~lit] > 0).any()


def test_the_protein_is_never_looked_at(rng):
    pixels = paint_field(SPREAD)
    before = segment(pixels)
    pixels[1] = rng.integers(0, 256, pixels[1].shape)
    np.testing.assert_array_equal(segment(pixels).cells, before.cells)


@pytest.mark.parametrize("times", [2, 3, 4, 5])
def test_resolution_does_not_matter(times):
    """Larger fields are segmented at a part of their size and their outlines enlarged, smoothly."""
    small = segment(paint_field(TOUCHING, size=300))
    pixels = cv2.resize(
        paint_field(TOUCHING, size=300).transpose(1, 2, 0), None, fx=times, fy=times, interpolation=cv2.INTER_CUBIC
    ).transpose(2, 0, 1)
    large = segment(np.ascontiguousarray(pixels[:, : 300 * times - 1]))  # not a multiple of anything
    assert_whole(large)
    assert large.n == small.n == len(TOUCHING)
    area = np.bincount(large.nuclei.ravel())[1:] / times**2
    np.testing.assert_allclose(np.sort(area), np.sort(np.bincount(small.nuclei.ravel())[1:]), rtol=0.1)


def test_offset_and_noise_of_a_camera_are_background(rng):
    clean = paint_field(TOUCHING)
    raw = (400 + 12.0 * clean + rng.normal(0, 25, clean.shape)).astype(np.uint16)
    found = segment(raw)
    assert found.n == len(TOUCHING)
    assert not (found.cells[~ndimage.binary_dilation(clean[[0, 3]].max(0) > 0, iterations=3)] > 0).any()


def test_same_bytes_again():
    pixels = paint_field(TOUCHING)
    first, second = segment(pixels), segment(pixels)
    assert first.cells.tobytes() == second.cells.tobytes()
    assert first.nuclei.tobytes() == second.nuclei.tobytes()


@pytest.mark.parametrize("shape", [(16, 16), (17, 300), (300, 40)])
def test_odd_sizes(shape):
    pixels = paint_field([(8, 8, 5)], size=300)[:, : shape[0], : shape[1]]
    assert segment(np.ascontiguousarray(pixels)).cells.shape == shape


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_nothing_to_find_is_named(dtype, rng):
    black = np.zeros((4, 64, 64), dtype)
    no_nuclei = paint_field(SPREAD, dtype=dtype)
    no_nuclei[2] = 0
    flat = np.full((4, 64, 64), 7, dtype)
    for pixels in (black, no_nuclei, flat):
        top = int(pixels[2].max())
        expected = rf"field f1: no nuclei found \(nucleus channel: brightest pixel {top} of {np.iinfo(dtype).max}\)"
        with pytest.raises(FieldError, match=expected) as caught:
            segment(pixels, "f1")
        assert (caught.value.stage, caught.value.field) == ("segment", "f1")


def test_real_fields_are_whole(shared_data):
    """Crowded, dim, nearly empty, irregular; and a mosaic of cut-out cells on black."""
    sample = find_fields(shared_data / "hpa-sample" / "train")
    n = {}
    for k in (0, 7, 8, 16, 42, 50):
        found = segment(read_field(sample, sample.ids[k]))
        assert_whole(found)
        n[k] = found.n
    assert 200 < n[0] < 300  # about 250 by eye
    assert n[7] == 11
    assert 36 <= n[50] <= 40
    mosaics = find_fields(shared_data / "hpa-cells" / "train")
    counts = [segment(read_field(mosaics, field)).n for field in mosaics.ids[:8]]
    assert np.median(counts) == 9
