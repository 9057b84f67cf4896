"""Metrics of one organelle's ranking, calls and probabilities; NaN where a metric is not defined.

Average precision, F1 and log loss are our own, because they are called thousands of times in a fit (to choose the
second level, for bootstrap intervals and permutation importance). Scikit-learn's take 20 to 150 times as long for 400
fields, mostly for input checks, and 2 to 17 times as long for 31,072 fields (docs/benchmarks.md, "What is our own where
a library has it"). The tests compare them with scikit-learn's.
"""

import numpy as np

BINS = 15


def average_precision(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Area under precision over recall as a step function; ties count together (scikit-learn's definition).

    Parameters
    ----------
    labels : ndarray of bool, shape (n,)
    scores : ndarray of float, shape (n,)
    weights : ndarray of float, shape (n,), optional

    Returns
    -------
    float
        NaN without a positive.
    """
    weight = np.ones(len(labels)) if weights is None else weights
    order = np.argsort(-scores)
    ends = np.append(np.diff(scores[order]) != 0, True)
    hits = np.cumsum((weight * labels)[order])[ends]
    total = np.cumsum(weight[order])[ends]
    if not len(hits) or hits[-1] <= 0:
        return float("nan")
    precision = np.divide(hits, total, out=np.zeros_like(hits), where=total > 0)
    return float(np.sum(np.diff(hits, prepend=0.0) * precision) / hits[-1])


def f1(labels: np.ndarray, calls: np.ndarray, weights: np.ndarray | None = None) -> float:
    """2 TP / (2 TP + FP + FN); NaN where there is neither a positive nor a call."""
    weight = np.ones(len(labels)) if weights is None else weights
    true_positives = float(np.sum(weight * (labels & calls)))
    either = float(np.sum(weight * labels) + np.sum(weight * calls))
    return 2 * true_positives / either if either > 0 else float("nan")


def brier(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean squared difference between probability and label; NaN without rows."""
    from sklearn.metrics import brier_score_loss  # takes half a second, not needed by workers

    return float(brier_score_loss(labels, probabilities, labels=[False, True])) if len(labels) else float("nan")


def log_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean negative log of the probability of the true label, clipped at 1e-7; NaN without rows."""
    p = np.clip(np.asarray(probabilities, np.float64), 1e-7, 1 - 1e-7)
    return float(np.mean(-np.where(labels, np.log(p), np.log1p(-p)))) if len(p) else float("nan")


def calibration_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Expected calibration error over 15 bins of equal mass; NaN without rows.

    Sum over bins of (share of rows) x |mean probability - share of positives|. Bins are cut at equal numbers of rows
    after sorting by probability, because for a rare organelle almost all rows would fall into the first of 15 equally
    wide bins (Nixon et al. 2019, "Measuring Calibration in Deep Learning": adaptive calibration error).
    """
    if not len(labels):
        return float("nan")
    order = np.argsort(probabilities, kind="stable")
    cuts = np.linspace(0, len(order), min(BINS, len(order)) + 1).astype(int)[:-1]
    gap = np.add.reduceat((probabilities - labels)[order], cuts)
    return float(np.abs(gap).sum() / len(labels))


def debiased_calibration_error(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Root mean squared calibration error over 15 bins of equal mass, corrected for chance.

    The plain error of perfect probabilities is not 0, because a bin's share of positives is itself uncertain. Here each
    bin's squared gap is lessened by the variance of that share (Kumar, Liang, Ma 2019, "Verified Uncertainty
    Calibration", section 4; equal mass as in Roelofs et al. 2022, "Mitigating Bias in Calibration Error Estimation").
    0 if chance explains the whole error; NaN with fewer than two rows a bin.
    """
    if len(labels) < 2 * BINS:
        return float("nan")
    order = np.argsort(probabilities, kind="stable")
    cuts = np.linspace(0, len(order), BINS + 1).astype(int)
    size = np.diff(cuts)
    share = np.add.reduceat(labels[order].astype(np.float64), cuts[:-1]) / size
    gap = np.add.reduceat(np.asarray(probabilities, np.float64)[order], cuts[:-1]) / size - share
    squared = size / len(order) @ (gap**2 - share * (1 - share) / (size - 1))
    return float(np.sqrt(max(squared, 0.0)))


def best_f1(labels: np.ndarray, scores: np.ndarray) -> float:
    """Highest F1 of any threshold on these rows (an oracle's); NaN without a positive."""
    order = np.argsort(-scores)
    ends = np.append(np.diff(scores[order]) != 0, True)
    hits = np.cumsum(labels[order])[ends]
    n_positive = labels.sum()
    return float((2 * hits / (np.flatnonzero(ends) + 1 + n_positive)).max()) if n_positive else float("nan")


def macro(values: np.ndarray) -> float:
    """Mean over the organelles where the score is defined; NaN where it is for none."""
    known = np.asarray(values, np.float64)
    known = known[~np.isnan(known)]
    return float(known.mean()) if len(known) else float("nan")


def each(score, labels: np.ndarray, values: np.ndarray) -> np.ndarray:
    """A score of every organelle: float64, shape (n_organelles,)."""
    return np.array([score(labels[:, j], values[:, j]) for j in range(labels.shape[1])])


def macro_ap(labels: np.ndarray, scores: np.ndarray) -> float:
    """Mean average precision over the organelles that have a positive."""
    return macro(each(average_precision, labels, scores))


def group_weights(groups: np.ndarray, n_resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Row counts of bootstrap samples that draw whole groups with replacement.

    Returns
    -------
    ndarray of float64, shape (n_resamples, n_rows)
    """
    codes = np.unique(groups, return_inverse=True)[1]
    n = int(codes.max()) + 1 if len(codes) else 0
    return rng.multinomial(n, np.full(n, 1 / n), n_resamples)[:, codes].astype(np.float64) if n else np.empty((0, 0))


def interval(score, labels: np.ndarray, values: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """A 95 % percentile interval of one organelle's score over bootstrap weights; NaN where it is never defined."""
    scores = np.array([score(labels, values, row) for row in weights])
    scores = scores[~np.isnan(scores)]
    if not len(scores):
        return float("nan"), float("nan")
    low, high = np.quantile(scores, [0.025, 0.975])
    return float(low), float(high)
