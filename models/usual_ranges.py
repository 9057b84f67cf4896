"""Whether a field is like the training fields at all: how many of its values lie where none of theirs do.

Its nearest training fields do not tell: to `models.neighbours` a value that does not exist is the median, and one
beyond all others counts little, so that noise comes to lie in the middle. Here each column has a range, from the lowest
to the highest of the training fields' values; a hundredth of them is left out at either end (from 100 fields on), so
that a few broken ones do not stretch it. A value is outside if it lies beyond, or does not exist where training fields
have one. How large a share of such values is much is learnt from training fields that are held against those of other
groups.
"""

from dataclasses import dataclass

import numpy as np

from models.neighbours import some_of

PARTS = 10
_HUNDREDTH = 100


@dataclass(frozen=True)
class UsualRanges:
    """What values training fields have.

    Attributes
    ----------
    chosen : ndarray of int, shape (n_chosen,)
        The columns that are looked at.
    low, high : ndarray of float32, shape (n_chosen,)
        Of each; NaN for a column that no training field has.
    always : ndarray of bool, shape (n_chosen,)
        Whether training fields have the value, with as few exceptions as are left out at either end.
    usual : ndarray of float64
        The shares outside of training fields, rising, each held against fields of other groups.
    """

    chosen: np.ndarray
    low: np.ndarray
    high: np.ndarray
    always: np.ndarray
    usual: np.ndarray

    def outside(self, values: np.ndarray) -> np.ndarray:
        """The share of each field's values that lie outside: float64, shape (n,); `values` (n, n_columns)."""
        return _outside(values[:, self.chosen], self.low, self.high, self.always)


def fit_ranges(values: np.ndarray, chosen: np.ndarray, groups: np.ndarray) -> UsualRanges:
    """Learn the usual ranges of the training fields.

    Parameters
    ----------
    values : ndarray of float32, shape (n_fields, n_columns)
        NaN where a value does not exist.
    chosen : ndarray of int
        The columns to look at.
    groups : ndarray of int, shape (n_fields,)
    """
    asked = some_of(len(groups))
    values, end = values[np.ix_(asked, chosen)], len(asked) // _HUNDREDTH
    return UsualRanges(chosen, *_ranges(values, end), np.sort(_held_out(values, groups[asked], end)))


def _held_out(values: np.ndarray, groups: np.ndarray, end: int) -> np.ndarray:
    """The share outside of each field, held against the fields of other groups; all of it where there are none."""
    part = np.unique(groups, return_inverse=True)[1] % PARTS
    shares = np.ones(len(values))
    for k in np.unique(part) if part.any() else ():
        shares[part == k] = _outside(values[part == k], *_ranges(values[part != k], end))
    return shares


def _ranges(values: np.ndarray, end: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The low and high end of each column without so many values at either, and whether its values always exist."""
    low = np.partition(values, end, axis=0)[end]
    high = -np.partition(-values, end, axis=0)[end]
    return low, high, np.isnan(values).sum(0) <= end


def _outside(values: np.ndarray, low: np.ndarray, high: np.ndarray, always: np.ndarray) -> np.ndarray:
    return ((values < low) | (values > high) | (np.isnan(values) & always)).mean(1)
