"""Masks made elsewhere: painted label images whose matching is known."""

import cv2
import numpy as np
import pytest
import tifffile
from masked_field import read_masked
from painted_fields import SPREAD, TOUCHING, paint_field

from engine.errors import FieldError, InputError
from features.segmentation.masks import resized_labels

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
    found = read_masked(tmp_path, SHAPE)
    assert found.n == 3
    assert found.cells.dtype == found.nuclei.dtype == np.int32
    for number, cell in enumerate((7, 12, 300), start=1):
        np.testing.assert_array_equal(found.cells == number, labels[0] == cell)
    np.testing.assert_array_equal(found.nuclei == 1, labels[1] == 5)
    assert not (found.nuclei == 2).any()
    np.testing.assert_array_equal(found.nuclei == 3, (labels[1] == 9) & (labels[0] == 300))


def test_cells_without_background(tmp_path, labels):
    write(tmp_path, (labels[0] + 1, labels[1]))
    found = read_masked(tmp_path, SHAPE)
    assert found.n == 4
    assert (found.cells > 0).all()


def test_a_nucleus_split_evenly_goes_to_the_lower_id(tmp_path):
    cells = np.repeat(np.array([[4, 9]], np.uint16), 20, axis=1).repeat(30, axis=0)
    nuclei = np.zeros_like(cells)
    nuclei[10:20, 10:30] = 1
    write(tmp_path, (cells, nuclei))
    found = read_masked(tmp_path, cells.shape)
    assert (found.nuclei == 1).sum() == 100
    assert (found.nuclei == 2).sum() == 0


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda f: tifffile.imwrite(f / "f1_cells.tif", np.ones(SHAPE)), "found .*f1_cells.png and .*f1_cells.tif"),
        (lambda f: cv2.imwrite(str(f / "f1_cells.png"), np.ones((9, 50), np.uint8)), "f1_cells.png is too small"),
        (
            lambda f: cv2.imwrite(str(f / "f1_cells.png"), np.ones((41, 50), np.uint8)),
            "is 50 x 41 px but the images are",
        ),
        (lambda f: cv2.imwrite(str(f / "f1_cells.png"), np.zeros(SHAPE, np.uint8)), "the mask of cells in .* is empty"),
        (lambda f: (f / "f1_cells.png").write_bytes(b"MM"), "f1_cells.png is not an image"),
        (lambda f: (f / "f1_cells.png").write_bytes(b""), "f1_cells.png is empty"),
    ],
)
def test_unusable_masks(tmp_path, labels, damage, expected):
    write(tmp_path, labels)
    damage(tmp_path)
    with pytest.raises(FieldError, match=expected) as caught:
        read_masked(tmp_path, SHAPE)
    assert caught.value.stage == "segment"
    assert str(caught.value).startswith("field f1: ")


@pytest.mark.parametrize("image", [np.ones(SHAPE, np.float32), np.full(SHAPE, -1), np.ones((3, *SHAPE), np.uint8)])
def test_masks_that_are_no_labels(tmp_path, labels, image):
    write(tmp_path, (image, labels[1]), "tif")
    with pytest.raises(FieldError, match=r"f1_cells.tif (holds|is a stack of) .* \(expected"):
        read_masked(tmp_path, SHAPE)


def test_a_missing_folder(tmp_path):
    with pytest.raises(InputError, match="nowhere is missing"):
        read_masked(tmp_path / "nowhere", SHAPE)


def test_a_field_without_mask_among_others(tmp_path, labels):
    write(tmp_path, labels)
    with pytest.raises(FieldError, match=r"^field f2: has no mask \(looked for names such as <Id>_cells"):
        read_masked(tmp_path, SHAPE, field_id="f2")


def test_a_folder_without_any_mask_of_the_fields(tmp_path, labels):
    cv2.imwrite(str(tmp_path / "g1_cells.png"), labels[0])
    with pytest.raises(InputError, match=r"holds no mask of the 2 fields .* found 1 other file, e.g. .*g1_cells.png\)"):
        read_masked(tmp_path, SHAPE)


