"""Outlines of binary masks: smoothed, without holes, framed for the kernels."""

import cv2
import numpy as np


def even_out(mask: np.ndarray, reach: float) -> np.ndarray:
    """Smooth the outline of a mask: each pixel joins the majority around it."""
    side = 2 * max(round(reach), 1) + 1
    return cv2.threshold(cv2.blur(255 * mask, (side, side)), 127, 1, cv2.THRESH_BINARY)[1]


def fill_holes(mask: np.ndarray, largest: float) -> np.ndarray:
    """Fill the holes up to an area of `largest` px, in place; what is open to the image border is no hole."""
    contours, tree = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    holes = [
        contour
        for contour, (_, _, _, parent) in zip(contours, tree[0] if tree is not None else ())
        if parent >= 0 and cv2.contourArea(contour) <= largest
    ]
    return cv2.drawContours(mask, holes, -1, 1, cv2.FILLED)


def frame(image: np.ndarray) -> np.ndarray:
    """The image with one pixel of zeros around it, as the kernels want it."""
    return cv2.copyMakeBorder(image, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
