"""What to label next: how many labels reach a score, in the order of `review` and in a random order.

    python -m benchmarks.label_next --data DATA --run RUN

The labels of an extracted data set are hidden and given out ten at a time, to a logistic model for each class on the
32 protein directions of `models.trust.neighbours`. Scores are of groups that are never labelled. Each repeat has
another third of the groups to score and another 15 fields to start from; both orders share them.
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression

from models.data.training_set import read_training_set
from models.evaluation.metrics import macro_ap
from models.trust.label_next import most_useful
from models.trust.neighbours import fit_space
from store.run_folder import RunFolder

START, STEP, REPEATS = 15, 10, 8
ORDERS = ("most useful", "random")


def learn(coordinates: np.ndarray, labels: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Probabilities of all fields by models of the labelled rows; classes with one value only get their share."""
    p = np.tile(labels[rows].mean(0), (len(coordinates), 1))
    for j in np.flatnonzero(labels[rows].any(0) & ~labels[rows].all(0)):
        model = LogisticRegression(C=1.0, max_iter=500).fit(coordinates[rows], labels[rows, j])
        p[:, j] = model.predict_proba(coordinates)[:, 1]
    return p


def one_repeat(coordinates: np.ndarray, labels: np.ndarray, groups: np.ndarray, seed: int) -> dict[str, list[float]]:
    """Macro average precision after each step, by order."""
    rng = np.random.default_rng(seed)
    names = rng.permutation(np.unique(groups))
    tested = np.isin(groups, names[: len(names) // 3])
    pool = np.flatnonzero(~tested)
    start = rng.choice(pool, min(START, len(pool)), replace=False)
    scores: dict[str, list[float]] = {}
    for order in ORDERS:
        labelled, found = np.zeros(len(groups), bool), []
        labelled[start] = True
        draw = np.random.default_rng(seed)
        while True:
            p = learn(coordinates, labels, np.flatnonzero(labelled))
            found.append(macro_ap(labels[tested], p[tested]))
            left = ~labelled & ~tested
            if not left.any():
                break
            n = min(STEP, int(left.sum()))
            if order == "random":
                new = draw.choice(np.flatnonzero(left), n, replace=False)
            else:
                prior = (labels[labelled].sum(0) + 0.5) / (labelled.sum() + 1)
                new = most_useful(coordinates, labelled, left, p, prior, n)
            labelled[new] = True
        scores[order] = found
    return scores


def main() -> None:
    """Print the scores of both orders after each number of labels."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--run", type=Path, required=True)
    given = parser.parse_args()
    training = read_training_set(given.data, RunFolder(given.run), None, covariates=True)
    coordinates = fit_space(training.matrix.values, training.matrix.columns).fields
    coordinates = coordinates / coordinates.std()
    found = [one_repeat(coordinates, training.labels, training.groups, seed) for seed in range(REPEATS)]
    steps = min(len(one[ORDERS[0]]) for one in found)
    useful, random = (np.array([one[order][:steps] for one in found]) for order in ORDERS)
    print(f"{len(training.labels)} fields, {len(np.unique(training.groups))} groups, {REPEATS} repeats")
    print("labels  most useful  random  difference (standard error)")
    for k in range(steps):
        apart = useful[:, k] - random[:, k]
        error = apart.std(ddof=1) / np.sqrt(REPEATS)
        means = f"{useful[:, k].mean():11.3f}  {random[:, k].mean():6.3f}"
        print(f"{START + k * STEP:6d}  {means}  {apart.mean():+.3f} ({error:.3f})")
    full = 0.9 * (useful[:, -1].mean() + random[:, -1].mean()) / 2
    for order, scores in (("most useful", useful), ("random", random)):
        reached = int(np.argmax(scores.mean(0) >= full))
        print(f"{order}: {START + reached * STEP} labels reach {full:.3f}, 90 % of the score of all labels")


if __name__ == "__main__":
    main()
