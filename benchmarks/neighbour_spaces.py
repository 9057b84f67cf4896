"""In which space do a field's nearest fields of other groups carry its labels? Macro average precision of votes.

    python -m benchmarks.neighbour_spaces RUN DATA --k 5

Each training field of a run is given the labels of its k nearest fields of other groups, weighted by 1 / rank. The
spaces are those that `models.trust.neighbours` could use: columns standardised robustly, all or the protein's;
with each family, stains and compartment counting the same or not; all of it or the strongest directions (PCA), which
are left as they are (exponent^1), evened by half (exponent^0.5) or made equally strong (exponent^0, whitened).
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from models.data.training_set import read_training_set
from models.evaluation.metrics import average_precision, macro
from models.explanation.feature_groups import block_names
from models.trust.neighbours import LIMIT, nearest
from store.run_folder import RunFolder


def plain(values: np.ndarray, columns: pd.DataFrame) -> np.ndarray:
    """Standardised values, all columns alike."""
    return _standard(values)


def by_block(values: np.ndarray, columns: pd.DataFrame) -> np.ndarray:
    """The same, each family, stains and compartment (a block) counting as one column."""
    _, block, sizes = np.unique(block_names(columns), return_inverse=True, return_counts=True)
    return _standard(values) / np.sqrt(sizes[block])


def directions(standard: np.ndarray, n: int, power: float) -> np.ndarray:
    """The n strongest directions of standardised values, each scaled to a power of its exponent."""
    u, exponents, _ = np.linalg.svd(standard - standard.mean(0), full_matrices=False)
    return u[:, :n] * exponents[:n] ** power


def distances(placed: np.ndarray) -> np.ndarray:
    """Between all fields: shape (n, n)."""
    placed = placed.astype(np.float64)
    squares = (placed**2).sum(1)
    return np.sqrt(np.maximum(squares[:, None] + squares - 2 * placed @ placed.T, 0))


def vote(distances: np.ndarray, labels: np.ndarray, groups: np.ndarray, k: int) -> float:
    """Macro average precision of the neighbours' labels as scores, over organelles with two groups or more."""
    apart = np.where(groups[:, None] == groups, np.inf, distances)
    rank_weights = 1 / np.arange(1, k + 1)
    scores = np.einsum("nko,k->no", labels[nearest(apart, k)], rank_weights)
    told = [j for j in range(labels.shape[1]) if len(np.unique(groups[labels[:, j]])) > 1]
    return macro([average_precision(labels[:, j], scores[:, j]) for j in told])


def _standard(values: np.ndarray) -> np.ndarray:
    low, centre, high = np.nanpercentile(np.where(np.isnan(values).all(0), 0, values), (16, 50, 84), axis=0)
    spread = np.where(high > low, (high - low) / 2, np.inf)
    return np.nan_to_num(np.clip((values - centre) / spread, -LIMIT, LIMIT), nan=0.0)


def main() -> None:
    """Print the neighbours' average precision in each space and way of weighing columns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--k", type=int, default=5)
    given = parser.parse_args()
    folder = RunFolder(given.run)
    training = read_training_set(given.data, folder, None, covariates=True)
    matrix, labels, groups = training.matrix, training.labels, training.groups
    kept = ~matrix.columns["covariate"].to_numpy()
    protein = kept & matrix.columns["channels"].map(lambda channels: "Protein" in channels).to_numpy()
    for kind, chosen in (("all", kept), ("protein's", protein)):
        part = matrix.select(chosen)
        for name, standardise in (("plain", plain), ("blocks", by_block)):
            standard = standardise(part.values, part.columns)
            ways = {"": standard} | {
                f"{n} directions, exponent^{power:g}": directions(standard, n, power)
                for n in (32, 64) for power in (1.0, 0.5, 0.0)
            }  # fmt: skip
            for way, placed in ways.items():
                ap = vote(distances(placed), labels, groups, given.k)
                print(f"{kind:10s} {int(chosen.sum()):5d} columns  {name:7s} {way:28s} {ap:.3f}", flush=True)


if __name__ == "__main__":
    main()