def nuclei_of(spots, size=256):
    """Discs with ids 10, 20, 30, ..., as (y, x, radius) say."""
    y, x = np.mgrid[:size, :size]
    labels = np.zeros((size, size), np.uint16)
    for k, (cy, cx, radius) in enumerate(spots, start=1):
        labels[np.hypot(y - cy, x - cx) < radius] = 10 * k
    return labels


def test_ids_of_the_masks_are_kept(tmp_path, labels):
    write(tmp_path, labels)
    assert read_masked(tmp_path, SHAPE).ids.tolist() == [7, 12, 300]


def test_nuclei_alone_grow_into_cells(tmp_path):
    """Touching cells meet halfway; each cell holds its nucleus, and its id is the nucleus's."""
    nuclei = nuclei_of(TOUCHING)
    cv2.imwrite(str(tmp_path / "f1_blue_cp_masks.png"), nuclei)
    found = read_masked(tmp_path, (256, 256), paint_field(TOUCHING))
    assert found.ids.tolist() == [10, 20, 30, 40, 50, 60]
    np.testing.assert_array_equal(found.nuclei * 10, nuclei)
    assert (found.cells[nuclei > 0] * 10 == nuclei[nuclei > 0]).all()
    areas = np.bincount(found.cells.ravel())[1:]
    discs = np.array([np.pi * (1.7 * radius) ** 2 for *_, radius in TOUCHING])
    assert ((areas > 0.6 * discs) & (areas < 1.6 * discs)).all()
    assert found.cells[60, 74] in (1, 2)
    assert (found.cells[60, :74] != 2).all(), "the border lies halfway between the nuclei at x = 60 and 90"


def test_nuclei_alone_in_a_field_larger_than_the_working_size(tmp_path):
    spots = [(4 * y, 4 * x, 4 * radius) for y, x, radius in SPREAD]
    cv2.imwrite(str(tmp_path / "f1_nuclei.png"), nuclei_of(spots, 1024))
    found = read_masked(tmp_path, (1024, 1024), paint_field(spots, 1024))
    assert found.n == 4
    assert (found.cells[found.nuclei > 0] == found.nuclei[found.nuclei > 0]).all()
    areas = np.bincount(found.cells.ravel())[1:] / np.bincount(found.nuclei.ravel())[1:]
    assert ((areas > 2) & (areas < 6)).all()


def test_cells_alone_get_the_nuclei_of_the_image(tmp_path):
    cells = np.zeros((256, 256), np.uint16)
    cells[:110, :110], cells[120:, 130:] = 5, 9
    cv2.imwrite(str(tmp_path / "f1_cells.png"), cells)
    found = read_masked(tmp_path, (256, 256), paint_field(SPREAD))
    assert found.ids.tolist() == [5, 9]
    np.testing.assert_array_equal(found.cells, (cells == 5) + 2 * (cells == 9))
    expected = np.isin(nuclei_of(SPREAD), [10, 40]).sum() / 2
    for number in (1, 2):
        assert (found.nuclei == number).sum() == pytest.approx(expected, rel=0.15)


def test_masks_without_numbers_are_divided_among_the_nuclei(tmp_path):
    """0 and 255, as CellProfiler's and ImageJ's masks: two touching cells are one piece; one piece has no nucleus."""
    touching = [(60, 60, 16), (60, 100, 16)]
    nuclei = nuclei_of(touching) > 0
    cells = nuclei.copy()
    cells[30:90, 30:130] = True
    cells[180:220, 180:220] = True
    cv2.imwrite(str(tmp_path / "f1_MaskNuclei.png"), nuclei * np.uint8(255))
    cv2.imwrite(str(tmp_path / "f1_MaskCells.png"), cells * np.uint8(255))
    found = read_masked(tmp_path, (256, 256), paint_field(touching))
    assert found.n == 3
    np.testing.assert_array_equal(found.cells > 0, cells)
    assert set(np.unique(found.cells[30:90, 30:130])) == {1, 2}
    halves = np.bincount(found.cells.ravel())[1:3]
    assert halves == pytest.approx([3000, 3000], rel=0.1)
    assert (found.cells[180:220, 180:220] == 3).all()
    cells[180:220, 180:220] = False
    cv2.imwrite(str(tmp_path / "f1_MaskCells.png"), cells * np.uint8(255))
    one_piece = read_masked(tmp_path, (256, 256), paint_field(touching))
    np.testing.assert_array_equal(one_piece.cells, found.cells * (found.cells < 3))


