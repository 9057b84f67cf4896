"""Field-level measures on images whose answer is known; hashes of the same field, changed."""

import cv2
import numpy as np
import pytest

from features.extraction.batches import ReadField, fetch, launch
from features.extraction.field_level import field_columns, field_hashes, field_metadata, measure_field
from features.extraction.settings import ExtractSettings
from features.kernels.cpu.field import laplacian_sums
from features.reading.field_reading import read_field
from features.reading.fields import find_fields
from models.data.duplicates import hamming, turned
from store.channels import CHANNELS, IMAGE

SETTINGS = ExtractSettings(None, "cpu")


def row_of(pixels, cell_labels, nucleus_labels, device):
    """The row of a field in the field table, through a batch of one."""
    batch = [ReadField({"Metadata_Id": "f"} | measure_field(pixels), pixels, (cell_labels, nucleus_labels))]
    (row,) = fetch(launch(batch, SETTINGS, device), SETTINGS, device).rows
    return row


@pytest.fixture
def blobs(rng):
    """Four channels of smooth random texture, 128 x 160, uint8."""
    noise = rng.normal(0, 1, (4, 128, 160))
    smooth = np.stack([cv2.GaussianBlur(plane, (0, 0), 4) for plane in noise])
    return (60 + 60 * smooth / np.abs(smooth).max()).astype(np.uint8)


def test_names_and_values_agree(painted, device):
    values = row_of(painted.pixels[0], painted.cell_labels[0], painted.nucleus_labels[0], device)
    assert values.pop("Metadata_Id") == "f"
    columns = field_columns()
    assert sorted(values) == sorted([c.name for c in columns] + list(field_metadata()))
    assert {c.compartment for c in columns} == {IMAGE}
    assert len(set(values)) == len(values)
    assert all(isinstance(values[name], int) for name in field_metadata())
    assert not np.isinf(list(values.values())).any()


def test_counts_sizes_and_cover(device):
    cells = np.zeros((64, 96), np.int32)
    cells[:20, :30] = 1
    cells[30:50, 30:60] = 2
    nuclei = np.zeros_like(cells)
    nuclei[5:15, 5:15] = 1
    nuclei[35:45, 35:45] = 2
    values = row_of(np.full((4, 64, 96), 9, np.uint8), cells, nuclei, device)
    assert values["Image_Count_Cells"] == 2
    assert values["Image_Count_Covered"] == pytest.approx(1200 / (64 * 96))
    assert values["Image_Count_Crowding"] == pytest.approx(200 / (64 * 96))
    assert values["Image_Size_Height"] == 64
    assert values["Image_Size_NucleusDiameter"] == pytest.approx(np.sqrt(400 / np.pi))


def test_without_nuclei_sizes_are_undefined(device):
    """As with masks of cells made elsewhere."""
    cells = np.ones((64, 64), np.int32)
    values = row_of(np.full((4, 64, 64), 9, np.uint8), cells, np.zeros_like(cells), device)
    assert values["Image_Count_Cells"] == values["Image_Count_Covered"] == 1
    assert np.isnan(values["Image_Size_NucleusDiameter"])
    assert np.isnan(values["Image_Count_Crowding"])


def test_without_cells_the_row_says_so(device):
    """Fields whose cells the device finds: one with a nucleus, one without, in one batch."""
    pixels = np.zeros((2, 4, 96, 96), np.uint8)
    pixels[1, :, 30:60, 30:60] = 100
    batch = [ReadField({"Metadata_Id": f"f{k}"} | measure_field(one), one) for k, one in enumerate(pixels)]
    found = fetch(launch(batch, SETTINGS, device), SETTINGS, device)
    np.testing.assert_array_equal(found.field, [1])
    assert found.rows[1]["Image_Count_Cells"] == 1
    assert set(found.rows[0]) == {"Metadata_Id", "Metadata_Path", "Metadata_Stage", "Metadata_Error"}
    assert found.rows[0]["Metadata_Error"].startswith("field f0: no nuclei found")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_quality_of_a_checkerboard(dtype):
    top = np.iinfo(dtype).max
    pixels = np.full((4, 64, 64), 9, dtype)
    pixels[1] = np.indices((64, 64)).sum(0) % 2 * top
    values = measure_field(pixels)
    assert values["Image_Quality_Dark_Protein"] == values["Image_Quality_Saturated_Protein"] == 0.5
    assert values["Image_Quality_Focus_Protein"] == pytest.approx(4 * top / (top / 2), rel=1e-3)  # +-4 x top
    assert values["Image_Quality_Focus_Nucleus"] == 0
    assert values["Image_Quality_Dark_Nucleus"] == 0


@pytest.mark.parametrize("octave", range(5))
def test_a_checkerboard_lies_in_its_octave(octave):
    fields = np.indices((100, 130)) // 2**octave
    values = measure_field(np.stack([fields.sum(0) % 2 * 200] * 4).astype(np.uint8))
    shares = [values[f"Image_Spectrum_Share_ER_{k + 1}of5"] for k in range(5)]
    np.testing.assert_allclose(shares, np.eye(5)[octave], atol=1e-6)


