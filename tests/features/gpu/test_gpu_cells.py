"""Cells of whole batches, found on a GPU: the CPU's labels bit by bit; CUDA sources run on the CPU here."""

from dataclasses import replace

import cuda_on_cpu
import emulated_gpu
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from painted_fields import SPREAD, TOUCHING, paint_field

from features.extraction.batches import ReadField, fetch, launch
from features.extraction.field_level import measure_field
from features.extraction.settings import ExtractSettings
from features.reading.field_reading import read_field
from features.reading.fields import find_fields
from features.segmentation.segment import find_cells


def assert_same_cells(pixels, device, emulated):
    """The cells of a batch, the same on both devices."""
    ours = find_cells(pixels, device)
    for image, theirs in zip(ours, find_cells(emulated.put(pixels), emulated)):
        assert image.dtype == theirs.dtype == np.int32
        assert_array_equal(emulated.get(theirs), image)
    return ours


@pytest.fixture
def batch():
    """Spread cells, none, dim cells in clumps, one cell."""
    kinds = ((SPREAD, 0.5), ([], 0.5), (TOUCHING, 0.1), (SPREAD[:1], 0.9))
    return np.stack([paint_field(nuclei, gain=gain) for nuclei, gain in kinds])


@pytest.mark.parametrize("downwards", [False, True])
@pytest.mark.parametrize("times", [1, 257])
def test_fields_of_a_batch(batch, downwards, times, device, emulated, monkeypatch):
    monkeypatch.setattr(cuda_on_cpu.HostProgram, "downwards", downwards)
    pixels = batch if times == 1 else batch.astype(np.uint16) * np.uint16(times)
    cells, _ = assert_same_cells(pixels, device, emulated)
    assert_array_equal(cells.max(axis=(1, 2)), [len(SPREAD), 0, len(TOUCHING), 1])


def test_large_fields_are_shrunk_and_enlarged(device, emulated):
    pixels = paint_field(TOUCHING, size=260).repeat(3, axis=1).repeat(3, axis=2)[None, :, :, :779]
    cells, _ = assert_same_cells(np.ascontiguousarray(pixels), device, emulated)
    assert cells.max() == len(TOUCHING)


def test_thresholds_and_radii_are_all_that_is_waited_for(batch, emulated):
    fetched = []
    device = replace(emulated, get=lambda array: fetched.append(array.shape) or emulated.get(array))
    emulated_gpu.waits.clear()
    find_cells(device.put(batch), device)
    assert emulated_gpu.waits == []
    assert fetched == [(len(batch),), (len(batch),)]


def test_rows_and_cells_are_those_of_the_cpu(batch, rng, device, emulated):
    batch += (batch > 0) * rng.integers(0, 9, batch.shape).astype(np.uint8)  # painted cells are symmetric, full of ties
    read = [ReadField({"Metadata_Id": f"f{k}"} | measure_field(one), one) for k, one in enumerate(batch)]
    settings = ExtractSettings(None, "cuda")
    ours, theirs = (fetch(launch(read, settings, where), settings, where) for where in (device, emulated))
    assert theirs.rows == ours.rows
    assert theirs.rows[1]["Metadata_Error"].startswith("field f1: no nuclei found")
    for name in ("field", "centres", "at_border"):
        assert_array_equal(getattr(theirs, name), getattr(ours, name))
    np.testing.assert_allclose(theirs.values, ours.values, rtol=1e-5, atol=1e-6)


@pytest.mark.shared
def test_real_fields(shared_data, device, emulated):
    """Crowded, irregular, dim."""
    source = find_fields(shared_data / "hpa-sample" / "train")
    pixels = np.stack([read_field(source, source.ids[k]) for k in (0, 7, 50)])
    cells, _ = assert_same_cells(pixels, device, emulated)
    assert cells.max() > 200
