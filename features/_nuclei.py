"""Nuclei from the nucleus channel: threshold by the brightness of nearby nuclei, split at dark gaps and at necks.

Every length derives from the nucleus radius that a first rough threshold shows, so that resolution does not matter.
"""

import cv2
import numpy as np

from features._kernels_cpu import segment as _kernels
from features._outline import even_out, fill_holes, frame

_DARK = 12  # below this, on the 0..255 scale, there is no nucleus
_LOCAL = 0.58  # a nuclear pixel is brighter than this share of the nuclei around it,
_FLOOR, _CEILING = 0.5, 1.3  # but the local threshold stays between these shares of the global one
_GAP = 0.81  # what is darker than this share of its own surroundings in a nucleus may be a gap between two
_NECK = 0.8  # two lobes are two nuclei if the neck is thinner than this share of the smaller lobe
_SPECK = 0.12  # what is smaller than this share of the typical nucleus is a speck
_HOLE = 0.8  # holes up to this share of the typical nucleus are nucleoli
_LEVELS = np.arange(256)


def find_nuclei(plane: np.ndarray) -> tuple[np.ndarray, float]:
    """Label the nuclei of one field.

    Parameters
    ----------
    plane : ndarray of uint8, shape (H, W)
        The nucleus channel on a square-root scale, its brightest part near 255.

    Returns
    -------
    labels : ndarray of int32, shape (H, W)
        1..n; all 0 if there are none.
    radius : float
        Typical nucleus radius in px; 0 if there are none.
    """
    smooth = cv2.blur(plane, (3, 3))
    lit = smooth[smooth > _DARK]
    if lit.size < 16:
        return np.zeros(plane.shape, np.int32), 0.0
    level, _ = cv2.threshold(lit, 0, 255, cv2.THRESH_OTSU)
    radius = _typical_radius(cv2.threshold(smooth, level, 1, cv2.THRESH_BINARY)[1])
    largest_hole = _HOLE * np.pi * radius**2

    smooth = cv2.GaussianBlur(plane, (0, 0), max(0.08 * radius, 1.0))
    around = _local_mean(smooth, cv2.threshold(smooth, _FLOOR * level, 1, cv2.THRESH_BINARY)[1], 2.5 * radius)
    threshold = cv2.LUT(around, np.clip(_LOCAL * _LEVELS, _FLOOR * level, _CEILING * level).astype(np.uint8))
    mask = fill_holes(even_out(cv2.compare(smooth, threshold, cv2.CMP_GT) & 1, 0.25 * radius), largest_hole)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _disc(0.25 * radius))
    dark = cv2.LUT(_local_mean(smooth, mask, 1.2 * radius), (_GAP * _LEVELS).astype(np.uint8))
    core = cv2.compare(smooth, dark, cv2.CMP_GE) & mask
    core = fill_holes(even_out(core, 0.1 * radius), largest_hole)
    return _label(mask, core, smooth, radius), radius


def _typical_radius(mask: np.ndarray) -> float:
    """The radius in px of the blob in which half of all nuclear area is reached, from the smallest blob up."""
    small = cv2.resize(mask, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    distance = cv2.distanceTransform(small, cv2.DIST_L2, 3)
    peaks = distance[(distance == cv2.dilate(distance, np.ones((5, 5), np.uint8))) & (distance > 1)]
    if peaks.size == 0:
        return 2 * max(float(distance.max()), 1.0)
    radii = np.sort(peaks)
    area = np.cumsum(radii**2)
    return 2 * float(radii[np.searchsorted(area, area[-1] / 2)])


def _local_mean(smooth: np.ndarray, mask: np.ndarray, reach: float) -> np.ndarray:
    """Mean brightness of the masked pixels around each pixel, uint8; computed at a quarter of the size."""
    small = [
        cv2.resize(image, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA).astype(np.float32)
        for image in (mask * smooth, mask * np.uint8(255))
    ]
    side = 2 * max(round(reach / 4), 1) + 1
    total, weight = (cv2.boxFilter(image, -1, (side, side), borderType=cv2.BORDER_REFLECT) for image in small)
    mean = np.clip(255 * total / np.maximum(weight, 1), 0, 255).astype(np.uint8)
    return cv2.resize(mean, smooth.shape[::-1], interpolation=cv2.INTER_LINEAR)


def _label(mask: np.ndarray, core: np.ndarray, smooth: np.ndarray, radius: float) -> np.ndarray:
    """Split the core at its necks, drop specks, and give the rest of the mask to the lobes along dark lines.

    Nuclei at the image border are split as if they went on beyond it.
    """
    beyond = cv2.copyMakeBorder(core, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    distance = cv2.GaussianBlur(cv2.distanceTransform(beyond, cv2.DIST_L2, 5), (0, 0), max(0.12 * radius, 0.7))
    distance *= 64
    height = np.minimum(distance, 65535, out=distance).astype(np.uint16)
    height *= frame(core)
    smallest = np.array([int(max(_SPECK * np.pi * radius**2, 12))])
    seeds = _kernels.split_by_depth(height[None], _NECK, smallest)
    relief = frame((256 - smooth.astype(np.uint16)) * mask)
    return _kernels.flood(seeds, relief[None])[0, 1:-1, 1:-1]


def _disc(radius: float) -> np.ndarray:
    side = 2 * max(round(radius), 1) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
