"""Gaussian weights and lengths as whole numbers, so that every device finds the same cells."""

import numpy as np

_WHOLE = 65536


def gaussian_weights(sigmas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights of Gaussians cut at 3 standard deviations.

    Parameters
    ----------
    sigmas : ndarray of float64, shape (n,)
        Standard deviations in px.

    Returns
    -------
    weights : ndarray of uint32, shape (n, largest reach + 1)
        From the centre outwards in 1 / 65,536; those of both sides sum to 1.
    reaches : ndarray of int64, shape (n,)
        Weights on either side of the centre.
    """
    reaches = np.ceil(3 * sigmas).astype(np.int64)
    steps = np.arange(reaches.max(initial=0) + 1)
    bells = np.exp(-0.5 * (steps / sigmas[:, None]) ** 2) * (steps <= reaches[:, None])
    weights = np.rint(_WHOLE * bells / (2 * bells.sum(axis=1) - 1)[:, None]).astype(np.int64)
    weights[:, 0] += _WHOLE + weights[:, 0] - 2 * weights.sum(axis=1)
    return weights.astype(np.uint32), reaches


def whole_pixels(lengths: np.ndarray) -> np.ndarray:
    """Lengths rounded, int64, at least 1."""
    return np.maximum(np.rint(lengths), 1).astype(np.int64)


def disc_area(radii: np.ndarray) -> np.ndarray:
    """Of discs of these radii, in px."""
    return np.pi * radii**2
