"""Features of a field as a whole: number of cells, sharpness, spectrum; and perceptual hashes.

Sharpness, spectrum and sizes in pixels depend on how a field was acquired; they are marked as covariates.
"""

from functools import cache

import cv2
import numpy as np
import pyarrow as pa

from features.kernels.cpu import field as kernels
from store.channels import CHANNELS, IMAGE
from store.columns import Column
from store.schema import METADATA_HASH

_BANDS = 5
_HASH_SIDE = 32
_EXACT = 2**24  # up to here float32 holds whole numbers
CELL_COUNT = "Image_Count_Cells"
_OF_CELLS = (CELL_COUNT, "Image_Count_Covered", "Image_Count_Crowding", "Image_Size_NucleusDiameter")
_HASH_METADATA = {channel: f"{METADATA_HASH}{channel.name}" for channel in CHANNELS}


@cache
def field_columns() -> tuple[Column, ...]:
    """The field-level features, of compartment "Image".

    Count: `Cells` is the number of cells, `Covered` the share of the field they cover, `Crowding` the area of as many
    median nuclei as a share of the field. Size: height of the field and median nucleus diameter in px. Quality:
    `Focus` is the standard deviation of the Laplacian over the mean, `Dark` and `Saturated` the shares of pixels at 0
    and at the top of the range. Spectrum: the share of the variance in octave k, the finest first, of averages over
    blocks of 2 x 2, 4 x 4 ... px (Haar), for stains that are not flat.
    """
    counts = tuple(Column(IMAGE, "Count", feature) for feature in ("Cells", "Covered", "Crowding"))
    sizes = tuple(Column(IMAGE, "Size", feature, covariate=True) for feature in ("Height", "NucleusDiameter"))
    quality = tuple(
        Column(IMAGE, "Quality", feature, (channel,), covariate=True)
        for channel in CHANNELS
        for feature in ("Focus", "Dark", "Saturated")
    )
    spectrum = tuple(
        Column(IMAGE, "Spectrum", "Share", (channel,), (f"{k + 1}of{_BANDS}",), covariate=True)
        for channel in CHANNELS
        for k in range(_BANDS)
    )
    return counts + sizes + quality + spectrum


def field_metadata() -> dict[str, pa.DataType]:
    """The Metadata columns that `measure_field` gives in addition to the features, with their types."""
    return dict.fromkeys(_HASH_METADATA.values(), pa.uint64())


def measure_field(pixels: np.ndarray) -> dict[str, float | int]:
    """Measure one field without its cells.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (4, H, W)

    Returns
    -------
    dict
        A value (float, NaN where undefined) for each of `field_columns` that `count_cells` does not give, and for each
        of `field_metadata` (int), by name.
    """
    values = [pixels.shape[1]]
    values += [value for plane in pixels for value in _quality(plane)]
    values += [share for plane in pixels for share in _spectrum(plane)]
    measured = zip(_measured_names(), map(float, values), strict=True)
    return dict(measured) | dict(zip(_HASH_METADATA.values(), map(int, field_hashes(pixels)), strict=True))


@cache
def _measured_names() -> list[str]:
    """Names of the values that `measure_field` gives, in their order."""
    return [column.name for column in field_columns() if column.name not in _OF_CELLS]


def count_cells(n_cells: int, covered: int, diameter: float, area: int) -> dict[str, float]:
    """The field's features that depend on its cells.

    Parameters
    ----------
    n_cells : int
    covered : int
        Pixels that belong to a cell.
    diameter : float
        Median equivalent diameter of its nuclei in px; NaN without nuclei.
    area : int
        Pixels of the field.
    """
    values = (n_cells, covered / area, n_cells * np.pi / 4 * diameter**2 / area, diameter)
    return dict(zip(_OF_CELLS, map(float, values), strict=True))


def _quality(plane: np.ndarray) -> tuple[float, float, float]:
    """Focus, and the shares of pixels at 0 and at the top of the range; NaN for a stain that is absent."""
    lit = cv2.countNonZero(plane)
    if not lit:
        return np.nan, np.nan, np.nan
    total, squares = kernels.laplacian_sums(plane)
    spread = np.sqrt(max(squares / plane.size - (total / plane.size) ** 2, 0))
    top = int(np.iinfo(plane.dtype).max)
    at_top = cv2.compare(plane, top, cv2.CMP_EQ)  # pyright: ignore[reportCallIssue, reportArgumentType] a number will do
    saturated = cv2.countNonZero(at_top) / plane.size
    return spread / cv2.mean(plane)[0], 1 - lit / plane.size, saturated


def _spectrum(plane: np.ndarray) -> np.ndarray:
    """Share of the variance in each octave, from the finest, shape (_BANDS,); the rest is coarser.

    Averaging blocks of 2 x 2 again and again (Haar), octave k is the variance that the k-th averaging removes. Up to
    31 rows and columns at the lower and right border, which do not fill a block, are ignored.
    """
    blocks = 2**_BANDS
    height, width = (side // blocks * blocks for side in plane.shape)
    if min(height, width) == 0:
        return np.full(_BANDS, np.nan)
    total, squares = kernels.octave_sums(np.ascontiguousarray(plane[:height, :width]), _BANDS)
    pixels = 4.0 ** np.arange(_BANDS + 1)  # of a block
    variances = np.maximum(squares / pixels / (height * width) - (total / (height * width)) ** 2, 0)
    return -np.diff(variances) / variances[0] if variances[0] > 0 else np.full(_BANDS, np.nan)


def field_hashes(pixels: np.ndarray) -> np.ndarray:
    """Perceptual hash of each channel, to find fields that show the same cells.

    The plane is shrunk to 32 x 32 by areas, and its square root taken apart by a discrete cosine transform; bit 8 i + j
    (from the highest) is the sign of coefficient (i + 1, j + 1), i, j < 8. Resolution, brightness and compression
    hardly change the signs; shifts and crops do. A flat channel has hash 0.

    Parameters
    ----------
    pixels : ndarray of uint8 or uint16, shape (4, H, W)

    Returns
    -------
    ndarray of uint64, shape (4,)
    """
    return np.array([_hash(plane) for plane in pixels], np.uint64)


def _hash(plane: np.ndarray) -> int:
    small = np.sqrt(_thumbnail(plane))
    if small.min() == small.max():
        return 0
    signs = cv2.dct(small)[1:9, 1:9] > 0
    return int.from_bytes(np.packbits(signs).tobytes(), "big")


def _thumbnail(plane: np.ndarray) -> np.ndarray:
    """A plane shrunk to 32 x 32 by areas, float32; from whole numbers, which is faster, where the result is the same.

    That is where the areas are blocks of pixels and float32 holds their sums exactly.
    """
    height, width = plane.shape
    largest = plane.size // _HASH_SIDE**2 * int(np.iinfo(plane.dtype).max)
    if height % _HASH_SIDE or width % _HASH_SIDE or largest > _EXACT:
        return cv2.resize(plane.astype(np.float32), (_HASH_SIDE, _HASH_SIDE), interpolation=cv2.INTER_AREA)
    return kernels.block_sums(plane, _HASH_SIDE).astype(np.float32) * np.float32(_HASH_SIDE**2 / plane.size)
