"""Out-of-distribution check: the share of a field's values outside the range seen in training.

Distances to the nearest training fields are not enough: `models.trust.neighbours` replaces missing values by the median
and clips extreme ones, so that noise lies near the centre. Here each column has a range, from the lowest to the highest
value of the training fields, without one hundredth at either end (with 100 fields or more), so that outliers do not
widen it. A value is outside if it lies beyond the range, or is missing where training fields have one. The training
fields' shares, each from the ranges of other groups, show which share is unusual. `is_out_of_distribution` has the rule
that combines distance and share.
"""

from dataclasses import dataclass

import numpy as np

from models.trust.neighbours import evenly_spaced

OUT_OF_DISTRIBUTION = 0.99
"""A field is out of distribution if it is farther from the training fields, or has more values outside their ranges,
than this share of the training fields, each compared with those of other groups."""

PARTS = 10
_HUNDREDTH = 100


@dataclass(frozen=True)
class TrainingRanges:
    """Ranges of the training fields' values.

    Attributes
    ----------
    chosen : ndarray of int, shape (n_chosen,)
        The columns that are checked.
    low, high : ndarray of float32, shape (n_chosen,)
        Ends of each range; NaN for a column without values.
    always : ndarray of bool, shape (n_chosen,)
        Whether the value is present in all training fields, with at most as many exceptions as are left out at an end.
    training_shares : ndarray of float64
        Shares of training fields' values outside the ranges of other groups, rising.
    """

    chosen: np.ndarray
    low: np.ndarray
    high: np.ndarray
    always: np.ndarray
    training_shares: np.ndarray

    def outside(self, values: np.ndarray) -> np.ndarray:
        """The share of each field's values that lie outside: float64, shape (n,); `values` (n, n_columns)."""
        return _outside(values[:, self.chosen], self.low, self.high, self.always)


def fit_ranges(values: np.ndarray, chosen: np.ndarray, groups: np.ndarray) -> TrainingRanges:
    """Fit the ranges to the training fields.

    Parameters
    ----------
    values : ndarray of float32, shape (n_fields, n_columns)
        NaN for missing values.
    chosen : ndarray of int
        The columns to check.
    groups : ndarray of int, shape (n_fields,)
    """
    sample = evenly_spaced(len(groups))
    values, end = values[np.ix_(sample, chosen)], len(sample) // _HUNDREDTH
    return TrainingRanges(chosen, *_ranges(values, end), np.sort(_held_out(values, groups[sample], end)))


def is_out_of_distribution(
    nearest: np.ndarray, outside: np.ndarray, training_distances: np.ndarray, training_shares: np.ndarray
) -> np.ndarray:
    """Whether each new field is out of distribution: bool, shape (n,).

    Parameters
    ----------
    nearest : ndarray of float64, shape (n,)
        Each field's distance to its nearest training field.
    outside : ndarray of float64, shape (n,)
        The share of its values outside the training ranges.
    training_distances, training_shares : ndarray of float64
        The same of training fields compared with other groups, rising.
    """
    farther, outlying = share_below(nearest, training_distances), share_below(outside, training_shares)
    return np.maximum(farther, outlying) > OUT_OF_DISTRIBUTION


def share_below(values: np.ndarray, rising: np.ndarray) -> np.ndarray:
    """The share of the training fields' values (sorted, rising) that lie below each value."""
    return np.searchsorted(rising, values) / len(rising)


def _held_out(values: np.ndarray, groups: np.ndarray, end: int) -> np.ndarray:
    """Share of each field's values outside the ranges of other groups; 1 if there are no other groups."""
    part = np.unique(groups, return_inverse=True)[1] % PARTS
    shares = np.ones(len(values))
    for k in np.unique(part) if part.any() else ():
        shares[part == k] = _outside(values[part == k], *_ranges(values[part != k], end))
    return shares


def _ranges(values: np.ndarray, end: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The ends of each column's range without `end` values at either, and whether its values are always present."""
    low = np.partition(values, end, axis=0)[end]
    high = -np.partition(-values, end, axis=0)[end]
    return low, high, np.isnan(values).sum(0) <= end


def _outside(values: np.ndarray, low: np.ndarray, high: np.ndarray, always: np.ndarray) -> np.ndarray:
    return ((values < low) | (values > high) | (np.isnan(values) & always)).mean(1)
