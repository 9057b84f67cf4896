"""Painted fields and masks whose nuclei are known."""

import cv2
import numpy as np

SPREAD = [(50, 50, 16), (60, 150, 16), (150, 70, 16), (170, 180, 16)]
TOUCHING = [(60, 60, 16), (60, 90, 16), (160, 60, 14), (160, 86, 16), (180, 180, 15), (207, 180, 15)]


def paint_field(nuclei, size=256, dtype=np.uint8, gain=0.5, reach=2.2):
    """A field of round cells on black; `nuclei` are (y, x, radius), each with a dark nucleolus."""
    full = np.iinfo(dtype).max
    y, x = np.mgrid[:size, :size]
    planes = np.zeros((4, size, size), np.float32)
    for cy, cx, radius in nuclei:
        distance = np.hypot(y - cy, x - cx)
        nucleus = (distance < radius) * (0.8 - 0.5 * (np.hypot(y - cy - radius / 3, x - cx) < radius / 4))
        planes[2] = np.maximum(planes[2], nucleus)
        body = np.clip(1 - distance / (reach * radius), 0, 0.4)
        planes[[0, 3]] = np.maximum(planes[[0, 3]], body)
    planes = np.stack([cv2.GaussianBlur(plane, (0, 0), 1.0) for plane in planes])
    return (planes * full * gain).astype(dtype)


def squares():
    """Four squares of half the radius of a fifth: each kind has half of the area."""
    mask = np.zeros((1, 40, 60), bool)
    mask[0, 10:24, 40:54] = True
    for y, x in ((4, 4), (4, 20), (20, 4), (20, 20)):
        mask[0, y : y + 6, x : x + 6] = True
    return mask


def diagonal():
    """Labels 1 and 2 on either side of a diagonal of labels that are one pixel each."""
    y, x = np.mgrid[:9, :9]
    return np.where(x == y, 3 + x, np.where(x > y, 2, 1))[None].astype(np.int32)
