"""TIFF files of every kind by tifffile and imagecodecs: single planes, OME-TIFF, ImageJ hyperstacks, pages.

One convention for all compressions: pixels as stored. The Orientation tag is ignored, as ImageJ, CellProfiler and
Bio-Formats do; an alpha sample is dropped; the numbers of a palette that runs from dark to bright are the intensities.
"""

import io
import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import tifffile

from features.reading.image_file import UnreadableImageError, check_size, damaged
from features.reading.scene import Facts, Scene
from features.reading.tiff_facts import facts_of, names_of

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MOST_PAGES = 5_000
_LARGEST_TILE = 2**26  # bytes; a tile may be larger than a small image
_RAMPS = (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.YCBCR)
_ALPHA = (1, 2)  # kinds of extra samples
_UNNAMED = "QI"  # tifffile's letters of axes that a file does not name

logging.getLogger("tifffile").disabled = True  # our own sentences say what is wrong


def decode_tiff(data: bytes) -> tuple[np.ndarray, Facts]:
    """Decode a TIFF of one image.

    Returns
    -------
    ndarray, shape (H, W) or (H, W, 3)
        As stored; colours in the order red, green, blue.
    Facts

    Raises
    ------
    UnreadableImageError
        If it is damaged, a stack, inverted, has a colour palette, or is too large or too small.
    """
    with opened_tiff(io.BytesIO(data), len(data)) as tiff:
        with _as_damage(len(data)):
            series = tiff.series[0]
            n_images = sum(map(_images_in, tiff.series))
        if n_images != 1:
            raise UnreadableImageError(
                f"is a stack of {n_images} images (expected one plane a file). Save one plane a file."
            )
        return _page(series, 0, len(data)), replace(facts_of(tiff, 0), channel=names_of(tiff, 0, 1)[0])


@contextmanager
def opened_tiff(file: Path | io.BytesIO, n_bytes: int) -> Iterator[tifffile.TiffFile]:
    """An open TIFF of at most `_MOST_PAGES` pages; raises UnreadableImageError."""
    with _as_damage(n_bytes):
        tiff = tifffile.TiffFile(file, _multifile=False)
    with tiff:
        with _as_damage(n_bytes):
            n_pages = sum(1 for _ in islice(tiff.pages, _MOST_PAGES + 1))
        if n_pages > _MOST_PAGES:
            raise UnreadableImageError(f"is a stack of more than {_MOST_PAGES} images. Split it into several files.")
        yield tiff


@contextmanager
def _as_damage(n_bytes: int) -> Iterator[None]:
    """tifffile raises struct, zlib, index, key, type and value errors on damaged files."""
    try:
        yield
    except UnreadableImageError:
        raise
    except Exception as error:
        raise damaged(n_bytes, error) from error


def tiff_scenes(tiff: tifffile.TiffFile, n_bytes: int) -> tuple[Scene, ...]:
    """The images of an open TIFF, one for each of its series; raises UnreadableImageError."""
    with _as_damage(n_bytes):
        found = tuple(tiff.series)
    return tuple(_scene(tiff, number, series, n_bytes) for number, series in enumerate(found))


def _scene(tiff: tifffile.TiffFile, number: int, series: tifffile.TiffPageSeries, n_bytes: int) -> Scene:
    sizes = {axis: n for axis, n in zip(series.axes, series.shape, strict=True) if axis not in "YX"}
    unnamed = [axis for axis in sizes if axis in _UNNAMED]
    if odd := [axis for axis in sizes if axis not in f"CZTS{_UNNAMED}"] or unnamed[1:]:
        raise UnreadableImageError(
            f"has an axis {odd[0]} of {sizes[odd[0]]} (expected channels, z and time). Save channels and z alone."
        )
    of_channels = [axis for axis in (*unnamed, "C", "S") if axis in sizes]
    per_axis = [_colours(series.keyframe) if axis == "S" else sizes[axis] for axis in of_channels]
    leading = [axis for axis in series.axes if axis not in "YXS"]

    def load(channel: int, z: int, t: int) -> np.ndarray:
        at = dict(zip(of_channels, np.unravel_index(channel, per_axis), strict=True)) if per_axis else {}
        at = {axis: int(k) for axis, k in at.items()} | {"Z": z, "T": t}
        shape = [sizes[axis] for axis in leading]
        page = int(np.ravel_multi_index([at[axis] for axis in leading], shape)) if leading else 0
        plane = _page(series, page, n_bytes)
        return np.ascontiguousarray(plane[:, :, at.get("S", 0)]) if plane.ndim == 3 else plane

    names = names_of(tiff, number, math.prod(per_axis))
    scene = Scene(
        series.name if len(tiff.series) > 1 else "", names, sizes.get("Z", 1), sizes.get("T", 1),
        facts_of(tiff, number), load,
    )  # fmt: skip
    return replace(scene, pages=bool(unnamed))


