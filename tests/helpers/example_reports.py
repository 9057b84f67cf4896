"""The data of a run that never was: 28 organelles, one of them too rare, invented importances, a tiny picture."""

import numpy as np
import pandas as pd

from models.evaluation.leaderboard import add_intervals, assemble, organelle_rows, step_row
from models.evaluation.leaderboard_rows import split_row
from models.explanation.feature_groups import make_groups
from models.trust.label_errors import label_errors_table
from report.report_data import Failure, Picture, ReportData
from store.channels import ER, NUCLEUS, PROTEIN
from store.classes import KAGGLE, ORGANELLES
from store.columns import Column, columns_frame
from store.matrix import matrix_columns
from store.schema import DUPLICATES

RARE = 27
LARGE_JPEG = 42_000  # bytes, more than pictures of crowded real fields have
JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffd9")


def some_columns() -> pd.DataFrame:
    """A few columns of several families, stains and compartments, pooled."""
    rows = []
    for compartment in ("Cells", "Nuclei", "Cytoplasm"):
        for channel in (PROTEIN, ER, NUCLEUS):
            rows += [Column(compartment, "Texture", "Contrast", (channel,), (d, "mean", 32)) for d in (1, 2, 4)]
            rows += [Column(compartment, "Intensity", name, (channel,)) for name in ("Mean", "Gini", "Entropy")]
        rows.append(Column(compartment, "Correlation", "Pearson", (PROTEIN, ER)))
    rows += [Column(compartment, "AreaShape", "Area", (), ("relative",)) for compartment in ("Cells", "Nuclei")]
    return matrix_columns(columns_frame(rows))


def some_importance(columns: pd.DataFrame, names: list[str], rng: np.random.Generator) -> pd.DataFrame:
    """A table of the right form; shares sum to 1, the rest is invented."""
    groups, parts = make_groups(columns), []
    for name in names:
        share_of_column = rng.dirichlet(np.full(len(columns), 0.1))
        for level, what, share in (
            (np.full(len(columns), "feature"), columns["name"].to_numpy(str), share_of_column),
            (groups.level, groups.what, share_of_column @ groups.share),
        ):
            measured = {"share_mean": share, "share_sd": share / 3, "shap_mean": share / 2, "shap_sd": share / 9}
            known = np.isin(level, ["family", "channel", "compartment"])
            measured |= {"permutation_mean": np.where(known, share - 0.02, np.nan),
                         "permutation_sd": np.where(known, 0.01, np.nan)}  # fmt: skip
            parts.append(pd.DataFrame({"organelle": name, "level": level, "what": what} | measured))
    return pd.concat(parts, ignore_index=True)


def example_report(
    n: int = 300, prefix: str = "field", simulated: bool = False, with_pictures: bool = True,
    all_learnt: bool = False,
) -> ReportData:  # fmt: skip
    """ReportData of n fields, whose ids, errors and run start with `prefix`."""
    rng = np.random.default_rng(5)
    labels = rng.random((n, 28)) < np.geomspace(0.4, 0.02, 28)
    trainable = (np.arange(28) != RARE) | all_learnt
    if not all_learnt:
        labels[:, RARE] = np.arange(n) < 2
    odds = rng.normal(size=labels.shape) + 2.2 * labels - 1.5
    probabilities = (1 / (1 + np.exp(-odds))).astype(np.float32)
    calls = probabilities > 0.5
    groups, fold = np.arange(n) // 2, (np.arange(n) // 2 % 6 - 1).astype(np.int8)
    inner = fold >= 0
    parts = labels[inner], probabilities[inner], calls[inner]
    board = add_intervals(organelle_rows(*parts, trainable, ORGANELLES), *parts, groups[inner], 10, rng)
    board.loc[trainable, "threshold"] = 0.5
    others = [step_row("member lightgbm", ap=0.4), step_row("stack: shared", ap=0.42, f1=0.4),
              split_row("grouped folds", *parts, trainable, ORGANELLES)]  # fmt: skip
    columns = some_columns()
    ids = tuple(f"{prefix}-{i:04}" for i in range(n))
    return ReportData(
        name=f"{prefix} run", simulated=simulated, folds_kind="random" if simulated else "grouped",
        groups_from=f"{prefix}.csv", facts={"training fields": f"{n}", "cells": "6,000"}, ids=ids, classes=KAGGLE,
        labels=labels, probabilities=probabilities, calls=calls, fold=fold, groups=groups, trainable=trainable,
        leaderboard=assemble(board, others, "grouped").table, columns=columns,
        importance=some_importance(columns, [ORGANELLES[j] for j in np.flatnonzero(trainable)], rng),
        label_errors=label_errors_table(tuple(np.array(ids)[inner]), KAGGLE, *parts[:2], trainable, groups[inner]),
        duplicates=pd.DataFrame([(ids[0], ids[1], "train", 3, "no", "joined")], columns=list(DUPLICATES)),
        cells=rng.poisson(18, n).astype(np.float32),
        failures=(Failure(f"{prefix}-9999", "read", f"field {prefix}-9999: channel ER is missing."),),
        pictures={0: (Picture(int(np.flatnonzero(inner)[0]), "hit", JPEG),)} if with_pictures else {},
    )  # fmt: skip
