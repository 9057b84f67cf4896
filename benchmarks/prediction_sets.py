"""How many of the true organelles prediction sets hold, and how large they are, for groups that they were not made on.

    python -m benchmarks.prediction_sets RUN DATA [--coverage 0.8 0.9 0.95] [--draws 200] [--fits 3 --rounds 40]

RUN is a fitted run, DATA its data folder. First the out-of-fold probabilities are split by groups into halves, again
and again: the cut is chosen on one half and tried on the other. Then, `--fits` times, a third of the groups is taken
out, all is fitted anew on the rest, and the whole ensemble predicts the third: what `predict` does, held against the
labels.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from models.data.training_set import TrainingSet, read_training_set
from models.fit import fit
from models.saved_fit import load
from models.settings import FitSettings
from models.trust.conformal import fit_sets, group_loss
from store.run_folder import RunFolder

Judged = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Probabilities, labels, calls and groups."""


def halves(judged: Judged, draws: int, rng: np.random.Generator) -> Iterator[tuple[Judged, Judged]]:
    """Split by groups into halves, `draws` times."""
    numbers = np.unique(judged[3])
    for _ in range(draws):
        mine = np.isin(judged[3], rng.permutation(numbers)[: len(numbers) // 2])
        yield tuple(part[mine] for part in judged), tuple(part[~mine] for part in judged)


def fitted_anew(training: TrainingSet, rounds: int, share: float, rng: np.random.Generator) -> tuple[Judged, Judged]:
    """Fit without a share of the groups: out-of-fold results of the rest, the ensemble's results of that share."""
    numbers, matrix = np.unique(training.groups), training.matrix
    new = np.isin(training.groups, rng.permutation(numbers)[: round(share * len(numbers))])
    with tempfile.TemporaryDirectory() as folder:
        fitted = fit(
            matrix.rows(~new).ids, matrix.values[~new], matrix.columns, training.labels[~new], training.groups[~new],
            FitSettings(rounds=rounds, random_folds=0, n_resamples=2), Path(folder), quiet=True,
        )  # fmt: skip
        probabilities, calls = fitted.predict(matrix.values[new])
    seen = (fitted.probabilities, training.labels[~new], fitted.calls, training.groups[~new])
    return seen, (probabilities, training.labels[new], calls, training.groups[new])


def report(what: str, pairs: list[tuple[Judged, Judged]], coverages: list[float]) -> None:
    """Print coverage, size of the sets and coverage of the calls alone, each the mean over the pairs."""
    for coverage in coverages:
        rows = []
        for (p, labels, calls, groups), (new_p, new_labels, new_calls, new_groups) in pairs:
            sets = fit_sets(p, labels, calls, groups, coverage).of(new_p, new_calls)
            rows.append((
                1 - group_loss(sets, new_labels, new_groups), sets.sum(1).mean(),
                1 - group_loss(new_calls, new_labels, new_groups), new_calls.sum(1).mean(),
            ))  # fmt: skip
        covered, size, called, n_calls = np.mean(rows, axis=0)
        error = np.std([row[0] for row in rows]) / np.sqrt(len(rows))
        print(f"{what}: asked {coverage:.2f}, held {covered:.3f} +- {error:.3f} by {size:.2f} organelles a field; "
              f"calls alone {called:.3f} by {n_calls:.2f}", flush=True)  # fmt: skip


def main() -> None:
    """Print what the sets hold, for each coverage."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--coverage", type=float, nargs="+", default=[0.8, 0.9, 0.95])
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--fits", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=40)
    given = parser.parse_args()
    folder, rng = RunFolder(given.run), np.random.default_rng(0)
    training, fitted = read_training_set(given.data, folder, None, covariates=True), load(folder.root)
    whole = (fitted.probabilities, fitted.labels, fitted.calls, fitted.groups)
    report("halves of the out-of-fold groups", list(halves(whole, given.draws, rng)), given.coverage)
    if given.fits:
        pairs = [fitted_anew(training, given.rounds, 1 / 3, rng) for _ in range(given.fits)]
        report("fitted on two thirds of the groups", pairs, given.coverage)


if __name__ == "__main__":
    main()