def test_a_part_that_hangs_on_by_a_corner_belongs_to_its_cell(tmp_path):
    """Pieces are joined over corners; cells grow over edges only."""
    nuclei = nuclei_of([(60, 60, 16)]) > 0
    cells = np.zeros((256, 256), bool)
    cells[40:80, 40:80] = True
    cells[80:85, 80:90] = True
    cells[85:100, 90:92] = True
    cv2.imwrite(str(tmp_path / "f1_MaskNuclei.png"), nuclei * np.uint8(255))
    cv2.imwrite(str(tmp_path / "f1_MaskCells.png"), cells * np.uint8(255))
    found = read_masked(tmp_path, (256, 256), paint_field([(60, 60, 16)]))
    np.testing.assert_array_equal(found.cells, cells.astype(np.int32))


def test_one_cell_in_two_pieces_among_others_stays_one(tmp_path, labels):
    cells = labels[0].copy()
    cells[30:34, 40:45] = 7
    write(tmp_path, (cells, labels[1]))
    found = read_masked(tmp_path, SHAPE)
    assert found.n == 3
    assert (found.cells[30:34, 40:45] == 1).all()


def classes(background: int, cell: int) -> np.ndarray:
    """Three cells of one number."""
    image = np.full(SHAPE, background, np.uint8)
    for left in (3, 18, 33):
        image[5:15, left : left + 10] = cell
    return image


@pytest.mark.parametrize(("background", "nucleus"), [(1, 2), (0, 1)], ids=["ilastik", "cells and nuclei in one"])
def test_classes_of_pixels_are_no_cells(tmp_path, background, nucleus):
    image = classes(background, 2)
    image[8:12, 5:9] = image[8:12, 20:24] = image[8:12, 35:39] = nucleus
    write(tmp_path, (image, classes(0, 255)))
    with pytest.raises(FieldError, match=r"mask of cells in .*f1_cells.png the number [12] lies in several places"):
        read_masked(tmp_path, SHAPE)


def test_three_cells_with_specks_are_cells(tmp_path, labels):
    cells = np.select([labels[0] == 7, labels[0] == 300, labels[0] == 12], [1, 2, 3]).astype(np.uint8)
    cells[38, 20], cells[38, 30] = 1, 1
    write(tmp_path, (cells, labels[1]))
    assert read_masked(tmp_path, SHAPE).n == 3


def test_nuclei_larger_than_their_cells_are_refused(tmp_path, labels):
    write(tmp_path, labels[::-1])
    with pytest.raises(FieldError, match=r"nuclei in .*f1_nuclei.png cover more than the cells in .*f1_cells.png"):
        read_masked(tmp_path, SHAPE)


def test_a_jpeg_is_no_mask(tmp_path, labels):
    write(tmp_path, labels)
    jpeg = cv2.imencode(".jpg", (labels[0] > 0).astype(np.uint8) * 255)[1].tobytes()
    (tmp_path / "f1_cells.png").write_bytes(jpeg)
    with pytest.raises(FieldError, match=r"f1_cells.png is a JPEG, which does not keep numbers exactly"):
        read_masked(tmp_path, SHAPE)


def test_masks_of_images_that_are_brought_to_a_pixel_size(tmp_path, labels):
    write(tmp_path, labels)
    found = read_masked(tmp_path, SHAPE, np.zeros((4, 80, 100), np.uint8), stored=SHAPE)
    np.testing.assert_array_equal(found.cells == 1, np.kron(labels[0] == 7, np.ones((2, 2), bool)))
    with pytest.raises(FieldError, match="is 50 x 40 px but the images are 100 x 80 px"):
        read_masked(tmp_path, (80, 100))


def test_resized_labels_go_there_and_back():
    labels = np.arange(12, dtype=np.int32).reshape(3, 4)
    np.testing.assert_array_equal(resized_labels(resized_labels(labels, (9, 8)), (3, 4)), labels)
