"""What the network adds: classical features, its vectors untrained and trained, and both, same probes and folds.

    python -m benchmarks.embedding RUN DATA [--also DIR] [--steps 200 600] [--held-out 200] [--folds 3] [--work DIR]

RUN is a run folder with extracted features, DATA its data folder, `--also` a further folder of images whose cells are
trained on but not scored. Each set of columns goes through the same grouped folds, into a linear probe (logistic
regression on standardised values, the best of three penalties for every set alike) and into LightGBM. `--held-out`
trains a network for each fold that has never seen its fields, to as many steps. Printed is the macro average precision
over organelles. At most 24 cells a field are looked at. What is trained is kept in `--work` and not trained again.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from commands.embed import MOST_CELLS, TrainingCells, cut_out, gather, group_numbers, train
from engine.files import digest
from features.embedding.contrastive import Training, TrainingSettings
from features.embedding.crop_shards import TrainingCropSettings
from features.embedding.network import EmbeddingNetwork, embed
from features.extraction.pooling import pool
from features.extraction.settings import ExtractSettings
from features.reading.fields import find_fields
from models.data.trainability import trainable
from models.data.training_set import read_training_set
from models.evaluation.metrics import macro_ap
from models.first_level.defaults import default_parameters
from models.first_level.members import member
from models.folds import make_folds
from store.run_folder import RunFolder

PENALTIES = (0.01, 0.1, 1.0)
Values = Callable[[int], np.ndarray]  # the columns for the fold of that number


def linear_scores(values: np.ndarray, labels: np.ndarray, test: np.ndarray, penalty: float) -> np.ndarray:
    """Logistic regressions learnt on all other fields, scores of the fields in `test`."""
    warnings.simplefilter("ignore", ConvergenceWarning)
    mean, spread = np.nanmean(values[~test], axis=0), np.nanstd(values[~test], axis=0)
    standard = np.nan_to_num(np.clip((values - mean) / np.where(spread > 0, spread, np.inf), -4, 4))
    lines = [
        LogisticRegression(C=penalty, max_iter=200, tol=1e-3).fit(standard[~test], mine[~test]) for mine in labels.T
    ]
    return np.column_stack([line.decision_function(standard[test]) for line in lines])


def tree_scores(values: np.ndarray, labels: np.ndarray, test: np.ndarray, rounds: int) -> np.ndarray:
    """The same of LightGBM with unit weights."""
    kind = member("lightgbm")
    asked = default_parameters("lightgbm", 1, values.shape[1]) | {"rounds": rounds}
    prepared = kind.prepare(np.ascontiguousarray(values[~test]), asked, "cpu")
    alike = np.ones(int((~test).sum()), np.float32)
    models = [kind.train(prepared, mine[~test], alike, asked, seed=j) for j, mine in enumerate(labels.T)]
    return np.column_stack([kind.score(model, values[test]) for model in models])


def tell(name: str, values: Values, labels: np.ndarray, fold: np.ndarray, rounds: int) -> None:
    """Print a line: macro average precision of the best linear probe and of LightGBM."""
    linear, trees = np.empty((len(PENALTIES), *labels.shape)), np.empty(labels.shape)
    for k in np.unique(fold):
        test, columns = fold == k, values(k)
        trees[test] = tree_scores(columns, labels, test, rounds)
        for scores, penalty in zip(linear, PENALTIES, strict=True):
            scores[test] = linear_scores(columns, labels, test, penalty)
    best = max(macro_ap(labels, scores) for scores in linear)
    print(f"| {name} | {columns.shape[1]} | {best:.3f} | {macro_ap(labels, trees):.3f} |", flush=True)


class Bench:
    """The crops, and the vectors of scored fields that networks make of them."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.work, self.settings, self.device = given.work, TrainingSettings(), torch.device("cpu")
        shown = TrainingCropSettings(ExtractSettings(False, None, "cpu"), self.settings.network.crop, MOST_CELLS)
        sources = {"train": find_fields(given.data / "train")}
        if given.also:
            sources["also"] = find_fields(given.also)
        self.crops = gather(cut_out(sources, shown, self.work, given.workers, quiet=False), shown)
        self.groups = group_numbers(self.crops, given.data, None)[0]

    def trained(self, name: str, crops: TrainingCells, groups: np.ndarray, steps: int) -> EmbeddingNetwork:
        """A network trained to so many steps; the time it took is printed."""
        begun, cpu = time.monotonic(), time.process_time()
        path = self.work / f"{name}.safetensors"
        training, loss = train(crops, groups, self.settings, path, self.device, steps, None, quiet=False)
        took = f"{time.process_time() - cpu:.0f} CPU s, {time.monotonic() - begun:.0f} s"
        print(f"{name}: to {steps} steps, loss {loss:.3f}, {took}", flush=True)
        return training.averaged

    def pooled(self, network: EmbeddingNetwork, ids: tuple[str, ...]) -> np.ndarray:
        """The mean and the top of each vector's numbers over the cells of each field."""
        row = {field: i for i, field in enumerate(ids)}
        wanted = np.array([row.get(field, -1) for field in self.crops.fields["Metadata_Id"]])
        index = wanted[self.crops.field]
        vectors = embed(network, self.crops.cells[index >= 0], self.device)
        return pool(vectors, index[index >= 0], len(ids), ["mean", "top"])

    def without_folds(self, ids: tuple[str, ...], fold: np.ndarray, steps: int) -> dict[int, np.ndarray]:
        """For each fold the vectors of a network that was trained without its fields."""
        in_fold = dict(zip(ids, fold, strict=True))
        of_field = np.array([in_fold.get(field, -1) for field in self.crops.fields["Metadata_Id"]])
        vectors = {}
        for k in np.unique(fold):
            keep = of_field != k
            network = self.trained(f"without-{k}", cells_of_fields(self.crops, keep), self.groups[keep], steps)
            vectors[k] = self.pooled(network, ids)
        return vectors


