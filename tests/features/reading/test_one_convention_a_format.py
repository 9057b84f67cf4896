"""One convention a format: the same pixels from every compression, writer and tag; faults called by their name."""

import io
import struct

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from features.reading.decoding import decode, decode_labels, decode_plane
from features.reading.image_file import UnreadableImageError

ORIENTATION = 274


def tiff_bytes(image, **options) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, image, **options)
    return file.getvalue()


@pytest.fixture
def plane(rng) -> np.ndarray:
    return rng.integers(0, 4000, (40, 60)).astype(np.uint16)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("compression", [None, "lzw", "zlib", "packbits", "zstd", "lerc", "jpeg2000"])
@pytest.mark.parametrize("predictor", [None, True])
def test_every_compression_gives_the_same_pixels(plane, dtype, compression, predictor):
    if compression not in ("lzw", "zlib", "zstd") and predictor:
        pytest.skip("no such combination")
    image = plane.astype(dtype)
    found = decode(tiff_bytes(image, compression=compression, predictor=predictor))
    np.testing.assert_array_equal(found, image)
    assert found.dtype == dtype


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
@pytest.mark.parametrize("compression", [None, "lzw"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_the_orientation_tag_turns_no_channel(plane, orientation, compression, dtype):
    image = plane.astype(dtype)
    tags = [(ORIENTATION, 3, 1, orientation, True)]
    found = decode(tiff_bytes(image, compression=compression, extratags=tags, metadata=None))
    np.testing.assert_array_equal(found, image)


def imagej_stack(plane: np.ndarray, n: int) -> bytes:
    """As ImageJ writes a stack above 4 GB: one directory entry, the other planes behind the first."""
    written = tiff_bytes(np.stack([plane + k for k in range(n)]), imagej=True, metadata={"axes": "ZYX"})
    with tifffile.TiffFile(io.BytesIO(written)) as tiff:
        assert len(tiff.pages) == n
        at, data = tiff.pages[0].dataoffsets[0], bytearray(written)
        big = tiff.byteorder
        first = struct.unpack_from(f"{big}I", data, 4)[0]
    n_tags = struct.unpack_from(f"{big}H", data, first)[0]
    struct.pack_into(f"{big}I", data, first + 2 + 12 * n_tags, 0)  # no second page
    assert at
    return bytes(data)


def test_an_imagej_stack_of_one_directory_entry_is_a_stack(plane):
    with pytest.raises(UnreadableImageError, match="is a stack of 3 images"):
        decode(imagej_stack(plane, 3))


def test_twelve_packed_bits(plane):
    image = plane[:, :40]
    bits = np.unpackbits(image.astype(">u2").view(np.uint8).reshape(40, -1, 2), axis=2)[:, :, 4:]
    packed = np.packbits(bits.reshape(40, -1), axis=1).tobytes()
    tags = {256: 40, 257: 40, 258: 12, 259: 1, 262: 1, 273: 8 + 2 + 9 * 12 + 4, 277: 1, 278: 40, 279: len(packed)}
    entries = b"".join(struct.pack("<HHII", code, 4, 1, value) for code, value in sorted(tags.items()))
    content = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 0) + packed
    found, facts = decode_plane(content)
    np.testing.assert_array_equal(found, image)
    assert (found.dtype, facts.level) == (np.uint16, 4095)


@pytest.mark.parametrize("extra", ["unassalpha", "assocalpha"])
def test_grey_with_alpha_is_grey(plane, extra):
    image = np.dstack([plane, np.full_like(plane, 65535)])
    found = decode(tiff_bytes(image, photometric="minisblack", planarconfig="contig", extrasamples=[extra]))
    np.testing.assert_array_equal(found, plane)


def test_a_palette_from_dark_to_bright_is_grey_and_another_is_refused(plane):
    image, ramp = plane.astype(np.uint8), np.linspace(0, 65535, 256).astype(np.uint16)
    green = np.stack([0 * ramp, ramp, 0 * ramp])
    np.testing.assert_array_equal(decode(tiff_bytes(image, photometric="palette", colormap=green)), image)
    with pytest.raises(UnreadableImageError, match="is a TIFF of kind PALETTE"):
        decode(tiff_bytes(image, photometric="palette", colormap=green[:, ::-1]))


def test_signed_values_from_0_are_pixels(plane):
    np.testing.assert_array_equal(decode(tiff_bytes(plane.astype(np.int16))), plane)


def test_an_unknown_compression_is_not_called_damage(plane):
    data = bytearray(tiff_bytes(plane, compression="lzw"))
    at = struct.unpack_from("<I", data, 4)[0]
    for k in range(struct.unpack_from("<H", data, at)[0]):
        if struct.unpack_from("<H", data, at + 2 + 12 * k)[0] == 259:
            struct.pack_into("<H", data, at + 2 + 12 * k + 8, 32809)  # ThunderScan
    with pytest.raises(UnreadableImageError, match=r"compressed in a way that is not supported \(THUNDERSCAN\)"):
        decode(bytes(data))


def test_labels_of_a_palette_png_are_its_numbers(rng):
    labels = rng.integers(0, 200, (40, 60)).astype(np.uint8)
    image = Image.fromarray(labels).convert("P")
    image.putpalette(list(rng.integers(0, 256, 768)))
    file = io.BytesIO()
    image.save(file, "PNG")
    np.testing.assert_array_equal(decode_labels(file.getvalue()), np.asarray(image))


@pytest.mark.parametrize("quality", [50, 75, 90])
def test_dim_jpegs_in_one_colour_with_halved_colours_are_read(rng, quality):
    """Their detail spills into the unused colours: at quality 75 a third of real fields looked coloured."""
    image = np.zeros((128, 128, 3), np.uint8)
    image[:, :, 1] = np.where(rng.random((128, 128)) < 0.04, 120, 0)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling=2)
    stored = np.asarray(Image.open(file))
    assert stored[:, :, 2].mean() > 0.15 * stored[:, :, 1].mean() + 1
    np.testing.assert_array_equal(decode(file.getvalue()), stored[:, :, 1])


@pytest.mark.parametrize("quality", [50, 75, 90])
def test_real_fields_as_jpegs(shared_data, quality):
    for path in sorted((shared_data / "hpa-sample" / "train").glob("*_*.png"))[::3]:
        plane = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        kept = {"red": [0], "green": [1], "blue": [2], "yellow": [0, 1]}[path.stem.rpartition("_")[2]]
        image = np.zeros((*plane.shape, 3), np.uint8)
        image[:, :, kept] = plane[:, :, None]
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=quality, subsampling=2)
        np.testing.assert_array_equal(decode(file.getvalue()), np.asarray(Image.open(file))[:, :, kept[-1]])