def _images_in(series: tifffile.TiffPageSeries) -> int:
    """How many planes a series has; colours of a pixel count as one."""
    return math.prod(n for axis, n in zip(series.axes, series.shape, strict=True) if axis not in "YXS")


def _colours(page: tifffile.TiffPage) -> int:
    """Values of a pixel without alpha: 1 grey, 3 colour, or channels that are stored pixel by pixel."""
    alpha = any(int(kind) in _ALPHA for kind in page.extrasamples) or (
        page.photometric == tifffile.PHOTOMETRIC.RGB and page.samplesperpixel == 4
    )
    return page.samplesperpixel - alpha


def _page(series: tifffile.TiffPageSeries, number: int, n_bytes: int) -> np.ndarray:
    """Plane `number` of a series, shape (H, W), or (H, W, colours)."""
    with _as_damage(n_bytes):
        keyframe = series.keyframe
        _check(keyframe)
        number, inside = divmod(number, keyframe.imagedepth)
        if number >= len(series.pages):
            image = _behind(series, number)
        elif (page := series.pages[number]) is None:
            raise UnreadableImageError(
                "is one of several files that belong together. Read each file by its name, with --layout or --pattern."
            )
        else:
            image = page.asarray(maxworkers=1)
        if keyframe.imagedepth > 1:
            image = image[inside]
        if keyframe.samplesperpixel > 1:
            image = np.moveaxis(image, 0, 2) if keyframe.axes.startswith("S") else image
            image = image[:, :, : _colours(keyframe)]
            image = image[:, :, 0] if image.shape[2] == 1 else image
        return np.ascontiguousarray(image)


def _behind(series: tifffile.TiffPageSeries, number: int) -> np.ndarray:
    """A plane behind the first one, uncompressed, without a directory entry: so ImageJ writes stacks above 4 GB."""
    page = series.keyframe
    file, dtype = page.parent.filehandle, np.dtype(page.dtype).newbyteorder(page.parent.byteorder)
    file.seek((series.dataoffset or 0) + number * page.size * dtype.itemsize)
    content = file.read(page.size * dtype.itemsize)
    return np.frombuffer(content, dtype, page.size).reshape(page.shape).astype(dtype.newbyteorder("="))


def _check(page: tifffile.TiffPage) -> None:
    """Refuse what is not supported, and what would unpack to far too much, before anything is decoded."""
    check_size(page.imagewidth, page.imagelength)
    if page.dtype is None:
        raise UnreadableImageError(f"has {page.bitspersample} bits a value, which is not supported. Save it as 16 bit.")
    if page.compression not in tifffile.TIFF.DECOMPRESSORS or page.predictor not in tifffile.TIFF.UNPREDICTORS:
        raise UnreadableImageError(
            f"is compressed in a way that is not supported ({tifffile.COMPRESSION(page.compression).name}). "
            "Save it without compression or with LZW."
        )
    part = math.prod(page.chunks) * page.dtype.itemsize
    if part > max(page.nbytes, _LARGEST_TILE):
        raise UnreadableImageError(f"has parts of {part:,} bytes (of an image of {page.nbytes:,}). Save it anew.")
    if page.photometric not in _RAMPS and not _is_ramp(page):
        raise UnreadableImageError(
            f"is a TIFF of kind {tifffile.PHOTOMETRIC(page.photometric).name} (expected grey). Save it as grey."
        )


def _is_ramp(page: tifffile.TiffPage) -> bool:
    """Whether a palette runs from dark to bright, so that its numbers are intensities."""
    if page.photometric != tifffile.PHOTOMETRIC.PALETTE or page.colormap is None:
        return False
    steps = np.diff(page.colormap.astype(np.int64), axis=1)
    return bool((steps >= 0).all() and (steps > 0).any())
