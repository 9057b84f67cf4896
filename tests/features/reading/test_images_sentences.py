"""Every unusable input is named in a sentence: what, where, found, expected, remedy."""

import io
import pickle
import struct
import zipfile
import zlib

import cv2
import numpy as np
import pytest
import tifffile

from engine.errors import FieldError, InputError
from features.reading.field_reading import read_field
from features.reading.fields import find_fields
from features.reading.options import ReadingOptions
from features.reading.splits import find_splits

COLOURS = ("red", "green", "blue", "yellow")


@pytest.fixture
def planes(rng):
    return {colour: rng.integers(0, 256, (40, 60)).astype(np.uint8) for colour in COLOURS}


@pytest.fixture
def folder(tmp_path, planes):
    for colour, plane in planes.items():
        cv2.imwrite(str(tmp_path / f"f1_{colour}.png"), plane)
    return tmp_path


def tiff_bytes(image, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, image, **options)
    return file.getvalue()


def png_header(width, height):
    """A PNG whose header promises a huge image that is not there."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))


def replace(folder, content, colour="green", extension="png"):
    """Put other content in place of one channel."""
    (folder / f"f1_{colour}.png").unlink()
    (folder / f"f1_{colour}.{extension}").write_bytes(content)


def sentence(folder, **options):
    with pytest.raises(FieldError) as caught:
        read_field(find_fields(folder, options=ReadingOptions(**options)), "f1")
    error = caught.value
    assert (error.field, error.stage) == ("f1", "read")
    assert error.path
    assert str(error).startswith("field f1: ")
    assert str(error).endswith(".")
    assert "\n" not in str(error)
    return str(error)


def test_missing_er_names_the_option(folder):
    (folder / "f1_yellow.png").unlink()
    assert sentence(folder) == (
        "field f1: channel ER is missing (looked for f1_yellow.png; found red, green, blue). "
        "Add it, or run with --no-er."
    )


def test_missing_protein(folder):
    (folder / "f1_green.png").unlink()
    assert "channel Protein is missing (looked for f1_green.png; found red, blue, yellow)" in sentence(folder)


@pytest.mark.parametrize(("level", "dtype"), [(0, np.uint8), (255, np.uint8), (777, np.uint16)])
def test_a_protein_without_contrast_has_nothing_to_measure(folder, planes, level, dtype):
    for colour, plane in planes.items():
        cv2.imwrite(str(folder / f"f1_{colour}.png"), plane.astype(dtype))
    cv2.imwrite(str(folder / "f1_green.png"), np.full((40, 60), level, dtype))
    assert (
        sentence(folder, no_er=True)
        == sentence(folder)
        == (
            f"field f1: channel Protein is the same everywhere (every pixel of f1_green.png is {level} of "
            f"{np.iinfo(dtype).max}; expected a stain), so that there is nothing to measure. Check the field's green "
            "image, or leave the field out."
        )
    )


def test_a_dim_protein_is_read(folder):
    dim = np.zeros((40, 60), np.uint8)
    dim[7, 9] = 1
    cv2.imwrite(str(folder / "f1_green.png"), dim)
    np.testing.assert_array_equal(read_field(find_fields(folder), "f1")[1], dim)


def test_a_black_field_is_named_as_such(folder):
    for colour in COLOURS:
        cv2.imwrite(str(folder / f"f1_{colour}.png"), np.zeros((40, 60), np.uint8))
    assert "every channel is black (every pixel is 0 of 255; expected a stain)" in sentence(folder)


def test_without_er_its_plane_is_zero_and_its_file_ignored(folder, planes):
    pixels = read_field(find_fields(folder, options=ReadingOptions(no_er=True)), "f1")
    assert not pixels[3].any()
    np.testing.assert_array_equal(pixels[:3], [planes[c] for c in COLOURS[:3]])
    (folder / "f1_yellow.png").unlink()
    np.testing.assert_array_equal(read_field(find_fields(folder, options=ReadingOptions(no_er=True)), "f1"), pixels)


def test_two_files_for_one_channel_are_both_named(folder):
    (folder / "f1_blue.tif").write_bytes(b"")
    assert "channel Nucleus has 2 files (f1_blue.png and f1_blue.tif; expected one)" in sentence(folder)


def test_channels_of_different_size(folder):
    cv2.imwrite(str(folder / "f1_green.png"), np.ones((41, 60), np.uint8))
    assert "f1_green.png is 60 x 41 px, 8 bits but f1_red.png is 60 x 40 px, 8 bits" in sentence(folder)


def test_channels_of_different_depth(folder):
    cv2.imwrite(str(folder / "f1_blue.png"), np.ones((40, 60), np.uint16))
    assert "f1_blue.png is 60 x 40 px, 16 bits but f1_red.png is 60 x 40 px, 8 bits" in sentence(folder)


def test_empty_file(folder):
    replace(folder, b"")
    assert "f1_green.png is empty (0 bytes)" in sentence(folder)


@pytest.mark.parametrize("share", [0.001, 0.01, 0.5, 0.99])
def test_truncated_png(folder, share):
    whole = (folder / "f1_green.png").read_bytes()
    replace(folder, whole[: max(int(share * len(whole)), 9)])
    assert "f1_green.png is damaged or cut short" in sentence(folder)


def test_a_flipped_bit_is_noticed(folder):
    whole = bytearray((folder / "f1_green.png").read_bytes())
    whole[len(whole) // 2] ^= 1
    replace(folder, bytes(whole))
    assert "f1_green.png is damaged or cut short" in sentence(folder)


@pytest.mark.parametrize("share", [0.01, 0.5])
def test_truncated_tiff(folder, rng, share):
    whole = tiff_bytes(rng.integers(0, 256, (40, 60)).astype(np.uint8))
    replace(folder, whole[: int(share * len(whole))], extension="tif")
    assert "f1_green.tif is damaged or cut short" in sentence(folder)


@pytest.mark.filterwarnings("error")
def test_truncated_jpeg(folder, rng):
    whole = cv2.imencode(".jpg", rng.integers(0, 256, (40, 60)).astype(np.uint8))[1].tobytes()
    replace(folder, whole[: len(whole) // 2], extension="jpg")
    assert "f1_green.jpg is damaged or cut short" in sentence(folder)


def test_truncated_palette_png(folder, planes):
    """OpenCV, which reads the rare kinds of PNG, would return half an image in silence."""
    bits = cv2.imencode(".png", (planes["green"] > 99).astype(np.uint8) * 255, [cv2.IMWRITE_PNG_BILEVEL, 1])[
        1
    ].tobytes()
    replace(folder, bits[: len(bits) // 2])
    assert "f1_green.png is damaged or cut short" in sentence(folder)


def test_not_an_image(folder):
    replace(folder, b"<html>404</html>")
    assert "f1_green.png is not an image (expected PNG, TIFF or JPEG content)" in sentence(folder)


@pytest.mark.parametrize("size", [(30_000, 100), (20_000, 20_001), (4_000_000_000, 1)])
def test_a_decompression_bomb_is_refused_before_decoding(folder, size):
    replace(folder, png_header(*size))
    assert f"f1_green.png is too large ({size[0]} x {size[1]} px; at most 20,000 px a side" in sentence(folder)


def test_one_pixel(folder):
    cv2.imwrite(str(folder / "f1_green.png"), np.ones((1, 1), np.uint8))
    assert "f1_green.png is too small (1 x 1 px; at least 16 px a side)" in sentence(folder)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.uint32])
def test_values_that_are_no_pixels(folder, dtype):
    image = np.full((40, 60), np.nan if np.issubdtype(dtype, np.floating) else 3).astype(dtype)
    replace(folder, tiff_bytes(image), extension="tif")
    assert f"f1_green.tif holds {np.dtype(dtype)} values (expected uint8 or uint16)" in sentence(folder)


def test_a_stack(folder):
    replace(folder, tiff_bytes(np.zeros((5, 40, 60), np.uint8), photometric="minisblack"), extension="tif")
    assert "f1_green.tif is a stack of 5 images (expected one plane a file)" in sentence(folder)


def test_an_inverted_tiff(folder):
    replace(folder, tiff_bytes(np.zeros((40, 60), np.uint8), photometric="miniswhite"), extension="tif")
    assert "f1_green.tif is a TIFF of kind MINISWHITE (expected grey)" in sentence(folder)


@pytest.mark.parametrize("extension", ["png", "jpg", "tif"])
def test_colour_where_grey_is_meant(folder, planes, extension):
    image = np.stack([planes["red"], planes["green"], planes["blue"]], 2)
    image = np.kron(image, np.ones((2, 2, 1), np.uint8))[:40, :60]
    content = tiff_bytes(image, photometric="rgb") if extension == "tif" else cv2.imencode(f".{extension}", image)[1]
    replace(folder, bytes(content), extension=extension)
    assert f"f1_green.{extension} is a colour image (mean red" in sentence(folder)


def test_a_file_that_vanished(folder):
    source = find_fields(folder)
    (folder / "f1_green.png").unlink()
    with pytest.raises(FieldError, match=r"f1_green.png cannot be read \(No such file"):
        read_field(source, "f1")


def test_a_data_folder_that_is_missing_is_not_called_empty(tmp_path):
    with pytest.raises(InputError, match=r"nowhere is missing \(expected a folder with train/"):
        find_splits(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"holds no images \(looked for train/, train.zip, test/, test.zip\)"):
        find_splits(tmp_path)


def test_folders_without_fields(tmp_path):
    with pytest.raises(InputError, match="nowhere is missing") as caught:
        find_fields(tmp_path / "nowhere")
    assert caught.value.exit_code == 4
    with pytest.raises(InputError, match=r"holds no field \(looked for <Id>_red.png.*found 0 other files"):
        find_fields(tmp_path)
    (tmp_path / "notes.txt").write_text("no zip")
    (tmp_path / "overview.png").write_bytes(b"")
    with pytest.raises(InputError, match="found 2 other files"):
        find_fields(tmp_path)
    with pytest.raises(InputError, match="neither a folder nor a readable zip"):
        find_fields(tmp_path / "notes.txt")


def test_other_files_are_ignored(folder):
    for name in ("f1_blue_red_green.jpg", "f1_mask.png", "red.png", "_red.png", "._f1_red.png", "f1_red.txt"):
        (folder / name).write_bytes(b"x")
    source = find_fields(folder)
    assert source.ids == ("f1",)
    read_field(source, "f1")


@pytest.mark.parametrize("damage", ["cut", "encrypted", "method"])
def test_a_damaged_zip_member(folder, tmp_path, damage):
    path = tmp_path / "train.zip"
    method = zipfile.ZIP_LZMA if damage == "method" else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w", method) as archive:
        for colour in COLOURS:
            archive.writestr(f"f1_{colour}.png", (folder / f"f1_{colour}.png").read_bytes())
    source = find_fields(path)
    content = bytearray(path.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 8]
    elif damage == "encrypted":
        content[6] |= 1
    path.write_bytes(content)
    with pytest.raises(FieldError, match="cannot be unpacked") as caught:
        read_field(source, "f1")
    assert "train.zip" in caught.value.path


def test_the_error_crosses_processes(folder):
    (folder / "f1_yellow.png").unlink()
    with pytest.raises(FieldError) as caught:
        read_field(find_fields(folder), "f1")
    copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301  (what joblib does between processes)
    assert (str(copy), copy.field, copy.path) == (str(caught.value), "f1", caught.value.path)


def test_kaggles_names_with_other_stains_need_the_layout(folder):
    with pytest.raises(InputError, match=r"named <Id>_red, _green, _blue.*Add --layout hpa"):
        find_fields(folder, options=ReadingOptions(stains="protein=green,nucleus=blue"))
    source = find_fields(folder, options=ReadingOptions("hpa", stains="protein=green,nucleus=blue"))
    assert read_field(source, "f1").any(axis=(1, 2)).tolist() == [False, True, True, False]


def test_a_colour_png_can_be_a_field(tmp_path, rng):
    """Its colours are its channels; a grey one lacks them, and is not called damaged."""
    image = rng.integers(0, 256, (20, 24, 3)).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), image)
    cv2.imwrite(str(tmp_path / "b.png"), image[:, :, 0])
    source = find_fields(tmp_path, options=ReadingOptions(stains="protein=green,nucleus=blue"))
    pixels = read_field(source, "a")
    np.testing.assert_array_equal(pixels[1:3], [image[:, :, 1], image[:, :, 0]])
    with pytest.raises(FieldError, match=r"channel green for protein is not there. The images have channel 1"):
        read_field(source, "b")
