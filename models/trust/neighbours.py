"""Nearest training fields of a new field, in a space of protein features.

Only columns of the protein are compared, without covariates. Each is standardised robustly by its median and spread
over the training fields and clipped, so that outliers do not dominate; a missing value counts as the median. Each block
(what one family measures of the same stains in one compartment) has the same weight, however many columns it has. The
leading principal directions are kept and partly whitened: each is scaled to the square root of its singular value.
Labels are not used.

Other spaces were compared by how well neighbours of other antibodies agree in their labels: docs/benchmarks.md.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from models.data.duplicates import bits_apart, most_apart
from models.explanation.feature_groups import block_names
from models.first_level.standard import ROUNDING
from models.row_sums import row_sums
from store.channels import PROTEIN

DIRECTIONS = 32
LIMIT = 4.0
MOST_FIELDS = 2000
_SEED = 0
_AT_ONCE = 16  # fields placed at a time: their values stay in the processor's cache


@dataclass(frozen=True)
class Space:
    """The fitted space, and the training fields in it.

    Attributes
    ----------
    chosen : ndarray of int, shape (n_chosen,)
        The columns that are compared.
    centre, spread : ndarray of float32, shape (n_chosen,)
        Median and spread of each; the spread of a constant column is infinite.
    axes : ndarray of float32, shape (n_chosen, n_directions)
    fields : ndarray of float32, shape (n_training_fields, n_directions)
        Coordinates of the training fields.
    """

    chosen: np.ndarray
    centre: np.ndarray
    spread: np.ndarray
    axes: np.ndarray
    fields: np.ndarray

    def place(self, values: np.ndarray) -> np.ndarray:
        """Coordinates of fields: float32, shape (n, n_directions); `values` (n, n_columns), columns as fitted."""
        placed = np.empty((len(values), self.axes.shape[1]), np.float32)  # without a direction if no fields differ
        for start in range(0, len(values), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            standard = _standardise(values[some, self.chosen], self.centre, self.spread)
            for k, axis in enumerate(self.axes.T):
                placed[some, k] = row_sums(standard, axis)
        return placed

    def place_quickly(self, values: np.ndarray) -> np.ndarray:
        """As `place`, ten times as fast; the last bits of a row depend on how many there are. For maps."""
        return _standardise(values[:, self.chosen], self.centre, self.spread) @ self.axes

    def distances(self, values: np.ndarray) -> np.ndarray:
        """Distances to the training fields, shape (n, n_training_fields); two unrelated fields are about 1 apart."""
        return self._distances(self.place(values))

    def to_other_groups(self, groups: np.ndarray) -> np.ndarray:
        """Distances of at most `MOST_FIELDS` training fields to the nearest of another group, rising.

        Parameters
        ----------
        groups : ndarray of int, shape (n_training_fields,)
        """
        sample = evenly_spaced(len(groups))
        own = groups[sample][:, None] == groups
        return np.sort(np.where(own, np.inf, self._distances(self.fields[sample])).min(1))

    def _distances(self, placed: np.ndarray) -> np.ndarray:
        mean_square = 2 * self.fields.var(0, dtype=np.float64).sum()  # of the distance of two training fields
        return cdist(placed, self.fields) / np.sqrt(mean_square or 1.0)


def fit_space(values: np.ndarray, columns: pd.DataFrame, directions: int = DIRECTIONS) -> Space:
    """Fit the space to the training fields.

    Parameters
    ----------
    values : ndarray of float32, shape (n_fields, n_columns)
        NaN for missing values.
    columns : DataFrame
        compartment, family, channels, covariate; one row a column. Without any column of the protein all are compared.
    directions : int
        Number of directions kept, at most.
    """
    from sklearn.utils.extmath import randomized_svd  # takes half a second, not needed by most commands

    of_protein = np.array([PROTEIN.name in stains for stains in columns["channels"]], bool)
    of_protein &= ~columns["covariate"].to_numpy(bool)
    chosen = np.flatnonzero(of_protein if of_protein.any() else np.ones(len(columns), bool))
    values = values[:, chosen]
    centre, spread = _centre_and_spread(values)
    _, block, sizes = np.unique(block_names(columns.iloc[chosen]), return_inverse=True, return_counts=True)
    alike = np.sqrt(sizes[block])[:, None].astype(np.float32)
    standard = _standardise(values, centre, spread)
    balanced = standard - standard.mean(0)
    balanced /= alike.T
    n = min(directions, *balanced.shape)
    _, singular, axes = randomized_svd(balanced, n, n_iter=4, random_state=_SEED)  # pyright: ignore[reportArgumentType]  # or an int
    kept = singular > 1e-6 * max(singular[0], 1e-30)
    axes = ((axes[kept] / np.sqrt(singular[kept, None])).T / alike).astype(np.float32)
    return Space(chosen, centre, spread, axes, standard @ axes)


def evenly_spaced(n_fields: int) -> np.ndarray:
    """Row numbers of at most `MOST_FIELDS` evenly spaced fields, as a sample of all."""
    return np.arange(0, n_fields, max(-(-n_fields // MOST_FIELDS), 1))


def nearest(distances: np.ndarray, n: int) -> np.ndarray:
    """The n nearest training fields of each field, nearest first: int, shape (n_fields, n) or fewer."""
    return np.argsort(distances, axis=1, kind="stable")[:, :n]


def near_identical_to(views: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    """Which training fields are near-identical to one field: bool, shape (n_training_fields,).

    Parameters
    ----------
    views : ndarray of uint64, shape (8, 4)
        The field's hashes, mirrored and turned (`models.data.duplicates.turned`).
    hashes : ndarray of uint64, shape (n_training_fields, 4)
    """
    return bits_apart(views[:, None], hashes) <= most_apart(views[0], hashes)


def add_identical(near: np.ndarray, identical: np.ndarray, distances: np.ndarray) -> np.ndarray:
    """The nearest training fields of one field, then each near-identical one that is not among them, nearest first.

    Parameters
    ----------
    near : ndarray of int
        Row numbers of the nearest.
    identical : ndarray of bool, shape (n_training_fields,)
    distances : ndarray of float64, shape (n_training_fields,)
    """
    further = np.setdiff1d(np.flatnonzero(identical), near)
    return np.concatenate([near, further[np.argsort(distances[further], kind="stable")]])


def _centre_and_spread(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median, and half the distance between the 16th and 84th percentiles, of each column."""
    known = ~np.isnan(values).all(0)
    low, centre, high = np.zeros((3, values.shape[1]), np.float32)
    low[known], centre[known], high[known] = np.nanpercentile(values[:, known], (16, 50, 84), axis=0)
    spread = (high - low) / 2
    return centre, np.where(spread > ROUNDING * np.maximum(abs(centre), 1e-30), spread, np.inf).astype(np.float32)


def _standardise(values: np.ndarray, centre: np.ndarray, spread: np.ndarray) -> np.ndarray:
    standard, limit = values - centre, np.float32(LIMIT)
    standard /= spread  # in place: there may be hundreds of MB
    standard.clip(-limit, limit, out=standard)
    standard[np.isnan(standard)] = 0.0
    return standard
