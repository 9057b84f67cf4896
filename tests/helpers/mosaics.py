"""Real cells cut out on black: labels by connected parts, so that no segmentation is needed to test on them."""

from pathlib import Path

import cv2
import numpy as np
from scipy import ndimage

from features.core.cells import Cells, make_cells
from features.core.device import Device
from store.channels import CHANNELS


def mosaic_cells(folder: Path, name: str, device: Device) -> Cells:
    """One mosaic of hpa-cells as a batch of one field; cells under 300 px are left out."""
    planes = [cv2.imread(str(folder / f"{name}_{channel.colour}.png"), cv2.IMREAD_UNCHANGED) for channel in CHANNELS]
    pixels = np.stack(planes)[None]
    parts, n = ndimage.label(ndimage.binary_opening(pixels[0].any(axis=0), iterations=2), np.ones((3, 3)))
    large = np.flatnonzero(np.bincount(parts.ravel(), minlength=n + 1)[1:] >= 300) + 1
    lut = np.zeros(n + 1, np.int32)
    lut[large] = np.arange(1, len(large) + 1)
    cell_labels = lut[parts]
    blue = cv2.GaussianBlur(planes[2], (0, 0), 2)
    nucleus_labels = np.zeros_like(cell_labels)
    for label in range(1, len(large) + 1):
        mine = cell_labels == label
        level = cv2.threshold(blue[mine], 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[0]
        bright, k = ndimage.label(mine & (blue > level))
        if k:
            nucleus_labels[bright == 1 + np.argmax(np.bincount(bright.ravel())[1:])] = label
    return make_cells(pixels, cell_labels[None], nucleus_labels[None], device)
