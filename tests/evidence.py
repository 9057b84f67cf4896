"""The evidence of a run that never was: 28 organelles, one of them too rare, invented importances, a tiny picture."""

import numpy as np
import pandas as pd

from models.doubts import suspects_table
from models.duplicates import DUPLICATE_COLUMNS
from models.feature_groups import make_groups
from models.judge import split_row
from models.labels import ORGANELLES
from models.leaderboard import add_intervals, assemble, organelle_rows, step_row
from models.matrix import matrix_columns
from models.report import Evidence, Failure, Picture

RARE = 27
LARGE_JPEG = 40_000  # bytes, more than pictures of crowded real fields have
JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffd9")


def some_columns() -> pd.DataFrame:
    """A few columns of several families, stains and compartments, pooled."""
    rows = []
    for compartment in ("Cells", "Nuclei", "Cytoplasm"):
        for channels in ("Protein", "ER", "Nucleus"):
            rows += [(compartment, "Texture", "Contrast", channels, f"{d} mean 32") for d in (1, 2, 4)]
            rows += [(compartment, "Intensity", name, channels, "") for name in ("Mean", "Gini", "Entropy")]
        rows.append((compartment, "Correlation", "Pearson", "Protein ER", ""))
    rows += [(compartment, "AreaShape", "Area", "", "relative") for compartment in ("Cells", "Nuclei")]
    frame = pd.DataFrame(rows, columns=["compartment", "family", "feature", "channels", "parameters"])
    tokens = frame[["compartment", "family", "feature", "channels", "parameters"]].agg(" ".join, axis=1)
    return matrix_columns(frame.assign(name=tokens.str.split().str.join("_"), covariate=False))


def some_importance(columns: pd.DataFrame, names: list[str], rng: np.random.Generator) -> pd.DataFrame:
    """A table of the right form; gains sum to 1, the rest is invented."""
    groups, parts = make_groups(columns), []
    for name in names:
        gain = rng.dirichlet(np.full(len(columns), 0.1))
        for level, what, share in (
            (np.full(len(columns), "feature"), columns["name"].to_numpy(str), gain),
            (groups.level, groups.what, gain @ groups.share),
        ):
            measured = {"gain_mean": share, "gain_sd": share / 3, "shap_mean": share / 2, "shap_sd": share / 9}
            known = np.isin(level, ["family", "channel", "compartment"])
            measured |= {"permutation_mean": np.where(known, share - 0.02, np.nan),
                         "permutation_sd": np.where(known, 0.01, np.nan)}  # fmt: skip
            parts.append(pd.DataFrame({"organelle": name, "level": level, "what": what} | measured))
    return pd.concat(parts, ignore_index=True)


def some_evidence(
    n: int = 300, prefix: str = "field", simulated: bool = False, with_pictures: bool = True,
    all_learnt: bool = False,
) -> Evidence:  # fmt: skip
    """Evidence of n fields, whose ids, errors and run start with `prefix`."""
    rng = np.random.default_rng(5)
    labels = rng.random((n, 28)) < np.geomspace(0.4, 0.02, 28)
    evaluable = (np.arange(28) != RARE) | all_learnt
    if not all_learnt:
        labels[:, RARE] = np.arange(n) < 2
    odds = rng.normal(size=labels.shape) + 2.2 * labels - 1.5
    probabilities = (1 / (1 + np.exp(-odds))).astype(np.float32)
    calls = probabilities > 0.5
    groups, fold = np.arange(n) // 2, (np.arange(n) // 2 % 6 - 1).astype(np.int8)
    inner = fold >= 0
    parts = labels[inner], probabilities[inner], calls[inner]
    board = add_intervals(organelle_rows(*parts, evaluable), *parts, groups[inner], 10, rng)
    board.loc[evaluable, "threshold"] = 0.5
    others = [step_row("member lightgbm", ap=0.4), step_row("stack: shared", ap=0.42, f1=0.4),
              split_row("grouped folds", *parts, evaluable)]  # fmt: skip
    columns = some_columns()
    ids = tuple(f"{prefix}-{i:04}" for i in range(n))
    return Evidence(
        name=f"{prefix} run", simulated=simulated, folds_kind="random" if simulated else "grouped",
        groups_from=f"{prefix}.csv", facts={"training fields": f"{n}", "cells": "6,000"}, ids=ids,
        labels=labels, probabilities=probabilities, calls=calls, fold=fold, groups=groups, evaluable=evaluable,
        leaderboard=assemble(board, others, "grouped").table, columns=columns,
        importance=some_importance(columns, [ORGANELLES[j] for j in np.flatnonzero(evaluable)], rng),
        suspects=suspects_table(tuple(np.array(ids)[inner]), *parts[:2], evaluable, groups[inner]),
        duplicates=pd.DataFrame([(ids[0], ids[1], "train", 3, "no", "joined")], columns=DUPLICATE_COLUMNS),
        cells=rng.poisson(18, n).astype(np.float32),
        failures=(Failure(f"{prefix}-9999", "read", f"field {prefix}-9999: channel ER is missing."),),
        pictures={0: (Picture(int(np.flatnonzero(inner)[0]), "hit", JPEG),)} if with_pictures else {},
    )  # fmt: skip
