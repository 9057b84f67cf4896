"""Masks made elsewhere: painted label images whose matching is known."""

import cv2
import numpy as np
import pytest
import tifffile

from engine.errors import FieldError, InputError
from features.segmentation.masks import read_masks

SHAPE = (40, 50)


@pytest.fixture
def labels():
    """Cells 7, 300 and 12; nuclei 5 (in 7), 9 (mostly in 300, reaching into 7), 2 (outside). 12 has no nucleus."""
    cells = np.zeros(SHAPE, np.uint16)
    cells[5:20, 5:20] = 7
    cells[5:20, 20:35] = 300
    cells[25:35, 5:15] = 12
    nuclei = np.zeros(SHAPE, np.uint16)
    nuclei[8:12, 8:12] = 5
    nuclei[8:16, 18:28] = 9
    nuclei[36:40, 40:50] = 2
    return cells, nuclei


def write(folder, labels, extension="png"):
    for kind, image in zip(("cells", "nuclei"), labels):
        path = folder / f"f1_{kind}.{extension}"
        cv2.imwrite(str(path), image) if extension == "png" else tifffile.imwrite(path, image, photometric="minisblack")


@pytest.mark.parametrize(("extension", "dtype"), [("png", np.uint16), ("tif", np.uint16), ("tif", np.int32)])
def test_matching(tmp_path, labels, extension, dtype):
    write(tmp_path, [image.astype(dtype) for image in labels], extension)
    found = read_masks(tmp_path, "f1", SHAPE)
    assert found.n == 3
    assert found.cells.dtype == found.nuclei.dtype == np.int32
    for number, cell in enumerate((7, 12, 300), start=1):
        np.testing.assert_array_equal(found.cells == number, labels[0] == cell)
    np.testing.assert_array_equal(found.nuclei == 1, labels[1] == 5)
    assert not (found.nuclei == 2).any()
    np.testing.assert_array_equal(found.nuclei == 3, (labels[1] == 9) & (labels[0] == 300))


def test_cells_without_background(tmp_path, labels):
    write(tmp_path, (labels[0] + 1, labels[1]))
    found = read_masks(tmp_path, "f1", SHAPE)
    assert found.n == 4
    assert (found.cells > 0).all()


def test_a_nucleus_split_evenly_goes_to_the_lower_id(tmp_path):
    cells = np.repeat(np.array([[4, 9]], np.uint16), 20, axis=1).repeat(30, axis=0)
    nuclei = np.zeros_like(cells)
    nuclei[10:20, 10:30] = 1
    write(tmp_path, (cells, nuclei))
    found = read_masks(tmp_path, "f1", cells.shape)
    assert (found.nuclei == 1).sum() == 100
    assert (found.nuclei == 2).sum() == 0


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (
            lambda f: (f / "f1_nuclei.png").unlink(),
            "expected exactly one f1_nuclei.png or .tif in .*; found none. Give one nuclei mask",
        ),
        (lambda f: tifffile.imwrite(f / "f1_cells.tif", np.ones(SHAPE)), "found f1_cells.png and f1_cells.tif"),
        (lambda f: cv2.imwrite(str(f / "f1_cells.png"), np.ones((9, 50), np.uint8)), "f1_cells.png is too small"),
        (
            lambda f: cv2.imwrite(str(f / "f1_cells.png"), np.ones((41, 50), np.uint8)),
            "is 50 x 41 px but the images are",
        ),
        (lambda f: cv2.imwrite(str(f / "f1_cells.png"), np.zeros(SHAPE, np.uint8)), "the cell mask in .* is empty"),
        (lambda f: (f / "f1_cells.png").write_bytes(b"MM"), "f1_cells.png is not an image"),
        (lambda f: (f / "f1_cells.png").write_bytes(b""), "f1_cells.png is empty"),
    ],
)
def test_unusable_masks(tmp_path, labels, damage, expected):
    write(tmp_path, labels)
    damage(tmp_path)
    with pytest.raises(FieldError, match=expected) as caught:
        read_masks(tmp_path, "f1", SHAPE)
    assert caught.value.stage == "segment"
    assert str(caught.value).startswith("field f1: ")


@pytest.mark.parametrize("image", [np.ones(SHAPE, np.float32), np.full(SHAPE, -1), np.ones((3, *SHAPE), np.uint8)])
def test_masks_that_are_no_labels(tmp_path, labels, image):
    write(tmp_path, (image, labels[1]), "tif")
    with pytest.raises(FieldError, match=r"f1_cells.tif (holds|is a stack of) .* \(expected"):
        read_masks(tmp_path, "f1", SHAPE)


def test_a_missing_folder(tmp_path):
    with pytest.raises(InputError, match="nowhere is missing"):
        read_masks(tmp_path / "nowhere", "f1", SHAPE)
