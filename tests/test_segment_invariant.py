"""Cells of painted fields: what holds whatever the outlines look like."""

import cv2
import numpy as np
import pytest

from engine.errors import FieldError
from features._segment import segment


def paint_field(nuclei, size=256, dtype=np.uint8, gain=1.0):
    """A dim field of round cells: `nuclei` are (y, x, radius)."""
    full = np.iinfo(dtype).max
    y, x = np.mgrid[:size, :size]
    planes = np.zeros((4, size, size), np.float32)
    for cy, cx, radius in nuclei:
        distance = np.hypot(y - cy, x - cx)
        planes[2] = np.maximum(planes[2], 0.5 * (distance < radius))
        body = np.clip(1.2 - distance / (2.2 * radius), 0, 0.4)
        planes[[0, 3]] = np.maximum(planes[[0, 3]], body)
    planes = np.stack([cv2.GaussianBlur(plane, (0, 0), 1.2) for plane in planes])
    return (planes * full * gain).astype(dtype)


GRID = [(50, 50, 16), (60, 150, 16), (150, 70, 16), (170, 180, 16)]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_finds_the_painted_nuclei(dtype):
    found = segment(paint_field(GRID, dtype=dtype))
    assert found.n == len(GRID)
    assert len({found.nuclei[y, x] for y, x, _ in GRID} - {0}) == len(GRID)
    assert found.cells.dtype == found.nuclei.dtype == np.int32


def test_a_nucleus_carries_the_id_of_its_cell():
    found = segment(paint_field(GRID))
    inside = found.nuclei > 0
    np.testing.assert_array_equal(found.nuclei[inside], found.cells[inside])
    np.testing.assert_array_equal(np.unique(found.nuclei), np.arange(found.n + 1))


def test_a_black_field_is_named():
    with pytest.raises(FieldError, match="field f1: no nuclei found") as caught:
        segment(np.zeros((4, 64, 64), np.uint8), "f1")
    assert caught.value.stage == "segment"
