"""The precision-recall curve and the reliability curve of one organelle."""

from dataclasses import dataclass

import numpy as np

MOST_POINTS = 80
MOST_BINS, LEAST_BINS, FIELDS_A_BIN = 10, 3, 25
_LIMITS = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True)
class Reliability:
    """Observed frequency against predicted probability.

    Attributes
    ----------
    predicted, observed : ndarray of float64, shape (n_bins,)
        Mean probability and share of positives of bins of equally many fields.
    limit : float
        Where both axes end, so that the curve of a rare organelle fills the plot.
    """

    predicted: np.ndarray
    observed: np.ndarray
    limit: float


def precision_recall(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Recall and precision at the thresholds between the fields, from the highest probability on; ties count together.

    Parameters
    ----------
    labels : ndarray of bool, shape (n,)
        At least one is true.
    probabilities : ndarray of float, shape (n,)

    Returns
    -------
    recall, precision : ndarray of float64
        At most `MOST_POINTS` of the thresholds, evenly spaced in recall; the first and last are kept.
    """
    order = np.argsort(-probabilities, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(probabilities[order]) != 0, True))
    hits = np.cumsum(labels[order])[ends]
    recall, precision = hits / labels.sum(), hits / (ends + 1)
    if len(ends) > MOST_POINTS:
        keep = np.unique(np.searchsorted(recall, np.linspace(0, 1, MOST_POINTS - 1)))
        keep = np.union1d(keep[keep < len(ends)], [len(ends) - 1])
        recall, precision = recall[keep], precision[keep]
    return recall, precision


def reliability(labels: np.ndarray, probabilities: np.ndarray) -> Reliability:
    """Compare predicted probabilities with observed frequencies, in bins of equally many fields (Nixon et al. 2019).

    Few fields get few bins, because bins of a few fields scatter by chance.

    Parameters
    ----------
    labels : ndarray of bool, shape (n,)
    probabilities : ndarray of float, shape (n,)
    """
    order = np.argsort(probabilities, kind="stable")
    n_bins = min(max(len(order) // FIELDS_A_BIN, LEAST_BINS), MOST_BINS, len(order))
    bins = np.array_split(order, n_bins)
    predicted = np.array([probabilities[part].mean() for part in bins], np.float64)
    observed = np.array([labels[part].mean() for part in bins], np.float64)
    highest = max(predicted.max(), observed.max())
    return Reliability(predicted, observed, next(limit for limit in _LIMITS if limit >= min(highest, 1.0)))


def polyline(x: np.ndarray, y: np.ndarray) -> str:
    """Points of an SVG polyline in a square of 100 x 100, y upwards."""
    return " ".join(f"{100 * a:.1f},{100 * (1 - b):.1f}" for a, b in zip(x, y, strict=True))
