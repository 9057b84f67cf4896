"""The real tables of `benchmarks.real_tables`: values, labels and groups.

15 hand-made values of training fields, in folds that keep look-alike fields together and in random folds; three tables
that scikit-learn ships; the winning network's features of the mosaics; the mosaics and the 59 fields with our features.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from models.data.labels import read_labels
from models.folds import make_folds
from store.matrix import read_fields
from store.run_folder import RunFolder

FEWEST_POSITIVES = 6
"""Organelles with fewer positive fields are left out of the small tables."""


@dataclass(frozen=True)
class Table:
    """A real table.

    Attributes
    ----------
    name : str
    values : ndarray of float32, shape (n, n_columns)
    columns : DataFrame
        name, and for our features family and channels.
    labels : ndarray of bool, shape (n, n_labels)
    groups : ndarray of int, shape (n,)
    fold : ndarray of int, shape (n,), or None
        Outer folds that come with the table.
    """

    name: str
    values: np.ndarray
    columns: pd.DataFrame
    labels: np.ndarray
    groups: np.ndarray
    fold: np.ndarray | None = None

    def folds(self, n: int, seed: int) -> np.ndarray:
        """Outer folds; those that come with the table are the same for every seed."""
        return make_folds(self.labels, self.groups, n, seed).fold if self.fold is None else self.fold


def tables(shared: Path, runs: Path) -> Iterator[Table]:
    """All tables, the narrow ones first."""
    yield from handmade(shared / "tables")
    yield from shipped_by_sklearn()
    cells, sample = shared / "hpa-cells", shared / "hpa-sample"
    groups = pd.read_csv(cells / "groups.csv", index_col="Id")["Group"]
    network = np.load(cells / "winning_network.npz")
    ids, features = tuple(network["ids"].astype(str)), network["features"].astype(np.float32)
    yield few_labels("winning network's features", ids, features, plain_columns(features), cells, groups)
    yield our_features("mosaics", cells, runs, groups)
    yield our_features("59 fields", sample, runs, None)


def handmade(folder: Path) -> Iterator[Table]:
    """Fifteen values a field that a competition team made by hand."""
    table, known = pd.read_csv(folder / "handmade_2018.csv", index_col="Id"), read_labels(folder / "train.csv")
    table = table[table.index.isin(known.ids)]
    at = pd.Index(known.ids).get_indexer(table.index)
    fold = pd.read_csv(folder / "similar_folds.csv", index_col="Id")["Fold"].reindex(table.index).to_numpy()
    values, alone = table.to_numpy(np.float32), np.arange(len(table))
    parts = (values, plain_columns(values), known.matrix[at], alone)
    yield Table("hand-made, look-alikes together", *parts, fold.astype(int))
    yield Table("hand-made, random folds", *parts)


def shipped_by_sklearn() -> Iterator[Table]:
    """Classes as one label each."""
    from sklearn.datasets import load_breast_cancer, load_digits, load_wine

    for load in (load_digits, load_breast_cancer, load_wine):
        values, classes = load(return_X_y=True)
        labels = classes[:, None] == np.unique(classes)
        values = np.asarray(values, np.float32)
        yield Table(load.__name__.removeprefix("load_"), values, plain_columns(values), labels, np.arange(len(values)))


def our_features(name: str, data: Path, runs: Path, groups: pd.Series | None) -> Table:
    """A data set with the features of `extract`."""
    run = runs / data.name
    if not RunFolder(run).matrix("train").is_file():
        import pipeline

        pipeline.extract(pipeline.Job(run, data, "cpu", 0, quiet=True))
    matrix = read_fields(RunFolder(run), "train")
    return few_labels(name, matrix.ids, matrix.values, matrix.columns, data, groups)


def few_labels(
    name: str, ids: tuple[str, ...], values: np.ndarray, columns: pd.DataFrame, data: Path, groups: pd.Series | None
) -> Table:
    """A small table with the labels that have enough positives."""
    known = read_labels(data / "train.csv")
    labels = known.matrix[pd.Index(known.ids).get_indexer(pd.Index(ids))]
    labels = labels[:, labels.sum(0) >= FEWEST_POSITIVES]
    of = np.arange(len(ids)) if groups is None else pd.factorize(groups.reindex(list(ids)))[0]
    return Table(name, values, columns, labels, of)


def plain_columns(values: np.ndarray) -> pd.DataFrame:
    """Columns without a description."""
    return pd.DataFrame({"name": [f"column{j}" for j in range(values.shape[1])]})
