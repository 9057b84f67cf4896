"""What columns that do not look at the protein add: each family's added to the protein's, and left out of all.

    python -m benchmarks.landmark_columns RUN DATA [--members linear,lightgbm] [--repeats 8] [--folds 5]
                                          [--labels 16,17,18,19] [--by-stain] [--only-default]

RUN is a run folder made by `extract --all-columns`, DATA its data folder. Printed is the macro average precision of
out-of-fold scores, and for each family's columns, and for all that `extract` leaves out by default, the difference in
the same folds with the standard error over 200 bootstrap samples of whole groups. "linear" is the ridge regression of
the fit, solved over fields instead of columns: the same values, but the similarities of fields are added up from those
of the families, so that a set costs milliseconds.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from features import columns as default_columns
from features.extraction.field_level import field_columns
from models.data.trainability import trainable
from models.data.training_set import read_training_set
from models.evaluation.metrics import group_weights
from models.first_level.class_weights import row_weights
from models.first_level.defaults import default_parameters
from models.first_level.fold_model import Rows
from models.first_level.members import member
from models.first_level.standard import moments, standardised
from models.folds import make_folds
from store.channels import PROTEIN
from store.matrix import EMBEDDING
from store.run_folder import RunFolder

DRAWS = 200
Scores = Callable[[list[str], np.ndarray, np.ndarray], np.ndarray]
"""Out-of-fold scores from the blocks that are used, labels and folds."""


def block_of(columns: pd.DataFrame, by_stain: bool) -> np.ndarray:
    """The block of each column: "protein", or its family where it does not look at the protein, or a stain of it."""
    of_stains = [f" of {' and '.join(channels)}" if by_stain else "" for channels in columns["channels"]]
    names = columns["family"] + np.where(columns["channels"].map(len) > 0, of_stains, " of outlines")
    return np.where([PROTEIN.name in channels for channels in columns["channels"]], "protein", names)


def left_out_by_default(columns: pd.DataFrame) -> np.ndarray:
    """Whether `extract` leaves a column of a matrix out by default."""
    measured = {column.name for column in (*default_columns(), *field_columns())}
    return np.array(
        [name.removesuffix(f"_{pool}") not in measured for name, pool in zip(columns["name"], columns["pool"])]
    )


def linear(values: np.ndarray, block: np.ndarray) -> Scores:
    """The ridge regression of `models.first_level.linear`, in terms of the fields' similarities."""
    shrinkage, names = default_parameters("linear", *values.shape)["shrinkage"], np.unique(block)
    kept: dict[bytes, list[tuple[np.ndarray, dict[str, np.ndarray]]]] = {}

    def similarities(fold: np.ndarray) -> list[tuple[np.ndarray, dict[str, np.ndarray]]]:
        found = []
        for k in np.unique(fold):
            standard = standardised(values, *moments(values[fold != k])).astype(np.float64)
            parts = {name: standard[:, block == name] for name in names}
            found.append((fold != k, {name: part @ part.T for name, part in parts.items()}))
        return found

    def scores(used: list[str], labels: np.ndarray, fold: np.ndarray) -> np.ndarray:
        if fold.tobytes() not in kept:
            kept.clear()
            kept[fold.tobytes()] = similarities(fold)
        n_columns, out = int(np.isin(block, used).sum()), np.empty(labels.shape)
        for seen, parts in kept[fold.tobytes()]:
            alike, n = np.sum([parts[name] for name in used], axis=0), int(seen.sum())
            system = alike[np.ix_(seen, seen)] + np.eye(n) * n * shrinkage * max(1.0, n_columns / n)
            out[~seen] = alike[np.ix_(~seen, seen)] @ np.linalg.solve(system, labels[seen] - labels[seen].mean(0))
        return out

    return scores


def lightgbm(values: np.ndarray, block: np.ndarray) -> Scores:
    """The fit's LightGBM for a table of this shape."""
    kind, parameters = member("lightgbm"), default_parameters("lightgbm", *values.shape)

    def scores(used: list[str], labels: np.ndarray, fold: np.ndarray) -> np.ndarray:
        columns, out = np.flatnonzero(np.isin(block, used)), np.empty(labels.shape)
        for k in np.unique(fold):
            seen, unseen = np.flatnonzero(fold != k), np.flatnonzero(fold == k)
            prepared = kind.prepare(Rows(values, seen, columns, None), parameters, "cpu")
            for j, mine in enumerate(labels[seen].T):
                weights = row_weights(mine, parameters["weight_exponent"])
                model = kind.train(prepared, mine, weights, parameters, j)
                out[unseen, j] = kind.score(model, values[np.ix_(unseen, columns)])
        return out

    return scores


