"""Which fields to label next: uncertain ones that are unlike each other, rare classes first.

A field counts by the root of the entropy of its probabilities, summed over the classes, each weighted by the root of
how rare it is in the labels so far. Fields are then taken one after the other: each time the one with the largest
product of that weight and its distance to the nearest field that is labelled or was taken already. So near-identical
uncertain fields are not all asked for. (Without the first root, probabilities learnt from few labels counted too much.)
Without a fit every field weighs the same, and the fields that differ most from the labelled ones come first.
docs/benchmarks.md, "What to label next", compares it with a random order.
"""

import numpy as np
from scipy.spatial.distance import cdist

CANDIDATES = 2000
"""Only this many of the heaviest fields are compared with each other."""

MOST_LABELLED = 4000  # labelled fields that distances are taken to; evenly spaced if there are more
_PIECE = 500


def most_useful(
    coordinates: np.ndarray, labelled: np.ndarray, open_to: np.ndarray, probabilities: np.ndarray | None,
    prior: np.ndarray, n: int,
) -> np.ndarray:  # fmt: skip
    """The most useful fields to label, most useful first.

    Parameters
    ----------
    coordinates : ndarray of float, shape (n_fields, n_directions)
        As in `models.trust.neighbours.Space`.
    labelled, open_to : ndarray of bool, shape (n_fields,)
        Fields with labels, and those that may be asked for.
    probabilities : ndarray of float, shape (n_fields, n_classes), or None
        NaN where a field's are not known: such a field weighs as the average of the others. NaN in a whole
        column for a class that was not fitted.
    prior : ndarray of float, shape (n_classes,)
        Share of each class in the labels so far.
    n : int
        How many, at most.

    Returns
    -------
    ndarray of int
        Rows.
    """
    rows = np.flatnonzero(open_to)
    if not len(rows):
        return rows
    weight = _weights(probabilities[rows] if probabilities is not None else None, prior, len(rows))
    heaviest = np.argsort(-weight, kind="stable")[: max(CANDIDATES, n)]
    rows, weight = rows[np.sort(heaviest)], weight[np.sort(heaviest)]
    placed = coordinates[rows].astype(np.float64)
    known = np.flatnonzero(labelled)[:: max(int(labelled.sum()) // MOST_LABELLED, 1)]
    centre = coordinates[known if len(known) else rows].mean(0, dtype=np.float64)
    distance = _to_nearest(placed, coordinates[known]) if len(known) else np.linalg.norm(placed - centre, axis=1)
    taken: list[int] = []
    for _ in range(min(n, len(rows))):
        score = weight * distance
        score[taken] = -1.0
        best = int(np.argmax(score))
        taken.append(best)
        distance = np.minimum(distance, np.linalg.norm(placed - placed[best], axis=1))
    return rows[taken]


def _weights(probabilities: np.ndarray | None, prior: np.ndarray, n: int) -> np.ndarray:
    """Root of the entropy of each field's probabilities, rare classes counting more; 1 without probabilities."""
    if probabilities is None:
        return np.ones(n)
    p = np.clip(probabilities.astype(np.float64), 1e-9, 1 - 1e-9)
    entropy = -(p * np.log2(p) + (1 - p) * np.log2(1 - p))
    known = ~np.isnan(p).all(1)
    summed = np.nansum(entropy / np.sqrt(np.maximum(prior, 1e-3)), axis=1)
    return np.sqrt(np.where(known, summed, summed[known].mean() if known.any() else 1.0))


def _to_nearest(placed: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Distance of each row to the nearest known one, some rows at a time."""
    parts = [cdist(placed[k : k + _PIECE], known).min(1) for k in range(0, len(placed), _PIECE)]
    return np.concatenate(parts)
