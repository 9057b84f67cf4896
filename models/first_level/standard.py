"""Standardised values: each column by its mean and spread, clipped; a missing value counts as the mean."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from models.first_level.fold_model import Rows

CLIP = np.float32(4.0)
ROUNDING = 2.0**-22
"""A column whose spread is a smaller share of its mean is constant but for the rounding of float32."""
COLUMNS_AT_ONCE = 512


def moments(values: "np.ndarray | Rows") -> tuple[np.ndarray, np.ndarray]:
    """Mean of each column and what to divide it by, infinite where it is constant: float32, shape (n_columns,)."""
    parts = [_moments(values[:, block]) for block in _blocks(values.shape[1])]
    mean, scale = (np.concatenate(part).astype(np.float32) for part in zip(*parts, strict=True))
    return mean, scale


def standardised(values: "np.ndarray | Rows", mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """The values as multiples of the spread: float32, shape (n, n_columns)."""
    standard = np.empty(values.shape, np.float32)
    for block in _blocks(values.shape[1]):
        standard[:, block] = clipped(values[:, block], mean[block], scale[block])
    return standard


def clipped(values: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Standardise an array."""
    return np.nan_to_num(np.clip((values - mean) / scale, -CLIP, CLIP), copy=False, nan=0.0)


def _blocks(n_columns: int) -> list[slice]:
    return [slice(start, start + COLUMNS_AT_ONCE) for start in range(0, n_columns, COLUMNS_AT_ONCE)]


def _moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    known = ~np.isnan(values)
    count = np.maximum(known.sum(0), 1)
    mean = np.where(known, values, 0).sum(0, dtype=np.float64) / count
    spread = np.sqrt(np.where(known, (values - mean) ** 2, 0).sum(0, dtype=np.float64) / count)
    return mean, np.where(spread > ROUNDING * np.maximum(abs(mean), 1e-30), spread, np.inf)
