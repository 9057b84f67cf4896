"""Class weights of rare organelles."""

import numpy as np

BOUND = 10.0


def row_weights(labels: np.ndarray, exponent: float) -> np.ndarray:
    """Training weights of the fields for one organelle.

    Full weighting (exponent 1) ruins the ranking of the rare organelles; the square root (0.5) helps them.

    Parameters
    ----------
    labels : ndarray of bool, shape (n,)
    exponent : float
        A positive weighs (negatives / positives) ** exponent, at most 10.

    Returns
    -------
    ndarray of float32, shape (n,)
    """
    n_positive = max(int(labels.sum()), 1)
    weight = min((max(len(labels) - n_positive, 1) / n_positive) ** exponent, BOUND)
    return np.where(labels, weight, 1.0).astype(np.float32)
