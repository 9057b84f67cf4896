"""How even our folds are, and how long they take, beside iterative-stratification (which knows no groups).

python benchmarks/folds.py TABLE.CSV [TABLE.CSV ...]
"""

import sys
import time
from pathlib import Path

import numpy as np
from iterstrat.ml_stratifiers import MultilabelStratifiedKFold

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from models.folds import make_folds
from models.labels import groups_from_ids, read_labels

N_FOLDS = 5


def unevenness(labels: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Largest relative distance of a fold's positives from even, per organelle."""
    even = labels.sum(0) / N_FOLDS
    counts = np.array([labels[fold == k].sum(0) for k in range(N_FOLDS)])
    return abs(counts - even).max(0) / np.maximum(even, 1e-9)


def n_split(groups: np.ndarray, fold: np.ndarray) -> int:
    """Groups that lie in more than one fold."""
    pairs = np.unique(np.column_stack([groups, fold]), axis=0)
    return int((np.bincount(pairs[:, 0]) > 1).sum())


def peer_folds(labels: np.ndarray) -> np.ndarray:
    """The peer's folds, of single fields."""
    fold = np.empty(len(labels), int)
    splitter = MultilabelStratifiedKFold(N_FOLDS, shuffle=True, random_state=0)
    for k, (_, test) in enumerate(splitter.split(labels, labels)):
        fold[test] = k
    return fold


def main() -> None:
    """Print one line a table and way."""
    for path in map(Path, sys.argv[1:]):
        labels = read_labels(path)
        groups = groups_from_ids(labels.ids).numbers
        make_folds(labels.matrix[:100], np.arange(100), N_FOLDS, seed=0)
        ways = {
            "ours": lambda m=labels.matrix, g=groups: make_folds(m, g, N_FOLDS, seed=0).fold,
            "iterative-stratification": lambda m=labels.matrix: peer_folds(m),
        }
        for name, way in ways.items():
            start = time.process_time()
            fold = way()
            seconds = time.process_time() - start
            off = 100 * unevenness(labels.matrix, fold)
            common = labels.matrix.sum(0) >= 150
            print(
                f"{path.name} {name}: {seconds:.2f} s, {n_split(groups, fold)} of {groups.max() + 1} groups split, "
                f"organelles with 150 fields: off by {off[common].mean():.1f} %, at most {off[common].max():.1f} %"
            )


if __name__ == "__main__":
    main()
