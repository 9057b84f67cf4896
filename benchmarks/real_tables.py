"""Ours against plain boosters and a tuned logistic regression on real tables: ranking, F1, calibration, CPU time.

    python -m benchmarks.real_tables [--shared ../shared/data] [--runs DIR] [--only NAME ...] [--repeats 2] [--out CSV]
    python -m benchmarks.real_tables --ways ours --members lightgbm,linear lightgbm,linear-protein,kernel-protein

Tables: `benchmarks.real_table_data`; our features are extracted into --runs once. Each is divided into outer folds
(of whole groups). Every way is trained on all but one of them and scored on that one; ours makes its inner folds from
the training part alone. The difference from ours is paired: over the same outer folds. Its plain standard error treats
these as independent, though each shares most of its training rows with the others; the corrected one allows for that
(Nadeau and Bengio 2003). The second level is tested separately, on the scores of seven networks.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.real_table_data import Table, tables
from models.data.labels import read_labels
from models.evaluation.metrics import (
    best_f1,
    calibration_error,
    debiased_calibration_error,
    each,
    f1,
    log_loss,
    macro,
    macro_ap,
)
from models.fit import fit
from models.folds import make_folds
from models.second_level.second_level import fit_second_level
from models.second_level.standardisation import fit_standardisation
from models.settings import FitSettings

Way = Callable[[Table, np.ndarray, int], tuple[np.ndarray, np.ndarray]]
"""Fits the rows that are True, and gives probabilities and calls of the others."""


def ours(table: Table, seen: np.ndarray, seed: int, members: tuple[str, ...] = ()) -> tuple[np.ndarray, np.ndarray]:
    """The whole fit with its defaults, or with other members."""
    names = tuple(f"label {j}" for j in range(table.labels.shape[1]))
    settings = FitSettings(
        seed=seed, held_out=0.0, random_folds=0, n_resamples=1, organelles=names, per_field="any", members=members
    )
    ids = tuple(map(str, np.flatnonzero(seen)))
    with tempfile.TemporaryDirectory() as folder:
        parts = (table.values[seen], table.columns, table.labels[seen], table.groups[seen])
        fitted = fit(ids, *parts, settings, Path(folder), quiet=True)
        return fitted.predict(table.values[~seen])


def lightgbm_default(table: Table, seen: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """LGBMClassifier() one-vs-rest."""
    from lightgbm import LGBMClassifier

    return one_vs_rest(LGBMClassifier(n_jobs=1, verbosity=-1, random_state=seed), table, seen)


def xgboost_default(table: Table, seen: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """XGBClassifier() one-vs-rest."""
    from xgboost import XGBClassifier

    return one_vs_rest(XGBClassifier(n_jobs=1, random_state=seed), table, seen)


def logistic(table: Table, seen: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Logistic regression on standardised values; the penalty by three folds inside the training part."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = LogisticRegressionCV(
        Cs=[1e-4, 1e-3, 1e-2, 0.1, 1.0], cv=3, scoring="average_precision", max_iter=300, l1_ratios=(0,),
        use_legacy_attributes=False,
    )  # fmt: skip
    return one_vs_rest(make_pipeline(SimpleImputer(), StandardScaler(), model), table, seen)


def one_vs_rest(model, table: Table, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit one label after the other; calls at 0.5, as the libraries give them."""
    p = np.tile(table.labels[seen].mean(0), (int((~seen).sum()), 1))
    for j, labels in enumerate(table.labels[seen].T):
        if min(labels.sum(), (~labels).sum()) >= 3:
            p[:, j] = model.fit(table.values[seen], labels).predict_proba(table.values[~seen])[:, 1]
    return p, p > 0.5


WAYS: dict[str, Way] = {
    "ours": ours, "LightGBM's default": lightgbm_default, "XGBoost's default": xgboost_default,
    "logistic regression": logistic,
}  # fmt: skip


def measure(table: Table, way: Way, seen: np.ndarray, seed: int) -> dict[str, float]:
    """Scores on the rows that were not seen, over labels with a positive and a negative there."""
    start = sum(os.times()[:4])
    p, calls = way(table, seen, seed)
    cost = sum(os.times()[:4]) - start
    labels = table.labels[~seen]
    able = labels.any(0) & ~labels.all(0) & (table.labels[seen].sum(0) >= 3)
    labels, p, calls = labels[:, able], np.clip(p[:, able], 1e-6, 1 - 1e-6), calls[:, able]
    return {
        "AP": macro_ap(labels, p), "F1": macro(each(f1, labels, calls)), "best F1": macro(each(best_f1, labels, p)),
        "log loss": macro(each(log_loss, labels, p)), "ECE": macro(each(calibration_error, labels, p)), "CPU s": cost,
    }  # fmt: skip