def test_a_channel_that_is_not_there_is_undefined(blobs):
    blobs[3] = 0
    values = measure_field(blobs)
    er = [c.name for c in field_columns() if c.channels == (CHANNELS[3],)]
    assert len(er) == 8
    assert np.isnan([values[name] for name in er]).all()
    assert values["Metadata_HashER"] == 0
    assert not np.isnan(values["Image_Quality_Focus_Nucleus"])


def test_sizes_sharpness_and_spectrum_are_covariates():
    assert {c.family for c in field_columns() if c.covariate} == {"Size", "Quality", "Spectrum"}
    assert {c.family for c in field_columns() if not c.covariate} == {"Count"}


def test_the_hash_as_defined(blobs):
    """Bit by bit from a cosine transform written out as sums."""
    plane = blobs[0, :128, :128]
    small = np.sqrt(plane.reshape(32, 4, 32, 4).mean((1, 3)))
    basis = np.cos(np.pi * np.arange(1, 9)[:, None] * (2 * np.arange(32) + 1) / 64)
    bits = "".join(str(int(c > 0)) for c in (basis @ small @ basis.T).ravel())
    assert int(field_hashes(np.stack([plane] * 4))[0]) == int(bits, 2)


@pytest.mark.parametrize(("shape", "dtype"), [
    ((128, 160), np.uint8), ((96, 2048), np.uint8), ((100, 70), np.uint8), ((512, 512), np.uint16),
    ((1024, 512), np.uint16),
])  # fmt: skip
def test_thumbnails_from_whole_numbers_are_those_of_opencv(rng, shape, dtype):
    """Also where sums of blocks are too large for float32, and where the areas are no blocks of pixels."""
    plane = rng.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)
    small = np.sqrt(cv2.resize(plane.astype(np.float32), (32, 32), interpolation=cv2.INTER_AREA))
    signs = np.packbits(cv2.dct(small)[1:9, 1:9] > 0)
    assert int(field_hashes(np.stack([plane] * 4))[0]) == int.from_bytes(signs.tobytes(), "big")


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (40, 2500)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_laplacian_sums(rng, shape, dtype):
    """Of planes with the largest contrast, too."""
    top = np.iinfo(dtype).max
    for plane in (rng.integers(0, top + 1, shape), np.indices(shape).sum(0) % 2 * top):
        rows, columns = (np.abs(np.arange(-1, side + 1)) if side > 1 else np.zeros(3, int) for side in shape)
        rows[-1], columns[-1] = max(shape[0] - 2, 0), max(shape[1] - 2, 0)
        wide = plane[np.ix_(rows, columns)].astype(float)
        four = wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]
        expected = four - 4 * plane
        found = laplacian_sums(plane.astype(dtype))
        assert found == (expected.sum(), (expected**2).sum())


def changes(pixels):
    """The same field, changed in ways that must not matter."""
    yield "gain", pixels // 2
    yield "16 bits", pixels.astype(np.uint16) * 257
    yield "double size", pixels.repeat(2, 1).repeat(2, 2)
    codes = [cv2.imencode(".jpg", plane, [cv2.IMWRITE_JPEG_QUALITY, 80])[1] for plane in pixels]
    yield "jpeg", np.stack([cv2.imdecode(code, cv2.IMREAD_UNCHANGED) for code in codes])


def test_a_changed_copy_is_near_and_another_field_far(blobs, rng):
    original = field_hashes(blobs)
    assert original.shape == (4,)
    assert original.dtype == np.uint64
    for name, copy in changes(blobs):
        assert hamming(original, field_hashes(copy)).sum() <= 16, name
    other = rng.permutation(blobs.reshape(4, 8, 16, 160), axis=1).reshape(blobs.shape)
    assert hamming(original, field_hashes(other)).sum() > 60


def test_turned_hashes_are_those_of_turned_fields(blobs):
    square = blobs[:, :, :128]
    found = turned(field_hashes(square))
    assert found.shape == (8, 4)
    np.testing.assert_array_equal(found[0], field_hashes(square))
    for image in (square, square.transpose(0, 2, 1)):
        for turned_image in (image, image[:, :, ::-1], image[:, ::-1], image[:, ::-1, ::-1]):
            distances = hamming(found, field_hashes(np.ascontiguousarray(turned_image))).sum(1)
            assert distances.min() <= 2  # coefficients of about 0 may fall on either side
    assert not turned(np.zeros((3, 4), np.uint64)).any()


def test_real_fields_are_far_apart(shared_data):
    source = find_fields(shared_data / "hpa-sample" / "train")
    pixels = [read_field(source, field) for field in source.ids]
    hashes = np.array([field_hashes(field) for field in pixels])
    i, j = np.triu_indices(len(hashes), 1)
    assert hamming(hashes[i], hashes[j]).sum(1).min() > 64
    for k in (0, 8, 42):  # crowded, dim, nearly empty
        for name, copy in changes(pixels[k]):
            assert hamming(hashes[k], field_hashes(copy)).sum() <= 16, (k, name)
