"""Two fits of the same fields compared: scores before and after, on the same labels, with paired intervals."""

from dataclasses import dataclass

import numpy as np

from models.evaluation.metrics import average_precision, f1, group_weights

_RESAMPLES = 200


@dataclass(frozen=True)
class Change:
    """A score before and after, each with its 95 % interval, and the interval of the difference.

    Attributes
    ----------
    before, after, difference : tuple of float
        Value, low, high; NaN where it is not defined.
    """

    before: tuple[float, float, float]
    after: tuple[float, float, float]
    difference: tuple[float, float, float]


def compare(
    labels: np.ndarray, before: np.ndarray, after: np.ndarray, groups: np.ndarray, score: str, seed: int = 0
) -> Change:
    """Compare macro scores over the classes that have a positive.

    Whole groups are drawn with replacement, the same ones for both, so that the difference is paired.

    Parameters
    ----------
    labels : ndarray of bool, shape (n_fields, n_classes)
        The labels that both are scored on.
    before, after : ndarray, shape (n_fields, n_classes)
        Held-out probabilities for "ap", calls for "f1".
    groups : ndarray of int, shape (n_fields,)
    score : str
        "ap" (average precision) or "f1".
    """
    function = {"ap": average_precision, "f1": f1}[score]
    some = np.flatnonzero(labels.any(0))

    def macro(values: np.ndarray, weights: np.ndarray | None) -> float:
        each = np.array([function(labels[:, j], values[:, j], weights) for j in some])
        return float(np.nanmean(each)) if len(each) and not np.isnan(each).all() else float("nan")

    weights = group_weights(groups, _RESAMPLES, np.random.default_rng(seed)) if len(labels) else []
    drawn = np.array([(macro(before, row), macro(after, row)) for row in weights]).reshape(-1, 2)
    whole = macro(before, None), macro(after, None)
    columns = ((whole[0], drawn[:, 0]), (whole[1], drawn[:, 1]), (whole[1] - whole[0], drawn[:, 1] - drawn[:, 0]))
    return Change(*((value, *_interval(spread)) for value, spread in columns))


def _interval(values: np.ndarray) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    if not len(known):
        return float("nan"), float("nan")
    low, high = np.quantile(known, (0.025, 0.975))
    return float(low), float(high)