def compare(table: Table, ways: dict[str, Way], n_folds: int, repeats: int) -> pd.DataFrame:
    """One row a way, repeat and outer fold."""
    rows = []
    for seed in range(repeats if table.fold is None else 1):
        fold = table.folds(n_folds, seed)
        for k in np.unique(fold):
            for name, way in ways.items():
                rows.append({"table": table.name, "way": name, "repeat": seed, "fold": int(k)})
                rows[-1] |= measure(table, way, fold != k, seed)
    return pd.DataFrame(rows)


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Means over outer folds, and the paired difference of AP from ours with its standard errors."""
    mean = rows.groupby(["table", "way"], sort=False).mean(numeric_only=True).drop(columns=["repeat", "fold"])
    paired = rows.pivot_table(index=["table", "repeat", "fold"], columns="way", values="AP")
    for table, way in mean.index:
        if "ours" in paired:
            less = (paired["ours"] - paired[way]).loc[table].to_numpy()
            mean.loc[(table, way), "ours more by"] = less.mean()
            mean.loc[(table, way), "standard error"] = less.std(ddof=1) / np.sqrt(len(less))
            n_folds = rows.loc[rows["table"] == table, "fold"].nunique()
            mean.loc[(table, way), "corrected"] = corrected_standard_error(less, n_folds)
    return mean


def corrected_standard_error(differences: np.ndarray, n_folds: int) -> float:
    """Standard error of a mean over the outer folds of repeated cross-validation (Nadeau and Bengio 2003).

    The variance is multiplied by 1 / (number of differences) + (rows tested) / (rows trained on). The second term does
    not shrink with more repeats, because all of them divide the same rows.
    """
    return float(differences.std(ddof=1) * np.sqrt(1 / len(differences) + 1 / (n_folds - 1)))


def second_level(path: Path, draws: int) -> dict[str, float]:
    """Stack, calibration and thresholds on the scores of seven networks: fitted on one half, scored on the other."""
    scores, known = np.load(path / "network_scores.npz"), read_labels(path / "train.csv")
    labels = known.matrix[pd.Index(known.ids).get_indexer(pd.Index(scores["ids"].astype(str)))]
    p = np.clip(scores["scores"].astype(np.float64), 1e-6, 1 - 1e-6)
    members, found = np.log(p / (1 - p)), []
    for seed in range(draws):
        half = make_folds(labels, np.arange(len(labels)), 2, seed).fold
        for k in (0, 1):
            seen, able = half != k, labels[half != k].sum(0) >= 5
            able &= labels[half == k].any(0)
            fold = make_folds(labels[seen], np.arange(int(seen.sum())), 5, seed).fold
            level = fit_standardisation(members[seen][:, able], np.zeros(int(seen.sum()), int), 1)
            inputs = [level.apply(members[mine][:, able], 0) for mine in (seen, ~seen)]
            fitted = fit_second_level(inputs[0], labels[seen][:, able], fold)
            probabilities, truth = fitted.probabilities(inputs[1]), labels[~seen][:, able]
            calls = probabilities >= fitted.thresholds.threshold
            found.append([
                macro_ap(truth, probabilities), macro(each(f1, truth, calls)),
                macro(each(calibration_error, truth, probabilities)), calibration_floor(probabilities, seed),
                macro(each(debiased_calibration_error, truth, probabilities)),
                calibration_error(truth.ravel(), probabilities.ravel()),
            ])  # fmt: skip
    names = (
        "AP", "F1", "ECE", "ECE of perfect probabilities", "ECE corrected for chance", "ECE of all organelles together",
    )  # fmt: skip
    return dict(zip(names, np.mean(found, axis=0).tolist(), strict=True))


def calibration_floor(probabilities: np.ndarray, seed: int) -> float:
    """The calibration error that remains if labels are drawn from these very probabilities; the mean of 30 draws."""
    rng = np.random.default_rng(seed)
    draws = [rng.random(probabilities.shape) < probabilities for _ in range(30)]
    return float(np.mean([macro(each(calibration_error, labels, probabilities)) for labels in draws]))


def main() -> None:
    """Print the second level, then a row for each table and way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, default=Path("../shared/data"))
    parser.add_argument("--runs", type=Path, default=Path("runs/real_tables"))
    parser.add_argument("--only", nargs="*", help="Names of tables.")
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--members", nargs="*", default=[], help="Also ours with these members, e.g. lightgbm,linear.")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--out", type=Path, help="Write one row a way, repeat and fold to this file.")
    given = parser.parse_args()
    print("second level:", {k: round(v, 4) for k, v in second_level(given.shared / "tables", 3).items()}, flush=True)
    ways = {name: WAYS[name] for name in given.ways}
    ways |= {names: partial(ours, members=tuple(names.split(","))) for names in given.members}
    found = []
    for table in tables(given.shared, given.runs):
        if given.only and not any(name in table.name for name in given.only):
            continue
        start = time.perf_counter()
        found.append(compare(table, ways, given.folds, given.repeats))
        n, columns = table.values.shape
        print(f"\n{table.name}: {n} x {columns}, {time.perf_counter() - start:.0f} s", flush=True)
        print(summary(found[-1]).round(4).to_string(), flush=True)
        if given.out:
            pd.concat(found).to_csv(given.out, index=False)


if __name__ == "__main__":
    main()
