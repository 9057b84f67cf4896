"""Each organelle's own columns against all columns: CPU time and macro AP of one member alone, out of fold.

    python -m benchmarks.screening --labels TRAIN.CSV [--rows 5000] [--columns 1000] [--keep 0 100 200 400]

Real labels, antibody-like groups, synthetic values (see synthetic.py). 0 keeps all columns. Rare organelles are those
with fewer than 100 positive fields. On a table of your own: `fit --settings` with `columns = 0` for the member.
"""

import argparse
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.synthetic import antibody_groups, synthetic_matrix
from models.data.labels import read_labels
from models.evaluation.metrics import macro_ap
from models.fit import fit
from models.settings import FitSettings

RARE = 100


@dataclass(frozen=True)
class Table:
    """Values (n, n_columns), labels (n, 28) and groups (n,) of a synthetic table."""

    values: np.ndarray
    labels: np.ndarray
    groups: np.ndarray


def make_table(labels: np.ndarray, n_columns: int, seed: int) -> Table:
    """Synthetic values for real labels."""
    rng = np.random.default_rng(seed)
    groups = antibody_groups(labels, rng)
    return Table(synthetic_matrix(labels, groups, n_columns, rng), labels, groups)


def measure(table: Table, member: str, keep: int) -> dict[str, float | str]:
    """One row: a fit of one member in three grouped folds."""
    settings = FitSettings(
        n_folds=3,
        held_out=0.0,
        random_folds=0,
        n_resamples=2,
        members=(member,),
        parameters={member: {"columns": keep}},
    )
    columns = pd.DataFrame({"name": [f"column{j}" for j in range(table.values.shape[1])]})
    ids = tuple(map(str, range(len(table.values))))
    start = sum(os.times()[:4])
    with tempfile.TemporaryDirectory() as folder:
        fitted = fit(ids, table.values, columns, table.labels, table.groups, settings, Path(folder), quiet=True)
        scores, able = fitted.members[:, :, 0], fitted.trainable
    rare = able & (table.labels.sum(0) < RARE)
    return {
        "member": member, "columns kept": keep or "all", "CPU s": sum(os.times()[:4]) - start,
        "macro AP": macro_ap(table.labels[:, able], scores[:, able]),
        "AP of rare organelles": macro_ap(table.labels[:, rare], scores[:, rare]),
    }  # fmt: skip


def main() -> None:
    """Print one row a member and number of columns."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=Path, required=True, help="Kaggle's train.csv")
    parser.add_argument("--rows", type=int, default=5000)
    parser.add_argument("--columns", type=int, default=1000)
    parser.add_argument("--keep", type=int, nargs="+", default=[0, 100, 200, 400])
    parser.add_argument("--members", nargs="+", default=["lightgbm", "xgboost"], choices=["lightgbm", "xgboost"])
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    table = make_table(read_labels(given.labels).matrix[: given.rows], given.columns, given.seed)
    rows = [measure(table, member, keep) for member in given.members for keep in given.keep]
    print(pd.DataFrame(rows).to_string(index=False, float_format=lambda value: f"{value:.3f}"))


if __name__ == "__main__":
    main()
