"""Ours against what users do today, on the real label table: seconds, memory, macro AP, macro F1, calibration error.

    python -m benchmarks.fit --labels TRAIN.CSV [--rows 31072] [--columns 1500] [--rounds N] [--workers 2]

The values are synthetic (see synthetic.py), the groups are like antibodies. A fifth of the groups is held out from all
ways; all scores are on it. The peers are fitted once, on as many fields as one of our folds sees; a fit of ours is one
organelle in one fold with one member.

The calibration error of perfect probabilities on few fields is not 0. So beside it stands its floor: the mean over
labels drawn from the probabilities themselves (consistency resampling: Broecker and Smith 2007), and how many
organelles exceed 95 % of such draws; and the error without what chance adds (Kumar, Liang, Ma 2019).
"""

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.process_cost import Cost, measure
from benchmarks.synthetic import antibody_groups, synthetic_matrix
from models.data.labels import read_labels
from models.evaluation.metrics import best_f1, calibration_error, debiased_calibration_error, each, f1, macro, macro_ap
from models.first_level.fold_model import FoldModel, load_models, member_scores
from models.fit import fit
from models.fitted import Fitted
from models.folds import split_off
from models.saved_fit import load
from models.settings import FitSettings
from store.classes import ORGANELLES

PEERS = ("OneVsRest LightGBM", "OneVsRest XGBoost", "plain LightGBM", "plain XGBoost")
DRAWS = 200


@dataclass(frozen=True)
class Task:
    """One size of the problem; arrays lie in the folder.

    Attributes
    ----------
    folder : Path
    rounds : int or None
    workers : int
    """

    folder: Path
    rounds: int | None
    workers: int

    def array(self, name: str) -> np.ndarray:
        """values, labels, groups or held (bool, the fields held out)."""
        return np.load(self.folder / f"{name}.npy", mmap_mode="r")


def write_task(labels: np.ndarray, n_columns: int, rounds: int | None, workers: int, folder: Path) -> Task:
    """Make the arrays of a task."""
    rng = np.random.default_rng(20181)
    groups = antibody_groups(labels, rng)
    arrays = {"labels": labels, "groups": groups, "values": synthetic_matrix(labels, groups, n_columns, rng)}
    arrays["held"] = split_off(labels, groups, 0.2, seed=1)
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return Task(folder, rounds, workers)


def run_ours(task: Task) -> int:
    """The whole fit without the held-out part; gives the number of models."""
    seen = ~task.array("held")
    values = task.array("values")[seen]
    columns = pd.DataFrame({"name": [f"column{j}" for j in range(values.shape[1])]})
    settings = FitSettings(rounds=task.rounds, workers=task.workers, held_out=0.0, random_folds=0)
    labels, groups = task.array("labels")[seen], task.array("groups")[seen]
    ids = tuple(map(str, range(len(values))))
    fitted = fit(ids, values, columns, labels, groups, settings, task.folder / "fit", quiet=False)
    return int(fitted.trainable.sum()) * settings.n_folds * len(fitted.settings.members)


