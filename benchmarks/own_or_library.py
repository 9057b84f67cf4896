"""Our average precision, F1, log loss and logistic fit beside scikit-learn's and SciPy's: CPU ms, largest difference.

    python -m benchmarks.own_or_library --labels TRAIN.CSV [--rows 400 31072]

Real labels, drawn scores. The metrics are called once for each organelle with a positive, with bootstrap weights and
rows sorted by score, as for the intervals; a fit calls each of them thousands of times.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit
from sklearn import metrics as library

from models.data.labels import read_labels
from models.evaluation import metrics
from models.second_level.logistic import fit_with_prior

PAIRS = {
    "average precision": (metrics.average_precision, library.average_precision_score),
    "F1": (metrics.f1, library.f1_score),
    "log loss": (metrics.log_loss, library.log_loss),
}


def scipys(inputs: np.ndarray, labels: np.ndarray, prior_mean: np.ndarray, l2: np.ndarray) -> np.ndarray:
    """What `fit_with_prior` does, by SciPy's trust-region Newton method."""

    def loss(b: np.ndarray) -> tuple[float, np.ndarray]:
        x, away = inputs @ b, b - prior_mean
        value = np.logaddexp(0, x).sum() - x[labels].sum() + 0.5 * l2 @ away**2
        return value, inputs.T @ (expit(x) - labels) + l2 * away

    def curvature(b: np.ndarray) -> np.ndarray:
        p = expit(inputs @ b)
        return (inputs * (p * (1 - p))[:, None]).T @ inputs + np.diag(l2)

    return minimize(loss, prior_mean, jac=True, hess=curvature, method="trust-exact", options={"gtol": 1e-6}).x


def compare(name: str, ours: Callable[[int], np.ndarray], theirs: Callable[[int], np.ndarray], columns: range) -> None:
    """Print a row: both times over all organelles, the least of three, and the largest difference."""
    times, results = [], []
    for work in (ours, theirs):
        runs = []
        for _ in range(3):
            start = time.process_time()
            found = [work(j) for j in columns]
            runs.append(time.process_time() - start)
        times.append(1000 * min(runs))
        results.append(np.array(found))
    print(f"| {name} | {times[0]:.1f} | {times[1]:.1f} | {abs(results[0] - results[1]).max():.0e} |", flush=True)


def compare_metrics(labels: np.ndarray, scores: np.ndarray, rng: np.random.Generator) -> None:
    """Print a row a metric."""
    columns, order = range(labels.shape[1]), np.argsort(-scores, axis=0, kind="stable")
    labels, p = (np.take_along_axis(values, order, axis=0) for values in (labels, expit(scores - 3)))
    weights = rng.multinomial(len(labels), np.full(len(labels), 1 / len(labels))).astype(np.float64)
    for name, (ours, theirs) in PAIRS.items():
        values = p > 0.3 if name == "F1" else p
        mine, other = ((), {}) if name == "log loss" else ((weights,), {"sample_weight": weights})
        compare(
            name,
            lambda j, f=ours, v=values, w=mine: f(labels[:, j], v[:, j], *w),
            lambda j, f=theirs, v=values, w=other: f(labels[:, j], v[:, j], **w),
            columns,
        )


def compare_fits(labels: np.ndarray, scores: np.ndarray, rng: np.random.Generator) -> None:
    """Print the row of the logistic fit: two scores and an intercept for each organelle."""
    inputs = np.stack([scores, scores + rng.normal(size=scores.shape), np.ones_like(scores)], axis=2)
    prior_mean, l2 = np.array([0.5, 0.5, -3.0]), np.array([30.0, 30.0, 1e-3])
    ours, theirs = (
        lambda j, f=f: f(inputs[:, j], labels[:, j], prior_mean, l2) for f in (fit_with_prior, scipys)
    )  # fmt: skip
    compare("logistic fit", ours, theirs, range(labels.shape[1]))


def main() -> None:
    """Print a table for each number of rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=Path, required=True, help="Kaggle's train.csv")
    parser.add_argument("--rows", type=int, nargs="+", default=[400, 31072])
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    every = read_labels(given.labels).matrix
    for n in given.rows:
        labels = every[:n, every[:n].any(0)]
        scores = rng.normal(size=labels.shape) + 2 * labels
        print(f"\n{len(labels)} fields, {labels.shape[1]} organelles\n")
        print("| | ours, ms | library's, ms | difference |\n|---|--:|--:|--:|")
        compare_metrics(labels, scores, rng)
        compare_fits(labels, scores, rng)


if __name__ == "__main__":
    main()
