"""Which features tell organelles apart: each family alone, each left out, and peers' features, same booster and folds.

    python -m benchmarks.which_features_tell RUN DATA [--peers] [--folds 5] [--rounds 100] [--each FILE.csv]

RUN is a run folder with extracted features, DATA its data folder (train.csv, and groups.csv where there is one). Every
set of features goes through the same pools, the same grouped folds and the same LightGBM with unit weights; printed is
the macro average precision on the held-out folds. `--peers` measures cp_measure (cell and nucleus masks) and mahotas
(Haralick) on our masks first, which takes seconds a field, and keeps their cells beside the run. `--each` also writes
every organelle's average precision.
"""

import argparse
import warnings
from collections.abc import Iterator
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

from features.extraction.pooling import pool
from features.reading.field_reading import read_field
from features.reading.fields import find_fields
from features.segmentation.segment import segment
from models.data.trainability import trainable
from models.data.training_set import read_training_set
from models.evaluation.metrics import average_precision, each, macro
from models.first_level.defaults import default_parameters
from models.first_level.members import member
from models.folds import make_folds
from store.channels import CHANNELS
from store.classes import ORGANELLES
from store.run_folder import RunFolder


def out_of_fold(values: np.ndarray, labels: np.ndarray, fold: np.ndarray, rounds: int) -> np.ndarray:
    """Scores of fields by boosters that have not seen their fold, shape (n_fields, n_organelles)."""
    kind = member("lightgbm")
    scores, asked = np.empty(labels.shape), default_parameters("lightgbm", 1, values.shape[1]) | {"rounds": rounds}
    for k in np.unique(fold):
        prepared = kind.prepare(np.ascontiguousarray(values[fold != k]), asked, "cpu")
        for j in range(labels.shape[1]):
            mine = labels[fold != k, j]
            model = kind.train(prepared, mine, np.ones(len(mine), np.float32), asked, seed=j)
            scores[fold == k, j] = kind.score(model, values[fold == k])
    return scores


def family_sets(columns: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    """Names of feature sets and the columns in each: all, each pool, each family alone, all without each family."""
    yield "all", np.ones(len(columns), bool)
    yield "all but acquisition covariates", ~columns["covariate"].to_numpy()
    for name in sorted(set(columns["pool"]) - {""}):
        yield f"pool {name} alone", (columns["pool"] == name).to_numpy()
    for family in sorted(set(columns["family"])):
        yield f"{family} alone", (columns["family"] == family).to_numpy()
    for family in sorted(set(columns["family"])):
        yield f"without {family}", (columns["family"] != family).to_numpy()


def cp_measure_cells(pixels: np.ndarray, cells: np.ndarray, nuclei: np.ndarray) -> np.ndarray:
    """cp_measure's values of each cell on the cell mask, then on the nucleus mask."""
    from cp_measure import set_accelerator
    from cp_measure.featurizer import featurize, make_featurizer_config

    set_accelerator("numba")
    names = [channel.name for channel in CHANNELS]
    config = make_featurizer_config(names, objects=["object"], correlation_costes_params={"scale_max": 255})
    parts = [featurize(pixels[None] / 255.0, mask[None, None], config)[0] for mask in (cells, nuclei)]
    return np.concatenate([np.asarray(part, np.float32).reshape(int(cells.max()), -1) for part in parts], axis=1)


def mahotas_cells(pixels: np.ndarray, cells: np.ndarray, nuclei: np.ndarray) -> np.ndarray:
    """mahotas' Haralick features of each cell: 64 levels, distances 1, 2 and 4, mean and range over directions."""
    from mahotas.features import haralick
    from scipy.ndimage import find_objects

    rows = []
    for label, window in enumerate(find_objects(cells), 1):
        mine = cells[window] == label
        row = []
        for plane in pixels:
            top = max(int(plane[window][mine].max()), 1)
            levels = np.where(mine, 1 + plane[window].astype(int) * 63 // top, 0)
            for distance in (1, 2, 4):
                try:
                    four = haralick(levels, ignore_zeros=True, distance=distance)
                except ValueError:  # a cell too small to have a pair at this distance in every direction
                    four = np.full((4, 13), np.nan)
                row += [four.mean(0), np.ptp(four, axis=0)]
        rows.append(np.concatenate(row))
    return np.array(rows, np.float32)


PEERS = {"cp_measure, two masks": cp_measure_cells, "mahotas Haralick": mahotas_cells}


def peer_field(source, field: str, peer: str) -> np.ndarray:
    """One field's cells as a peer measures them."""
    warnings.simplefilter("ignore")
    pixels = read_field(source, field)
    found = segment(pixels, field)
    return PEERS[peer](pixels, found.cells, found.nuclei)


def peer_matrix(data: Path, kept: Path, peer: str, ids: tuple[str, ...], workers: int) -> np.ndarray:
    """A peer's features pooled to the fields; measured once and kept."""
    path = kept / f"{peer.split()[0].strip(',')}.npz"
    if not path.is_file():
        source = find_fields(data / "train")
        parts = joblib.Parallel(n_jobs=workers)(joblib.delayed(peer_field)(source.part([i]), i, peer) for i in ids)
        index = np.repeat(np.arange(len(ids)), [len(part) for part in parts])
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, values=np.concatenate(parts), index=index)
    stored = np.load(path)
    values = np.where(np.isfinite(stored["values"]), stored["values"], np.nan)
    return pool(values, stored["index"], len(ids))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--each", type=Path)
    given = parser.parse_args()
    training = read_training_set(given.data, RunFolder(given.run), None, covariates=True)
    fold = make_folds(training.labels, training.groups, given.folds, 0).fold
    able = trainable(training.labels, training.groups, fold)
    labels = training.labels[:, able]
    matrix = training.matrix
    sets = [(name, matrix.values[:, keep]) for name, keep in family_sets(matrix.columns)]
    for peer in PEERS if given.peers else ():
        sets.append((peer, peer_matrix(given.data, given.run / "peers", peer, matrix.ids, given.workers)))
    print(f"{len(labels)} fields, {len(np.unique(training.groups))} groups, {able.sum()} organelles, "
          f"chance {labels.mean():.3f}, {given.folds} grouped folds\n")  # fmt: skip
    print("| features | columns | macro average precision |\n|---|--:|--:|")
    scored = joblib.Parallel(n_jobs=given.workers, return_as="generator")(
        joblib.delayed(out_of_fold)(values, labels, fold, given.rounds) for _, values in sets
    )
    of_organelle = {}
    for (name, values), scores in zip(sets, scored, strict=True):
        of_organelle[name] = each(average_precision, labels, scores)
        print(f"| {name} | {values.shape[1]} | {macro(of_organelle[name]):.3f} |", flush=True)
    if given.each:
        names = [organelle for organelle, used in zip(ORGANELLES, able, strict=True) if used]
        pd.DataFrame(of_organelle, index=names).T.to_csv(given.each, float_format="%.3f", index_label="features")


if __name__ == "__main__":
    main()
