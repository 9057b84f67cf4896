"""One page of a TIFF, in any compression: refused where it is damaged, a stack, or would unpack to far too much."""

import io
import logging
import math
import zlib
from collections.abc import Sequence

import cv2
import numpy as np
import tifffile
from PIL import Image

from features.reading.image_file import UnreadableImageError, check_size, damaged

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MOST_PAGES = 100  # that are counted
_LARGEST_TILE = 2**26  # bytes; a tile may be larger than a small image

logging.getLogger("tifffile").disabled = True  # our own sentences say what is wrong
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
Image.MAX_IMAGE_PIXELS = None  # the size is checked here, before


def decode_tiff(data: bytes, types: tuple[str, ...]) -> np.ndarray:
    """Decode a TIFF of one page.

    Parameters
    ----------
    data : bytes
    types : tuple of str
        The accepted types of values.

    Returns
    -------
    ndarray, shape (H, W), (H, W, 3) or (H, W, 4)
        Of one of these types; colours in the order red, green, blue.

    Raises
    ------
    UnreadableImageError
        If it is damaged, a stack, of another type, inverted, with a palette, or too large or too small.
    """
    try:
        with tifffile.TiffFile(io.BytesIO(data)) as tiff:
            page = tiff.pages.first
            shape, dtype, colours = page.shape, page.dtype, page.photometric
            dtype = _check(shape, dtype, colours, _count_pages(tiff), types)
            image = _decode_page(page, dtype, data)
    except UnreadableImageError:
        raise
    except Exception as error:  # tifffile raises struct, zlib, index and value errors on damaged files
        raise damaged(data, error) from error
    if image is None or image.shape[:2] != shape[:2] or image.dtype != dtype:
        raise damaged(data, "it cannot be decoded")
    return np.ascontiguousarray(image)


def _count_pages(tiff: tifffile.TiffFile) -> int:
    """Pages, up to the first that is too many: a chain of millions of them fits into a small file."""
    for n in range(1, _MOST_PAGES + 1):
        try:
            tiff.pages[n]
        except IndexError:
            return n
    return _MOST_PAGES + 1


def _decode_page(page: tifffile.TiffPage, dtype: np.dtype, data: bytes) -> np.ndarray | None:
    """tifffile reads plain and deflated pages; of the rest Pillow reads 8 bits and OpenCV 16.

    OpenCV decodes a damaged 8-bit page without an error; Pillow has no 16-bit colours.
    """
    part = math.prod(page.chunks) * dtype.itemsize
    if part > max(page.nbytes, _LARGEST_TILE):
        raise UnreadableImageError(f"has parts of {part:,} bytes (of an image of {page.nbytes:,}). Save it anew.")
    if page.compression == 1:
        return page.asarray()
    if page.compression in (8, 32946):
        _refuse_bombs(page, data, part)
        return page.asarray(maxworkers=1)
    if dtype == np.uint8:
        with Image.open(io.BytesIO(data), formats=["TIFF"]) as image:
            return np.asarray(image)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return image if image is None or image.ndim == 2 else image[:, :, 2::-1]


def _refuse_bombs(page: tifffile.TiffPage, data: bytes, most: int) -> None:
    """Refuse deflated parts of more bytes than they may have, which tifffile would unpack to the end."""
    for start, length in zip(page.dataoffsets, page.databytecounts):
        stream = zlib.decompressobj()
        stream.decompress(data[start : start + length], most + 1)
        if not stream.eof:
            raise damaged(data, "a deflated part has not the size that it should have")


def _check(
    shape: Sequence[int], dtype: np.dtype | None, colours: int, n_pages: int, types: tuple[str, ...]
) -> np.dtype:
    """Refuse stacks, float images, palettes and inverted images; gives the type of the values."""
    if n_pages != 1 or len(shape) > 3 or (len(shape) == 3 and shape[2] not in (3, 4)):
        frames = n_pages if n_pages > 1 else shape[0]
        frames = frames if frames <= _MOST_PAGES else f"more than {_MOST_PAGES}"
        raise UnreadableImageError(f"is a stack of {frames} images (expected one plane a file). Save one plane a file.")
    check_size(shape[1], shape[0])
    if dtype is None or dtype.name not in types:
        remedy = "Convert it to 8 or 16 bits." if len(types) == 2 else "Save the labels as integers."
        raise UnreadableImageError(f"holds {dtype} values (expected {' or '.join(types)}). {remedy}")
    if colours not in (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.RGB):
        raise UnreadableImageError(
            f"is a TIFF of kind {tifffile.PHOTOMETRIC(colours).name} (expected grey). Save it as grey."
        )
    return dtype
