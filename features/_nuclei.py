"""Nuclei from the nucleus channel: smooth, threshold by the local brightness of nuclei, fill, split at necks.

Every length derives from the nucleus radius that a first rough threshold shows, so that resolution does not matter.
"""

import cv2
import numpy as np

from features._kernels_cpu import segment as _kernels

NECK = 0.82  # two lobes are two nuclei if the neck is thinner than this share of the smaller lobe
_FLOOR = 0.55  # the local threshold stays between these shares of the global one
_CEILING = 1.3
_LOCAL = 0.62  # a nuclear pixel is brighter than this share of the nuclei around it
_SPECK = 0.12  # nuclei smaller than this share of the field's typical nucleus are specks
_HOLE = 0.6  # holes up to this share of the typical nucleus are nucleoli


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
    smooth = cv2.GaussianBlur(plane, (0, 0), 1.0)
    lit = smooth[smooth > 12]
    if lit.size < 16:
        return np.zeros(plane.shape, np.int32), 0.0
    level, _ = cv2.threshold(lit, 0, 255, cv2.THRESH_OTSU)
    radius = _typical_radius((smooth > level).astype(np.uint8))
    if radius < 1:
        return np.zeros(plane.shape, np.int32), 0.0
    mask = _fill(_local_mask(smooth, level, radius), _HOLE * np.pi * radius**2)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, _disc(0.25 * radius))
    distance = cv2.distanceTransform(cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_REPLICATE), cv2.DIST_L2, 5)
    distance = cv2.GaussianBlur(distance, (0, 0), max(0.12 * radius, 0.7))
    distance[[0, -1]] = distance[:, [0, -1]] = 0
    inside = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    labels, n = _kernels.split_by_depth((distance * inside * 64).astype(np.uint16), NECK)
    labels = labels[1:-1, 1:-1]
    areas = np.bincount(labels.ravel(), minlength=n + 1)
    keep = areas > max(_SPECK * np.pi * radius**2, 12)
    keep[0] = False
    return np.where(keep, np.cumsum(keep), 0).astype(np.int32)[labels], radius


def _typical_radius(mask: np.ndarray) -> float:
    """Median of the largest inscribed circles of the blobs that are not specks, weighted by area."""
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    peaks = (distance == cv2.dilate(distance, np.ones((9, 9), np.uint8))) & (distance > 2)
    radii = np.sort(distance[peaks])
    if radii.size == 0:
        return float(distance.max())
    weight = np.cumsum(radii**2)
    return float(radii[np.searchsorted(weight, weight[-1] / 2)])


def _local_mask(smooth: np.ndarray, level: float, radius: float) -> np.ndarray:
    """Pixels brighter than a share of the nuclei around them."""
    value = smooth.astype(np.float32)
    rough = (smooth > _FLOOR * level).astype(np.float32)
    side = 2 * round(2.5 * radius) + 1
    near = cv2.boxFilter(rough, -1, (side, side), borderType=cv2.BORDER_REFLECT)
    bright = cv2.boxFilter(value * rough, -1, (side, side), borderType=cv2.BORDER_REFLECT) / np.maximum(near, 1e-3)
    threshold = np.clip(_LOCAL * bright, _FLOOR * level, _CEILING * level)
    return (value > threshold).astype(np.uint8)


def _fill(mask: np.ndarray, largest: float) -> np.ndarray:
    """Fill the holes up to an area of `largest` px."""
    _, holes, stats, _ = cv2.connectedComponentsWithStats(1 - mask, connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] <= largest
    small[0] = False
    return mask | small[holes].astype(np.uint8)


def _disc(radius: float) -> np.ndarray:
    side = 2 * max(round(radius), 1) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
