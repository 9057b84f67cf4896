"""The training fields most like a new one, as evidence that can be looked up.

Only columns that the protein takes part in are compared, and none that depends on how a field was acquired. Each is
standardised by its median and spread over the training fields, robustly, and limited, so that a few odd values do not
decide; a value that does not exist counts as the median. Each block (what one family measures of the same stains in one
compartment) counts the same, however many columns it has. The strongest directions of all this are kept and evened by
half: each is scaled to the square root of its strength. Labels play no part.

Other spaces were tried by how well neighbours of other antibodies agree in their labels: docs/benchmarks.md.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist
from sklearn.utils.extmath import randomized_svd

from models.feature_groups import block_names
from models.row_sums import row_sums

DIRECTIONS = 32
LIMIT = 4.0
ASKED = 2000
_SEED = 0


@dataclass(frozen=True)
class Space:
    """Where fields lie.

    Attributes
    ----------
    chosen : ndarray of int, shape (n_chosen,)
        The columns that are compared.
    centre, spread : ndarray of float32, shape (n_chosen,)
        Of each; infinite spread for a constant column.
    axes : ndarray of float32, shape (n_chosen, n_directions)
    fields : ndarray of float32, shape (n_training_fields, n_directions)
        Where the training fields lie.
    """

    chosen: np.ndarray
    centre: np.ndarray
    spread: np.ndarray
    axes: np.ndarray
    fields: np.ndarray

    def place(self, values: np.ndarray) -> np.ndarray:
        """Where fields lie: float32, shape (n, n_directions); `values` (n, n_columns) as fitted on."""
        standard = _standardise(values[:, self.chosen], self.centre, self.spread)
        return np.stack([row_sums(standard, axis) for axis in self.axes.T], axis=-1)

    def distances(self, values: np.ndarray) -> np.ndarray:
        """Distance of each field to each training field, shape (n, n_training_fields); of strangers 1 on average."""
        return self._distances(self.place(values))

    def apart(self, groups: np.ndarray) -> np.ndarray:
        """How far training fields are from the nearest one of another group, rising; of at most `ASKED` of them.

        Parameters
        ----------
        groups : ndarray of int, shape (n_training_fields,)
        """
        asked = some_of(len(groups))
        own = groups[asked][:, None] == groups
        return np.sort(np.where(own, np.inf, self._distances(self.fields[asked])).min(1))

    def _distances(self, placed: np.ndarray) -> np.ndarray:
        usual = 2 * self.fields.var(0, dtype=np.float64).sum()  # mean squared distance of two training fields
        return cdist(placed, self.fields) / np.sqrt(usual or 1.0)


def fit_space(values: np.ndarray, columns: pd.DataFrame, directions: int = DIRECTIONS) -> Space:
    """Learn the space of the training fields.

    Parameters
    ----------
    values : ndarray of float32, shape (n_fields, n_columns)
        NaN where a value does not exist.
    columns : DataFrame
        compartment, family, channels, covariate; one row a column. Without any column of the protein all are compared.
    directions : int
        Kept at most.
    """
    of_protein = columns["channels"].str.split().map(lambda stains: "Protein" in stains) & ~columns["covariate"]
    chosen = np.flatnonzero(of_protein if of_protein.any() else np.ones(len(columns), bool))
    values = values[:, chosen]
    centre, spread = _centre_and_spread(values)
    _, block, sizes = np.unique(block_names(columns.iloc[chosen]), return_inverse=True, return_counts=True)
    alike = np.sqrt(sizes[block])[:, None].astype(np.float32)
    standard = _standardise(values, centre, spread)
    balanced = (standard - standard.mean(0)) / alike.T
    n = min(directions, *balanced.shape)
    _, strengths, axes = randomized_svd(balanced, n, n_iter=4, random_state=_SEED)
    kept = strengths > 1e-6 * max(strengths[0], 1e-30)
    axes = ((axes[kept] / np.sqrt(strengths[kept, None])).T / alike).astype(np.float32)
    return Space(chosen, centre, spread, axes, standard @ axes)


def some_of(n_fields: int) -> np.ndarray:
    """Fields that stand for all, at most `ASKED`, evenly spread: their numbers, rising."""
    return np.arange(0, n_fields, max(-(-n_fields // ASKED), 1))


def nearest(distances: np.ndarray, n: int) -> np.ndarray:
    """The n nearest training fields of each field, nearest first: int, shape (n_fields, n) or fewer."""
    return np.argsort(distances, axis=1, kind="stable")[:, :n]


def _centre_and_spread(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median, and half the distance between the 16th and 84th percentiles, of each column."""
    known = ~np.isnan(values).all(0)
    low, centre, high = np.zeros((3, values.shape[1]), np.float32)
    low[known], centre[known], high[known] = np.nanpercentile(values[:, known], (16, 50, 84), axis=0)
    spread = (high - low) / 2
    return centre, np.where(spread > 1e-6 * np.maximum(abs(centre), 1e-30), spread, np.inf).astype(np.float32)


def _standardise(values: np.ndarray, centre: np.ndarray, spread: np.ndarray) -> np.ndarray:
    limit = np.float32(LIMIT)
    return np.nan_to_num(np.clip((values - centre) / spread, -limit, limit), copy=False, nan=0.0)
