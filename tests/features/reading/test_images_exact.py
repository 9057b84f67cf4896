"""Decoded pixels equal what another decoder reads, whatever the format; a zip equals its folder."""

import io
import pickle
import zipfile

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from features.reading.decoding import decode
from features.reading.field_reading import read_field
from features.reading.fields import find_fields

COLOURS = ("red", "green", "blue", "yellow")


@pytest.fixture(params=[np.uint8, np.uint16])
def plane(request, rng):
    return rng.integers(0, np.iinfo(request.param).max + 1, (37, 52)).astype(request.param)


def pil_bytes(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def test_grey_png(plane):
    content = cv2.imencode(".png", plane)[1].tobytes()
    np.testing.assert_array_equal(decode(content), plane)
    assert decode(content).dtype == plane.dtype


@pytest.mark.parametrize("kept", [(0, 1, 2), (0,), (1,), (2,), (0, 1)])
@pytest.mark.parametrize("alpha", [False, True])
def test_rgb_png_of_one_stain(plane, kept, alpha):
    image = np.zeros((*plane.shape, 3 + alpha), plane.dtype)
    image[:, :, list(kept)] = plane[:, :, None]
    if alpha:
        image[:, :, 3] = np.iinfo(plane.dtype).max
    content = cv2.imencode(".png", image[:, :, [2, 1, 0, 3][: 3 + alpha]])[1].tobytes()
    np.testing.assert_array_equal(decode(content), plane)


@pytest.mark.parametrize("mode", ["1", "P", "LA", "L"])
def test_rare_pngs(rng, mode):
    image = Image.fromarray(rng.integers(0, 256, (37, 52)).astype(np.uint8)).convert(mode)
    expected = np.asarray(image.convert("L"))
    np.testing.assert_array_equal(decode(pil_bytes(image, "PNG")), expected)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"byteorder": ">"}, {"tile": (16, 16)}])
def test_tiff(plane, options):
    file = io.BytesIO()
    tifffile.imwrite(file, plane, **options)
    found = decode(file.getvalue())
    np.testing.assert_array_equal(found, plane)
    assert found.dtype == plane.dtype


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate"])
def test_compressed_tiff(plane, compression):
    np.testing.assert_array_equal(decode(pil_bytes(Image.fromarray(plane), "TIFF", compression=compression)), plane)


@pytest.mark.parametrize(("colour", "kept"), [("red", (0,)), ("green", (1,)), ("blue", (2,)), ("yellow", (0, 1))])
def test_colour_jpegs_give_the_one_used_channel(rng, colour, kept):
    plane = cv2.GaussianBlur(rng.integers(0, 256, (64, 80)).astype(np.uint8), (0, 0), 4)
    image = np.zeros((*plane.shape, 3), np.uint8)
    image[:, :, list(kept)] = plane[:, :, None]
    content = pil_bytes(Image.fromarray(image), "JPEG", quality=95)
    expected = np.asarray(Image.open(io.BytesIO(content)))[:, :, kept[-1]]
    np.testing.assert_array_equal(decode(content), expected)
    assert abs(expected.astype(int) - plane).mean() < 3


def test_grey_and_black_jpegs(rng):
    for plane in (rng.integers(0, 256, (64, 80)).astype(np.uint8), np.zeros((64, 80), np.uint8)):
        content = pil_bytes(Image.fromarray(plane), "JPEG")
        np.testing.assert_array_equal(decode(content), np.asarray(Image.open(io.BytesIO(content))))


@pytest.fixture
def folder(tmp_path, plane):
    inner = tmp_path / "images"
    inner.mkdir()
    for k, field in enumerate(("b", "a", "ä x.1")):
        for j, colour in enumerate(COLOURS):
            (inner / f"{field}_{colour}.png").write_bytes(cv2.imencode(".png", plane // (1 + k + j))[1].tobytes())
    return inner


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("inner", ["", "data/train/"])
def test_a_zip_equals_its_folder(folder, method, inner):
    path = folder.parent / "train.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in folder.iterdir():
            archive.write(file, inner + file.name)
    zipped, plain = find_fields(path), find_fields(folder)
    assert zipped.ids == plain.ids == ("a", "b", "ä x.1")
    for field in plain.ids:
        found = read_field(zipped, field)
        expected = read_field(plain, field)
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)


def test_planes_are_in_channel_order(folder, plane):
    np.testing.assert_array_equal(read_field(find_fields(folder), "b"), [plane, plane // 2, plane // 3, plane // 4])


def test_a_part_of_a_source_is_small_and_travels(folder):
    source = find_fields(folder)
    part = pickle.loads(pickle.dumps(source.part(["b"])))  # noqa: S301  (what joblib does between processes)
    assert part.ids == ("b",)
    assert len(pickle.dumps(part)) < 2000
    np.testing.assert_array_equal(read_field(part, "b"), read_field(source, "b"))


def test_real_fields(shared_data):
    source = find_fields(shared_data / "hpa-sample" / "train")
    assert len(source.ids) == 59
    for field in source.ids[:5]:
        pixels = read_field(source, field)
        for plane, colour in zip(pixels, COLOURS):
            expected = cv2.imread(str(source.path / f"{field}_{colour}.png"), cv2.IMREAD_UNCHANGED)
            np.testing.assert_array_equal(plane, expected)
