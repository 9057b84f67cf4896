"""What the embedding adds: members on classical columns, on the embedding and on both, same folds, paired repeats.

    python -m benchmarks.embedding RUN DATA [--repeats 10] [--folds 5] [--shuffle]

RUN is a run folder extracted with the embedding, DATA its data folder. Printed is the macro average precision of
out-of-fold scores, its mean and sd over repeats (other folds each time), and the difference to the same kind on
classical columns. `--shuffle` gives each group of fields the labels of another, as a control.
"""

import argparse
from pathlib import Path

import numpy as np

from models.data.trainability import trainable
from models.data.training_set import read_training_set
from models.evaluation.metrics import macro_ap
from models.first_level.class_weights import row_weights
from models.first_level.defaults import default_parameters
from models.first_level.fold_model import Rows
from models.first_level.members import COLUMN_SETS, column_sets_of, kind_of, member
from models.fit import column_sets
from models.folds import make_folds
from store.run_folder import RunFolder

MEMBERS = tuple(
    f"{kind}-{sets}"
    for kind in ("linear", "lightgbm", "xgboost")
    for sets in ("protein+landmarks", "protein", "embedding", "protein+embedding", "protein+landmarks+embedding")
)
TOGETHER = {
    "without: both boosters and linear-protein": (
        "lightgbm-protein+landmarks", "xgboost-protein+landmarks", "linear-protein",
    ),
    "with: boosters apart and linear-protein+embedding": (
        "lightgbm-protein+landmarks", "lightgbm-embedding", "xgboost-protein+landmarks", "xgboost-embedding",
        "linear-protein+embedding",
    ),
}  # fmt: skip


def scores_of(name: str, values: np.ndarray, sets: np.ndarray, labels: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Out-of-fold scores of one member, standardised by organelle: float64, shape (n, n_organelles)."""
    columns = np.flatnonzero(np.isin(sets, [COLUMN_SETS.index(one) for one in column_sets_of(name)]))
    kind, parameters = member(name), default_parameters(kind_of(name), *values.shape)
    balanced = sets[columns] if len(column_sets_of(name)) > 1 else None
    scores = np.empty(labels.shape)
    for k in np.unique(fold):
        seen, unseen = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
        prepared = kind.prepare(Rows(values, seen, columns, balanced), parameters, "cpu")
        for j in range(labels.shape[1]):
            mine = labels[seen, j]
            weights = row_weights(mine, parameters.get("weight_exponent", 0.0))
            model = kind.train(prepared, mine, weights, parameters, j)
            scores[unseen, j] = kind.score(model, values[np.ix_(unseen, columns)])
    return (scores - scores.mean(0)) / scores.std(0)


def main() -> None:
    """Print the table after each repeat's figures are known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--shuffle", action="store_true")
    given = parser.parse_args()
    training = read_training_set(given.data, RunFolder(given.run), None, covariates=True)
    values, sets = np.ascontiguousarray(training.matrix.values, np.float32), column_sets(training.matrix.columns)
    found: dict[str, list[float]] = {name: [] for name in (*MEMBERS, *TOGETHER)}
    for repeat in range(given.repeats):
        labels = training.labels
        if given.shuffle:
            labels = labels[np.random.default_rng(repeat).permutation(len(labels))]
        fold = make_folds(labels, training.groups, given.folds, repeat).fold
        labels = labels[:, trainable(labels, training.groups, fold)]
        scores = {name: scores_of(name, values, sets, labels, fold) for name in MEMBERS}
        scores |= {name: sum(scores[one] for one in ones) for name, ones in TOGETHER.items()}
        for name, mine in scores.items():
            found[name].append(macro_ap(labels, mine))
        print(f"repeat {repeat}: {labels.shape[1]} organelles, chance {labels.mean():.3f}", flush=True)
    print("| columns | macro AP | sd | against classical | better in |\n|---|--:|--:|--:|--:|")
    for name, precisions in found.items():
        base = f"{kind_of(name)}-protein+landmarks" if name in MEMBERS else next(iter(TOGETHER))
        gain = np.array(precisions) - found[base]
        better = f"{(gain > 0).sum()} of {len(gain)}"
        print(f"| {name} | {np.mean(precisions):.3f} | {np.std(precisions):.3f} | {gain.mean():+.3f} | {better} |")


if __name__ == "__main__":
    main()
