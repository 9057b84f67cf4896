"""A network's maps of whole fields: the image that it sees, and which map pixel lies over which image pixel."""

from collections.abc import Callable
from types import ModuleType

import numpy as np

from features.core.cells import Cells
from features.core.device import Device
from features.segmentation.fixed_point import gaussian_weights

NUCLEUS_DIAMETER = 43.0
"""The median nucleus diameter in px of the fields that the design was measured on."""

_LARGEST_FACTOR = 16  # an image is not made smaller than by this, so that sides of 512 px stay 32
_BRIGHTEST = 0.999  # the protein's level at this quantile becomes 1
ONE = 10_000
"""Weights are whole numbers, so that sums do not depend on their order: this is that of the brightest pixels."""

Maps = Callable[[np.ndarray], list[np.ndarray]]
"""From images, float32 (n, planes, H, W), 0 to 1, to maps, float32 (n, channels, h, w)."""


def shrink_factors(diameters: np.ndarray) -> np.ndarray:
    """How many times smaller each field is shown: 1 where nuclei have 21.5 to 86 px, else the nearest power of two.

    Parameters
    ----------
    diameters : ndarray of float64, shape (n_fields,)
        Median nucleus diameters in px; NaN without nuclei.

    Returns
    -------
    ndarray of float64, shape (n_fields,)
        0.5 to 16: 0.5 shows the field twice as large. 1 where the diameter is not known.
    """
    octaves = np.log2(np.where(np.isfinite(diameters), diameters, NUCLEUS_DIAMETER) / NUCLEUS_DIAMETER)
    return np.clip(2.0 ** np.where(abs(octaves) > 1, np.rint(octaves), 0), 0.5, _LARGEST_FACTOR)


def relative_levels(planes: np.ndarray, device: Device) -> np.ndarray:
    """Levels / their 99.9th percentile in the field, at most 1: the same for 8 and 16 bit.

    Parameters
    ----------
    planes : ndarray of uint8 or uint16, shape (n_fields, H, W)
    device : Device
        Where they are.

    Returns
    -------
    ndarray of float32, shape (n_fields, H, W)
    """
    xp, size = device.xp, planes[0].size
    brightest = device.kernels.planes.nth_brightest(planes, size - int(np.ceil(_BRIGHTEST * size)) + 1)
    top = xp.maximum(brightest, 1).astype(np.float32)
    level = planes / top[:, None, None]
    return xp.minimum(level, np.float32(1), out=level)


def pixel_weights(level: np.ndarray, xp: ModuleType) -> np.ndarray:
    """The weight of each pixel, uint16: its protein's level in 1 / 10,000, plus 1 for cells without protein."""
    weights = level * np.float32(ONE)
    xp.rint(weights, out=weights)
    weights += np.float32(1)
    return weights.astype(np.uint16)


def protein_and_nuclei(cells: Cells, level: np.ndarray) -> np.ndarray:
    """What the pretrained network sees: the protein, and the protein in the nuclei; float32, shape (n_fields, 2, H, W).

    The nuclei are their labels, blurred with sigma 1. The background is not blackened. The network was made for three
    planes: the first of these stands for its first and its second.
    """
    xp, (n_fields, *sides) = cells.device.xp, level.shape
    nuclei = (cells.nucleus_labels > 0).astype(np.uint8) * np.uint8(255)
    blurred = cells.device.kernels.smoothing.gaussian(nuclei, *gaussian_weights(np.ones(n_fields)))
    images = xp.empty((n_fields, 2, *sides), np.float32)
    images[:, 0] = level
    xp.multiply(level, blurred, out=images[:, 1])
    images[:, 1] /= np.float32(255)
    return images


def resized(images: np.ndarray, factor: float, multiple: int, xp: ModuleType) -> np.ndarray:
    """Images shrunk by a whole factor (means of squares) or doubled, then padded with black to sides of a multiple."""
    if factor > 1:
        whole = int(factor)
        images = _padded(images, whole, xp)
        *outer, height, width = images.shape
        images = images.reshape(*outer, height // whole, whole, width // whole, whole).mean(axis=(-3, -1))
    elif factor < 1:
        images = _doubled(_doubled(images, -1, xp), -2, xp)
    return _padded(images, multiple, xp)


def _padded(images: np.ndarray, multiple: int, xp: ModuleType) -> np.ndarray:
    more = [-side % multiple for side in images.shape[-2:]]
    if not any(more):
        return images
    return xp.pad(images, [(0, 0)] * (images.ndim - 2) + [(0, n) for n in more])


def _doubled(images: np.ndarray, axis: int, xp: ModuleType) -> np.ndarray:
    """Twice as many values along an axis, interpolated linearly: 3/4 of the near one and 1/4 of the next."""
    sides = list(images.shape)
    sides[axis] *= 2
    both = xp.empty(sides, images.dtype)
    out, quarter = xp.moveaxis(both, axis, -1), xp.moveaxis(images * np.float32(0.25), axis, -1)
    out[..., ::2] = out[..., 1::2] = xp.moveaxis(images * np.float32(0.75), axis, -1)
    out[..., 2::2] += quarter[..., :-1]
    out[..., 1:-1:2] += quarter[..., 1:]
    out[..., 0] += quarter[..., 0]
    out[..., -1] += quarter[..., -1]
    return both


def map_places(n: int, n_map: int, step: float) -> np.ndarray:
    """The map row (or column) of each of n image rows (columns), a map pixel being `step` wide: int32."""
    return np.minimum((np.arange(n) + 0.5) / step, n_map - 1).astype(np.int32)
