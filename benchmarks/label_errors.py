"""How many planted label errors are found? Ours beside cleanlab, with the same probabilities out of fold.

    python -m benchmarks.label_errors RUN DATA [--share 0.05] [--folds 3] [--rounds 60] [--workers 2]

RUN is a run folder with extracted features of fields whose labels are right (simulated ones), DATA its data folder.
For every organelle a share of the labels is taken away and as many are given to fields without it, at random; the
whole fit is then done on these labels, and its probabilities, from models that have not seen the field, go to all
methods. Printed: how many labels each doubts, how many of them were planted (precision), how many of the planted were
found (recall), the average precision of its order over all labels of the organelles that could be learnt, and how many
of the first were planted, looking at as many as there are planted ones.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores

from models.data.training_set import read_training_set
from models.evaluation.metrics import average_precision
from models.fit import fit
from models.settings import FitSettings
from models.trust.label_errors import find_label_errors
from store.run_folder import RunFolder

FILTERS = ("confident_learning", "prune_by_noise_rate", "both")


def plant(labels: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Labels with errors: of each organelle a share is taken away, and as many are given to others, at least one."""
    wrong = labels.copy()
    for j in np.flatnonzero(labels.any(0)):
        n = max(1, round(share * int(labels[:, j].sum())))
        wrong[rng.choice(np.flatnonzero(labels[:, j]), n, replace=False), j] = False
        wrong[rng.choice(np.flatnonzero(~labels[:, j]), n, replace=False), j] = True
    return wrong


def ours(labels: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Our doubts and their order, bool and float, shape (n_fields, n_organelles)."""
    doubted, order = np.zeros(labels.shape, bool), np.zeros(labels.shape)
    for one in find_label_errors(labels, p, np.ones(labels.shape[1], bool)):
        doubted[one.row, one.organelle] = True
        order[one.row, one.organelle] = one.doubt
    return doubted, order


def cleanlabs(labels: np.ndarray, p: np.ndarray, how: str) -> tuple[np.ndarray, np.ndarray]:
    """The same by cleanlab, organelle by organelle."""
    doubted, order = np.zeros(labels.shape, bool), np.zeros(labels.shape)
    for j in range(labels.shape[1]):
        both = np.stack([1 - p[:, j], p[:, j]], axis=1).astype(np.float64)
        mine = labels[:, j].astype(int)
        doubted[:, j] = find_label_issues(mine, both, filter_by=how, n_jobs=1)
        order[:, j] = 1 - get_label_quality_scores(mine, both, method="self_confidence")
    return doubted, order


def main() -> None:
    """Plant, fit, ask all, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--share", type=float, default=0.05)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    training = read_training_set(given.data, RunFolder(given.run), None, covariates=True)
    matrix, labels = training.matrix, plant(training.labels, given.share, np.random.default_rng(0))
    settings = FitSettings(n_folds=given.folds, rounds=given.rounds, held_out=0, random_folds=0, n_resamples=1,
                           workers=given.workers)  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        fitted = fit(
            matrix.ids, matrix.values, matrix.columns, labels, training.groups, settings, Path(folder), quiet=False
        )
    able = fitted.trainable
    mine, p, planted = labels[:, able], fitted.probabilities[:, able], (labels != training.labels)[:, able]
    n = f"{len(mine)} fields, {able.sum()} organelles, {planted.sum()} of {planted.size} labels are wrong"
    print(f"{n} ({(planted & mine).sum()} given, {(planted & ~mine).sum()} taken away)\n")
    print(f"{'':34s}{'doubted':>8s}{'precision':>11s}{'recall':>8s}{'AP of the order':>17s}{'first right':>13s}")
    methods = {"ours": ours(mine, p)}
    methods |= {f"cleanlab, {how}": cleanlabs(mine, p, how) for how in FILTERS}
    for name, (doubted, order) in methods.items():
        right = (doubted & planted).sum()
        ap = average_precision(planted.ravel(), order.ravel().astype(np.float32))
        shares = f"{right / max(doubted.sum(), 1):11.3f}{right / planted.sum():8.3f}"
        first = planted.ravel()[np.argsort(-order.ravel(), kind="stable")[: planted.sum()]].mean()
        print(f"{name:34s}{doubted.sum():8d}{shares}{ap:17.3f}{first:13.3f}")


if __name__ == "__main__":
    main()
