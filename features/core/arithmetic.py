"""Ratios with one rule for zero: NaN where the denominator is not positive."""

from types import ModuleType

import numpy as np


def ratio(a: np.ndarray, b: np.ndarray, xp: ModuleType) -> np.ndarray:
    """a / b; NaN where b is 0, negative or NaN, without a warning.

    Denominators are counts, sums of grey values, variances and lengths, which are positive where the ratio exists.

    Parameters
    ----------
    a, b : ndarray
        On one device; they broadcast.
    xp : module
        Their array namespace.
    """
    return a / xp.where(b > 0, b, xp.nan)


def contrast(a: np.ndarray, b: np.ndarray, xp: ModuleType) -> np.ndarray:
    """(a - b) / (a + b), from -1 to 1 where neither is negative; NaN where both are 0."""
    return ratio(a - b, a + b, xp)


def shares(counts: np.ndarray, xp: ModuleType) -> np.ndarray:
    """Counts divided by their sum over the last axis, float32; NaN where the sum is 0."""
    return ratio(counts, counts.sum(axis=-1, keepdims=True), xp).astype(np.float32)