MEMBERS = {"linear": linear, "lightgbm": lightgbm}


def macro_ap(labels: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Macro average precision under each row of weights, (n_draws,); labels without a positive do not count."""
    found = np.full((labels.shape[1], len(weights)), np.nan)
    for j in range(labels.shape[1]):
        order = np.argsort(-scores[:, j], kind="stable")
        mine, truth = weights[:, order], labels[order, j]
        hits, total = np.cumsum(mine * truth, axis=1), np.cumsum(mine, axis=1)
        precision = hits / np.maximum(total, 1e-12)
        with np.errstate(invalid="ignore"):
            found[j] = (precision * mine * truth).sum(axis=1) / hits[:, -1]
    return np.nanmean(found, axis=0)


def sets_of(block: np.ndarray, groups: dict[str, list[str]]) -> dict[str, list[str]]:
    """The sets of blocks that are compared, by name: the protein's, all, and those with and without each group."""
    every = np.unique(block).tolist()
    sets = {"protein": ["protein"], "all": every}
    sets |= {f"protein and {name}": ["protein", *blocks] for name, blocks in groups.items()}
    return sets | {f"all but {name}": [one for one in every if one not in blocks] for name, blocks in groups.items()}


def main() -> None:
    """Print one table a member."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--members", default="linear,lightgbm")
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--labels", default="", help="Numbers of labels, e.g. 16,17; default: all that are trainable.")
    parser.add_argument("--by-stain", action="store_true", help="A block for each stain of a family.")
    parser.add_argument("--only-default", action="store_true", help="Try no family alone.")
    given = parser.parse_args()
    training = read_training_set(given.data, RunFolder(given.run), None, covariates=True)
    classical = (training.matrix.columns["family"] != EMBEDDING).to_numpy()
    values = np.ascontiguousarray(training.matrix.values[:, classical], np.float32)
    columns = training.matrix.columns[classical].reset_index(drop=True)
    block = block_of(columns, given.by_stain)
    groups = {} if given.only_default else {name: [name] for name in np.unique(block).tolist() if name != "protein"}
    groups["left out by default"] = np.unique(block[left_out_by_default(columns)]).tolist()
    weights = group_weights(training.groups, DRAWS, np.random.default_rng(0))
    weights = np.concatenate([np.ones((1, len(values))), weights])
    for name in given.members.split(","):
        scores, sets = MEMBERS[name](values, block), sets_of(block, groups)
        found: dict[str, list[np.ndarray]] = {one: [] for one in sets}
        for repeat in range(given.repeats):
            fold = make_folds(training.labels, training.groups, given.folds, repeat).fold
            able = trainable(training.labels, training.groups, fold)
            if given.labels:
                able &= np.isin(np.arange(len(able)), [int(one) for one in given.labels.split(",")])
            labels = training.labels[:, able]
            for one, used in sets.items():
                found[one].append(macro_ap(labels, scores(used, labels, fold), weights))
        sizes = {one: int(np.isin(block, blocks).sum()) for one, blocks in groups.items()}
        print_table(name, {one: np.mean(mine, axis=0) for one, mine in found.items()}, sizes, int(able.sum()))


def print_table(member_name: str, found: dict[str, np.ndarray], sizes: dict[str, int], n_labels: int) -> None:
    """One line a group: what it adds to the protein's columns, and what all lose without it."""
    print(f"\n{member_name}, {n_labels} labels: protein {found['protein'][0]:.3f}, all {found['all'][0]:.3f}, "
          f"all more by {_difference(found['all'] - found['protein'])}\n")  # fmt: skip
    print("| columns without the protein | number | added to the protein's | left out of all |\n|---|--:|--:|--:|")
    for name, size in sizes.items():
        added, left_out = found[f"protein and {name}"] - found["protein"], found[f"all but {name}"] - found["all"]
        print(f"| {name} | {size} | {_difference(added)} | {_difference(left_out)} |", flush=True)


def _difference(draws: np.ndarray) -> str:
    """A difference and its standard error."""
    return f"{draws[0]:+.3f} ± {draws[1:].std(ddof=1):.3f}"


if __name__ == "__main__":
    main()
