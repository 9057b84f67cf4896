"""Shapley values of groups of columns: what each group as a whole adds to a score, against fields without the label.

The players are the groups, not the columns. Sums of the columns' own Shapley values differ from these where columns
interact: a group whose three columns act only together with one column of another group gets three quarters of the
effect as a sum, but half as a player (Jullum, Redelmeier & Aas 2021, "groupShapley").

A coalition is known when its columns have the field's values and the others those of a background field
(interventional: Janzing, Minorics & Bloebaum 2020). Orders of the groups are drawn in pairs, one the reverse of the
other (Mitchell et al. 2022, "Sampling permutations for Shapley value estimation"); for two groups that is exact.
"""

from collections.abc import Callable

import numpy as np

PAIRS = 2
"""Pairs of orders where values are averaged over fields."""

Score = Callable[[np.ndarray], np.ndarray]
"""Values (n, n_columns) -> scores (n,)."""

_AT_ONCE = 2**22  # values that are scored in one call: 16 MB


def group_shapley(
    score: Score,
    values: np.ndarray,
    background: np.ndarray,
    members: np.ndarray,
    pairs: int,
    rng: np.random.Generator,
    alike: bool = False,
) -> np.ndarray:
    """Shapley value of each group for each field, against one background field for each pair of orders.

    Parameters
    ----------
    score : callable
    values : ndarray of float32, shape (n_fields, n_columns)
    background : ndarray of float32, shape (n_background, n_columns)
        At least one.
    members : ndarray of bool, shape (n_columns, n_groups)
        A column of several groups is known once all of them are; one of no group is always the field's.
    pairs : int
        Pairs of orders.
    rng : Generator
    alike : bool
        Compare all fields with the same background field, so that the values of one do not depend on the others.

    Returns
    -------
    ndarray of float64, shape (n_fields, n_groups)
        A row sums to the field's score less the mean score of its background fields (with the field's values in
        columns of no group).
    """
    n_groups = members.shape[1]
    total = np.zeros((len(values), n_groups))
    for _ in range(pairs):
        absent = background[rng.integers(len(background), size=1 if alike else len(values))]
        absent = np.broadcast_to(absent, values.shape)
        order = rng.permutation(n_groups)
        for one in (order, order[::-1]):
            total[:, one] += np.diff(_scores_as_known(score, values, absent, members[:, one]), axis=0).T
    return total / (2 * pairs)


def _scores_as_known(score: Score, values: np.ndarray, absent: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Scores while the groups become known one after the other: float64, shape (n_groups + 1, n_fields)."""
    n_groups = members.shape[1]
    last = np.where(members, np.arange(1, n_groups + 1), 0).max(1)  # a column is known from this step on
    known = last <= np.arange(n_groups + 1)[:, None, None]
    scores, together = np.empty((n_groups + 1, len(values))), max(_AT_ONCE // known.size, 1)
    for start in range(0, len(values), together):
        some = slice(start, start + together)
        rows = np.where(known, values[some], absent[some])
        scores[:, some] = score(rows.reshape(-1, values.shape[1])).reshape(rows.shape[:2])
    return scores
