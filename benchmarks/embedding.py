"""What the embedding adds: members on classical columns, on the embedding and on both, same folds, paired repeats.

    python -m benchmarks.embedding RUN DATA [--repeats 10] [--folds 5] [--train N] [--members linear] [--random-weights]
        [--shuffle] [--whole]

RUN is a run folder extracted with the embedding, DATA its data folder. Printed is the macro average precision of
out-of-fold scores, its mean and sd over repeats (other folds each time), and the difference to the same kind on
classical columns, with its sd over bootstrap samples of the fields. `--train N` trains on about N fields and tests on
all others, once a repeat, instead of on folds. `--whole` compares whole fits, with stack and calibration, instead of
members; their folds are fitted without the fields that are scored, as in the leaderboard.

Two controls: `--random-weights` replaces the embedding by that of a network whose weights are permuted within each
layer; `--shuffle` gives the fields the labels of others.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

from features.core.device import open_device
from features.embedding.embedding import pool_fields
from features.embedding.field_maps import pixel_weights, protein_and_nuclei, relative_levels
from features.embedding.lite0 import make_blocks
from features.embedding.pretrained import open_blocks
from features.embedding.weights import find_weights, read_weights
from features.extraction.batches import ReadField, cells_in, read_pixels
from features.extraction.settings import ExtractSettings
from features.reading.source import FieldSource
from models.data.trainability import trainable
from models.data.training_set import TrainingSet, read_training_set
from models.design import column_sets
from models.evaluation.metrics import macro_ap
from models.first_level.class_weights import row_weights
from models.first_level.defaults import default_parameters
from models.first_level.fold_model import Rows
from models.first_level.members import COLUMN_SETS, column_sets_of, kind_of, member
from models.fit import fit
from models.folds import make_folds
from models.settings import FitSettings
from report.galleries import find_pictured
from store.channels import PROTEIN
from store.run_folder import RunFolder

KINDS = ("linear", "lightgbm", "xgboost")
SETS = ("protein+landmarks", "protein", "embedding", "protein+embedding", "protein+landmarks+embedding")
WHOLE = ("whole fit without the embedding", "whole fit with the embedding")
RESAMPLES = 300
Split = tuple[np.ndarray, np.ndarray]
"""Rows to train on, and rows to test on."""

TOGETHER = {
    "without: both boosters and linear-protein": ("lightgbm-protein", "xgboost-protein+landmarks", "linear-protein"),
    "with: the same boosters and both linear members": (
        "lightgbm-protein", "xgboost-protein+landmarks", "linear-protein+embedding", "linear-embedding",
    ),
}  # fmt: skip


def scores_of(
    name: str, values: np.ndarray, sets: np.ndarray, labels: np.ndarray, splits: list[Split]
) -> np.ndarray:  # fmt: skip
    """Scores of one member on the rows that are tested, standardised by organelle: float64, shape (n, n_organelles)."""
    columns = np.flatnonzero(np.isin(sets, [COLUMN_SETS.index(one) for one in column_sets_of(name)]))
    kind, parameters = member(name), default_parameters(kind_of(name), *values.shape)
    balanced = sets[columns] if len(column_sets_of(name)) > 1 else None
    scores = np.full(labels.shape, np.nan)
    for seen, unseen in splits:
        prepared = kind.prepare(Rows(values, seen, columns, balanced), parameters, "cpu")
        for j in range(labels.shape[1]):
            mine = labels[seen, j]
            weights = row_weights(mine, parameters.get("weight_exponent", 0.0))
            model = kind.train(prepared, mine, weights, parameters, j)
            scores[unseen, j] = kind.score(model, values[np.ix_(unseen, columns)])
    return (scores - np.nanmean(scores, axis=0)) / np.nanstd(scores, axis=0)


def folds_of(labels: np.ndarray, groups: np.ndarray, n_folds: int, repeat: int) -> tuple[list[Split], np.ndarray]:
    """Splits by folds of whole groups, and which organelles can be trained in them."""
    fold = make_folds(labels, groups, n_folds, repeat).fold
    splits = [(np.flatnonzero(fold != k), np.flatnonzero(fold == k)) for k in np.unique(fold)]
    return splits, trainable(labels, groups, fold)


def few_of(labels: np.ndarray, groups: np.ndarray, n: int, repeat: int) -> tuple[list[Split], np.ndarray]:
    """One split that trains on about n rows in whole groups; organelles need two positives on either side."""
    order = np.random.default_rng(repeat).permutation(np.unique(groups))
    sizes = np.cumsum([np.count_nonzero(groups == group) for group in order])
    seen = np.isin(groups, order[: np.searchsorted(sizes, n) + 1])
    enough = (labels[seen].sum(0) >= 2) & (labels[~seen].sum(0) >= 2)
    return [(np.flatnonzero(seen), np.flatnonzero(~seen))], enough


def whole_fits(
    training: TrainingSet, values: np.ndarray, sets: np.ndarray, labels: np.ndarray, repeat: int, split: Split | None,
    n_folds: int,
) -> tuple[dict[str, np.ndarray], np.ndarray]:  # fmt: skip
    """Probabilities by whole fits with and without the embedding: cross-fitted, or of the rows that are tested.

    Also which organelles the fits learnt; the probabilities are of these.
    """
    seen = np.arange(len(values)) if split is None else split[0]
    names = tuple(f"organelle {j}" for j in range(labels.shape[1]))
    settings = FitSettings(
        n_folds=n_folds, seed=repeat, held_out=0.0, random_folds=0, n_resamples=1, organelles=names, per_field="any"
    )
    found, learnt = {}, np.empty(0, bool)
    for name, columns in zip(WHOLE, (sets != COLUMN_SETS.index("embedding"), np.full(len(sets), True)), strict=True):
        with tempfile.TemporaryDirectory() as folder:
            ids = tuple(training.matrix.ids[row] for row in seen)
            fitted = fit(
                ids, values[np.ix_(seen, columns)], training.matrix.columns[columns], labels[seen],
                training.groups[seen], settings, Path(folder), quiet=True,
            )  # fmt: skip
            scores = np.full(labels.shape, np.nan)
            if split is None:
                scores[seen] = fitted.probabilities
            else:
                scores[split[1]] = fitted.predict(values[np.ix_(split[1], columns)])[0]
            learnt = fitted.trainable  # the same for both
        found[name] = scores[:, learnt]
    return found, learnt


def random_embedding(source: FieldSource, ids: list[str]) -> np.ndarray:
    """The embedding of each field by a network with permuted weights, pooled by mass: float32, (n_fields, n_values)."""
    rng, device, settings = np.random.default_rng(0), open_device("cpu"), ExtractSettings(None, "cpu")
    path = find_weights()
    if path is None:
        raise SystemExit("the pretrained network is not installed")
    weights = {
        name: rng.permuted(one.ravel()).reshape(one.shape) if one.ndim == 4 else one
        for name, one in read_weights(path).items()
    }
    maps, fields = open_blocks(make_blocks(weights), device), []
    for field_id in ids:
        read = read_pixels(source, field_id, settings)
        if not isinstance(read, ReadField):
            raise SystemExit(f"field {field_id} can no longer be read")
        cells = cells_in([read], device)
        level = relative_levels(cells.pixels[:, PROTEIN.index], device)
        of_pixels = pixel_weights(level, np)
        vectors = pool_fields(cells, of_pixels, protein_and_nuclei(cells, level), maps)
        mass = np.bincount(cells.cell_labels.ravel(), of_pixels.ravel())[1:]
        fields.append(mass @ vectors / mass.sum())
    return np.array(fields, np.float32)


def bootstrap_sd(labels: np.ndarray, mine: np.ndarray, base: np.ndarray, rng: np.random.Generator) -> float:
    """Standard deviation of the difference of two macro APs over samples of the rows."""
    tested = np.flatnonzero(np.isfinite(mine).all(axis=1))
    differences = []
    for _ in range(RESAMPLES):
        rows = rng.choice(tested, len(tested))
        differences.append(macro_ap(labels[rows], mine[rows]) - macro_ap(labels[rows], base[rows]))
    return float(np.std(differences))


def main() -> None:
    """Print the table after each repeat's figures are known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--train", type=int, metavar="N")
    parser.add_argument("--members", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--random-weights", action="store_true")
    parser.add_argument("--shuffle", action="store_true")
    parser.add_argument("--whole", action="store_true")
    given = parser.parse_args()
    training = read_training_set(given.data, RunFolder(given.run), None, covariates=True)
    values, sets = np.array(training.matrix.values, np.float32), column_sets(training.matrix.columns)
    if given.random_weights:
        source = find_pictured(RunFolder(given.run), given.data, None)["train"]
        values[:, sets == COLUMN_SETS.index("embedding")] = random_embedding(source, list(training.matrix.ids))
    members = WHOLE if given.whole else tuple(f"{kind}-{of}" for kind in given.members for of in SETS)
    together = {name: ones for name, ones in TOGETHER.items() if set(ones) <= set(members)}
    found: dict[str, list[float]] = {name: [] for name in (*members, *together)}
    spread: dict[str, list[float]] = {name: [] for name in found}
    for repeat in range(given.repeats):
        rng, labels = np.random.default_rng(repeat), training.labels
        if given.shuffle:
            labels = labels[rng.permutation(len(labels))]
        split = few_of if given.train else folds_of
        splits, enough = split(labels, training.groups, given.train or given.folds, repeat)
        labels = labels[:, enough]
        if given.whole:
            one = splits[0] if given.train else None
            scores, learnt = whole_fits(training, values, sets, labels, repeat, one, given.folds)
            labels = labels[:, learnt]
        else:
            scores = {name: scores_of(name, values, sets, labels, splits) for name in members}
        scores |= {name: np.sum([scores[one] for one in ones], axis=0) for name, ones in together.items()}
        tested = np.concatenate([unseen for _, unseen in splits])
        for name, mine in scores.items():
            found[name].append(macro_ap(labels[tested], mine[tested]))
            spread[name].append(bootstrap_sd(labels, mine, scores[_base(name, together)], rng))
        print(f"repeat {repeat}: {labels.shape[1]} organelles, chance {labels.mean():.3f}", flush=True)
    print("| columns | macro AP | sd | against classical | sd over fields | better in |\n|---|--:|--:|--:|--:|--:|")
    for name, precisions in found.items():
        gain = np.array(precisions) - found[_base(name, together)]
        print(
            f"| {name} | {np.mean(precisions):.3f} | {np.std(precisions):.3f} | {gain.mean():+.3f} | "
            f"{np.mean(spread[name]):.3f} | {(gain > 0).sum()} of {len(gain)} |"
        )


def _base(name: str, together: dict[str, tuple[str, ...]]) -> str:
    """What a member, several or a whole fit are compared with: the same without the embedding."""
    if name in WHOLE:
        return WHOLE[0]
    return next(iter(together)) if name in together else f"{kind_of(name)}-protein+landmarks"


if __name__ == "__main__":
    main()
