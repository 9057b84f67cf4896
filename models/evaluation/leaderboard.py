"""The leaderboard: scores of each organelle and their means, with intervals, as leaderboard.csv and metrics.json."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engine.errors import InputError
from engine.files import whole, write_json
from models.evaluation.metrics import (
    average_precision,
    brier,
    calibration_error,
    f1,
    group_weights,
    interval,
    log_loss,
    macro,
)

FEW_POSITIVES = 50
LARGEST = 2**24  # bytes
_MACROS = ("all", f"{FEW_POSITIVES} positives or more")
_SCORES = {
    "ap": average_precision, "f1": f1, "brier": brier, "log_loss": log_loss, "ece": calibration_error,
}  # fmt: skip
_WITH_INTERVAL = ("ap", "f1")


@dataclass(frozen=True)
class Leaderboard:
    """All scores of a fit.

    Attributes
    ----------
    table : DataFrame
        Columns kind ("organelle", "macro", "step", "split"), name, trainable, n_positive, ap, chance_ap, f1, threshold,
        brier, log_loss, ece, ap_low, ap_high, f1_low, f1_high; NaN where a score is not defined.
    folds : str
        "grouped" or "random".
    """

    table: pd.DataFrame
    folds: str

    def of(self, kind: str) -> pd.DataFrame:
        """The rows of a kind."""
        return self.table[self.table["kind"] == kind]

    def save(self, path: Path) -> None:
        """Write leaderboard.csv."""
        with whole(path) as temporary:
            self.table.to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")

    @classmethod
    def load(cls, path: Path, folds: str, organelles: Sequence[str], remedy: str = "Fit again.") -> "Leaderboard":
        """Read what `save` wrote; raises InputError if it is missing, damaged or of other organelles."""
        try:
            if path.stat().st_size > LARGEST:
                raise ValueError(f"it has {path.stat().st_size:,} bytes")
            table = pd.read_csv(path, keep_default_na=False, na_values=[""], index_col=False)
            _check(table, organelles)
        except (OSError, ValueError) as error:  # pandas' own errors are ValueErrors
            raise InputError(f"{path} cannot be used: {error}. {remedy}") from error
        return cls(table, folds)

    def save_metrics(self, path: Path, simulated: bool) -> None:
        """Write metrics.json; null where a score is not defined."""
        write_json(path, self.metrics(simulated))

    def metrics(self, simulated: bool) -> dict[str, Any]:
        """The contents of metrics.json."""
        scores = ["ap", "f1", "brier", "log_loss", "ece", "chance_ap"]
        macros = {row["name"]: row for row in self.of("macro").to_dict("records")}
        organelles = self.of("organelle")
        return {
            "folds": self.folds,
            "simulated": simulated,
            "macro": _plain(macros[_MACROS[0]], [*scores, "n_organelles"]),
            "macro_50_positives": _plain(macros[_MACROS[1]], [*scores, "n_organelles"]),
            "organelles": {
                row["name"]: _plain(row, [*scores, "n_positive", "threshold", *_interval_names()])
                for row in organelles.to_dict("records")
            },
            "not_trainable": organelles.loc[organelles["trainable"] == 0, "name"].tolist(),
            "steps": {row["name"]: _plain(row, scores[:5]) for row in self.of("step").to_dict("records")},
            "splits": {
                row["name"]: _plain(row, [*scores, "n_organelles"]) for row in self.of("split").to_dict("records")
            },
        }


def _check(table: pd.DataFrame, organelles: Sequence[str]) -> None:
    """Raise ValueError unless it is a leaderboard."""
    names = _column_names()
    if tuple(table.columns) != names:
        raise ValueError(f"its columns are not {', '.join(names)}")
    for name in names[2:]:
        values = table[name]
        if not pd.api.types.is_numeric_dtype(values) or np.isinf(values.to_numpy(np.float64)).any():
            raise ValueError(f"its column {name} has values that are not finite numbers")
    known = {"organelle": list(organelles), "macro": list(_MACROS)}
    if (
        not table["kind"].isin([*known, "step", "split"]).all()
        or not table["name"].map(lambda x: isinstance(x, str)).all()
    ):
        raise ValueError("a row is of no known kind, or has no name")
    for kind, expected in known.items():
        if table.loc[table["kind"] == kind, "name"].tolist() != expected:
            raise ValueError(f"it does not name each {kind} once, in order")


def organelle_rows(
    labels: np.ndarray,
    probabilities: np.ndarray,
    calls: np.ndarray,
    trainable: np.ndarray,
    organelles: Sequence[str],
) -> pd.DataFrame:
    """One row an organelle, without intervals and thresholds.

    Parameters
    ----------
    labels, calls, probabilities : ndarray, shape (n_fields, n_classes)
    trainable : ndarray of bool, shape (n_classes,)
    organelles : sequence of str
        Their names.
    """
    rows = []
    for j, name in enumerate(organelles):
        row: dict[str, Any] = {"kind": "organelle", "name": name, "trainable": float(trainable[j])}
        row |= {"n_positive": float(labels[:, j].sum()), "chance_ap": float(labels[:, j].mean())}
        if trainable[j] and labels[:, j].any():
            row |= {score: function(labels[:, j], calls[:, j] if score == "f1" else probabilities[:, j])
                    for score, function in _SCORES.items()}  # fmt: skip
        rows.append(row)
    return pd.DataFrame(rows, columns=list(_column_names()))


def add_intervals(
    rows: pd.DataFrame, labels: np.ndarray, probabilities: np.ndarray, calls: np.ndarray, groups: np.ndarray,
    n_resamples: int, rng: np.random.Generator,
) -> pd.DataFrame:  # fmt: skip
    """The rows with 95 % intervals from resampling whole groups."""
    rows = rows.copy()
    weights = group_weights(groups, n_resamples, rng)
    for j in np.flatnonzero(rows["trainable"].to_numpy() == 1):
        order = np.argsort(-probabilities[:, j], kind="stable")
        mine, sorted_weights = labels[order, j], weights[:, order]
        for score in _WITH_INTERVAL:
            values = (calls if score == "f1" else probabilities)[order, j]
            rows.loc[j, [f"{score}_low", f"{score}_high"]] = interval(_SCORES[score], mine, values, sorted_weights)
    return rows


def macro_row(kind: str, name: str, rows: pd.DataFrame) -> pd.DataFrame:
    """The mean over the trainable of these organelles, as a row of the given kind."""
    rows = rows[(rows["trainable"] == 1) & rows["ap"].notna()]
    row = {"kind": kind, "name": name, "n_organelles": float(len(rows))}
    row |= {score: macro(rows[score].to_numpy()) for score in (*_SCORES, "chance_ap")}
    return pd.DataFrame([row], columns=list(_column_names()))


def step_row(name: str, **scores: float) -> pd.DataFrame:
    """A step's macro scores."""
    return pd.DataFrame([{"kind": "step", "name": name} | scores], columns=list(_column_names()))


def assemble(organelles: pd.DataFrame, others: list[pd.DataFrame], folds: str) -> Leaderboard:
    """The whole table: organelles, macro rows, then steps and splits."""
    common = organelles[organelles["n_positive"] >= FEW_POSITIVES]
    macros = [macro_row("macro", name, rows) for name, rows in zip(_MACROS, (organelles, common), strict=True)]
    records = [row for part in (organelles, *macros, *others) for row in part.to_dict("records")]
    return Leaderboard(pd.DataFrame(records, columns=list(_column_names())), folds)


def _interval_names() -> tuple[str, ...]:
    return tuple(f"{score}_{end}" for score in _WITH_INTERVAL for end in ("low", "high"))


def _column_names() -> tuple[str, ...]:
    return (
        "kind", "name", "trainable", "n_positive", "n_organelles", "ap", "chance_ap", "f1", "threshold", "brier",
        "log_loss", "ece", *_interval_names(),
    )  # fmt: skip


def _plain(row: Mapping[Hashable, Any], names: list[str]) -> dict[str, float | int | None]:
    def plain(name: str) -> float | int | None:
        value = row[name]
        if pd.isna(value):
            return None
        return int(value) if name.startswith("n_") else float(value)

    return {name: plain(name) for name in names}