def run_peer(task: Task, name: str) -> np.ndarray:
    """Fit a peer on a fold's worth of fields; gives probabilities of the held-out part, shape (n, 28)."""
    from lightgbm import LGBMClassifier
    from sklearn.multiclass import OneVsRestClassifier
    from xgboost import XGBClassifier

    held, labels = task.array("held"), task.array("labels")
    seen = np.flatnonzero(~held)
    seen = np.sort(np.random.default_rng(0).permutation(seen)[: len(seen) * 4 // 5])
    values, truth = task.array("values")[seen], labels[seen]
    if "LightGBM" in name:
        booster = LGBMClassifier(n_estimators=task.rounds or 100, n_jobs=1, verbosity=-1)
    else:
        booster = XGBClassifier(n_estimators=task.rounds or 100, n_jobs=1)
    if name.startswith("OneVsRest"):
        peer = OneVsRestClassifier(booster, n_jobs=task.workers).fit(values, truth)
        return peer.predict_proba(np.asarray(task.array("values")[held]))
    probabilities = np.zeros((int(held.sum()), labels.shape[1]))
    for j in np.flatnonzero(truth.any(0)):
        weight = (~truth[:, j]).sum() / truth[:, j].sum()
        model = booster.set_params(scale_pos_weight=weight).fit(values, truth[:, j])
        probabilities[:, j] = model.predict_proba(np.asarray(task.array("values")[held]))[:, 1]
    return probabilities


def score_row(
    name: str, labels: np.ndarray, p: np.ndarray, calls: np.ndarray, able: np.ndarray
) -> dict[str, float | str]:
    """Scores of the held-out part over the organelles that we hold trainable."""
    labels, p, calls = labels[:, able], p[:, able], calls[:, able]
    ece = calibration_table(labels, p, np.flatnonzero(able))
    worst = ece.loc[ece["ECE"].idxmax()]
    return {
        "way": name,
        "macro AP": macro_ap(labels, p),
        "macro F1": macro(each(f1, labels, calls)),
        "oracle F1": macro(each(best_f1, labels, p)),
        "mean ECE": ece["ECE"].mean(),
        "floor": ece["floor"].mean(),
        "worst ECE": worst["ECE"],
        "its floor": worst["floor"],
        "beyond chance": int((ece["ECE"] > ece["95 %"]).sum()),
        "debiased": ece["debiased"].mean(),
    }


def calibration_table(labels: np.ndarray, p: np.ndarray, organelles: np.ndarray) -> pd.DataFrame:
    """One row an organelle: calibration error, what perfect probabilities would have, and the error without that."""
    rng = np.random.default_rng(7)
    rows = []
    for mine, q, j in zip(labels.T, p.T, organelles, strict=True):
        perfect = [calibration_error(rng.random(len(q)) < q, q) for _ in range(DRAWS)]
        rows.append({
            "organelle": ORGANELLES[j], "positives": int(mine.sum()), "ECE": calibration_error(mine, q),
            "floor": np.mean(perfect), "95 %": np.quantile(perfect, 0.95),
            "debiased": debiased_calibration_error(mine, q),
        })  # fmt: skip
    return pd.DataFrame(rows)


def our_rows(task: Task, fitted: Fitted, cost: Cost, n_fits: int) -> list[dict[str, float | str]]:
    """The whole second level, and the boosters of one fold alone."""
    held = task.array("held")
    values, labels = np.asarray(task.array("values")[held]), task.array("labels")[held]
    p, calls = fitted.predict(values)
    rows = [score_row("ours", labels, p, calls, fitted.trainable) | cost_columns(cost, n_fits)]
    for name in fitted.settings.members:
        alone, able = np.zeros(labels.shape, np.float32), np.flatnonzero(fitted.trainable)
        fold_models = [FoldModel(fitted.folder.models, int(j), name, 0, fitted.classes.names) for j in able]
        alone[:, able] = np.stack(member_scores(load_models(fold_models, values.shape[1]), values), axis=1)
        rows.append(
            {
                "way": f"ours: {name} of one fold",
                "macro AP": macro_ap(labels[:, fitted.trainable], alone[:, fitted.trainable]),
            }
        )
    return rows


def cost_columns(cost: Cost, n_fits: int) -> dict[str, float]:
    """Seconds and memory, and processor seconds a fit."""
    return {
        "seconds": cost.seconds,
        "CPU s": cost.processor_seconds,
        "fits": n_fits,
        "CPU s/fit": cost.processor_seconds / n_fits,
        "peak GB": cost.peak_gb,
    }


def main() -> None:
    """Run all ways and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=Path, required=True, help="Kaggle's train.csv")
    parser.add_argument("--rows", type=int, default=31072)
    parser.add_argument("--columns", type=int, default=1500)
    parser.add_argument("--rounds", type=int, help="Default: ours by the table's shape, 100 for the peers.")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--peers", nargs="*", default=PEERS, choices=PEERS)
    options = parser.parse_args()
    labels = read_labels(options.labels).matrix
    labels = labels[np.random.default_rng(0).permutation(len(labels))[: options.rows]]
    with tempfile.TemporaryDirectory() as name:
        task = write_task(labels, options.columns, options.rounds, options.workers, Path(name))
        n_fits, cost = measure(run_ours, task)
        fitted = load(task.folder / "fit")
        rows = our_rows(task, fitted, cost, n_fits)
        truth = task.array("labels")[task.array("held")]
        for peer in options.peers:
            p, cost = measure(run_peer, task, peer)
            rows.append(score_row(peer, truth, p, p >= 0.5, fitted.trainable) | cost_columns(cost, labels.shape[1]))
        held = task.array("held")
        able = fitted.trainable
        p, _ = fitted.predict(np.asarray(task.array("values")[held]))
        print(calibration_table(truth[:, able], p[:, able], np.flatnonzero(able)).to_string(index=False))
        print(fitted.leaderboard.of("step")[["name", "ap", "f1", "ece"]].to_string(index=False))
        print(pd.DataFrame(rows).to_string(index=False, float_format=lambda value: f"{value:.3f}"))


if __name__ == "__main__":
    main()