def cells_of_fields(crops: TrainingCells, keep: np.ndarray) -> TrainingCells:
    """The cells of the fields where `keep` (bool, one a field) is true."""
    mine = keep[crops.field]
    fields = crops.fields[keep].reset_index(drop=True)
    mark = digest([crops.stamp, list(fields["Metadata_Id"])])
    return TrainingCells(crops.cells[mine], (np.cumsum(keep) - 1)[crops.field[mine]], fields, mark)


def main() -> None:
    """Print the table, a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--also", type=Path)
    parser.add_argument("--work", type=Path, default=Path("runs/embedding-benchmark"))
    parser.add_argument("--steps", type=int, nargs="*", default=[200, 600])
    parser.add_argument("--held-out", type=int, default=0)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    bench = Bench(given)
    training = read_training_set(given.data, RunFolder(given.run), None, covariates=True)
    fold = make_folds(training.labels, training.groups, given.folds, 0).fold
    labels = training.labels[:, trainable(training.labels, training.groups, fold)]
    classical, ids = training.matrix.values, training.matrix.ids
    print(f"{len(labels)} fields, {len(np.unique(training.groups))} groups, {labels.shape[1]} organelles, "
          f"chance {labels.mean():.3f}, {given.folds} folds; {len(bench.crops.cells)} cells")  # fmt: skip

    def line(name: str, vectors: Values) -> None:
        tell(name, vectors, labels, fold, given.rounds)
        tell(f"{name}, and classical", lambda k: np.hstack([classical, vectors(k)]), labels, fold, given.rounds)

    print("| columns | number | linear probe | LightGBM |\n|---|--:|--:|--:|")
    tell("classical", lambda _: classical, labels, fold, given.rounds)
    untrained = bench.pooled(Training(bench.settings, bench.device).network, ids)
    tell("untrained", lambda _: untrained, labels, fold, given.rounds)
    for steps in given.steps:
        trained = bench.pooled(bench.trained("all", bench.crops, bench.groups, steps), ids)
        line(f"trained, {steps} steps", lambda _, trained=trained: trained)
    if given.held_out:
        without = bench.without_folds(ids, fold, given.held_out)
        line(f"trained without the fold's fields, {given.held_out} steps", lambda k: without[k])


if __name__ == "__main__":
    main()
