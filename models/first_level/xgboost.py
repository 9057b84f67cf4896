"""The XGBoost kind: one model an organelle, on the CPU or a GPU."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xgboost

from engine.running.workers import default_workers
from models.first_level.column_names import plain_names
from models.first_level.parameters import of_library
from models.first_level.tree_checks import unusable
from models.first_level.xgboost_file import read_checked

if TYPE_CHECKING:
    from models.first_level.fold_model import Rows

SUFFIX = ".json"
VERSION = f"xgboost {xgboost.__version__}"
FIXED: dict[str, Any] = {"objective": "binary:logistic", "tree_method": "hist", "nthread": 1, "verbosity": 0}


@dataclass(frozen=True)
class Prepared:
    """Quantised values, and the device to train on."""

    quantised: xgboost.QuantileDMatrix
    device: str


def prepare(values: "np.ndarray | Rows", parameters: dict[str, Any], device: str) -> Prepared:
    """Quantise the values.

    Uses one thread for a CPU, as other tasks use the other cores, and all threads for a GPU; the bins are the same.
    """
    threads = 1 if device == "cpu" else default_workers()
    quantised = xgboost.QuantileDMatrix(np.asarray(values[:]), max_bin=parameters["max_bin"], nthread=threads)
    return Prepared(quantised, device)


def train(
    prepared: Prepared, labels: np.ndarray, weights: np.ndarray, parameters: dict[str, Any], seed: int
) -> xgboost.Booster:
    """Boost trees for one organelle.

    Parameters
    ----------
    labels : ndarray of bool, shape (n,)
    weights : ndarray of float, shape (n,)
    parameters : dict
        XGBoost's, and the number of rounds.
    seed : int
        Seed of the row and column samples.
    """
    prepared.quantised.set_info(label=labels.astype(np.float32), weight=weights)
    settings = FIXED | of_library(parameters) | {"seed": seed, "device": prepared.device}
    booster = xgboost.Booster(settings, [prepared.quantised])
    for k in range(parameters["rounds"]):  # xgboost.train would do the same, and ask for an evaluation each time
        booster.update(prepared.quantised, k)
    return booster


def score(model: xgboost.Booster, values: np.ndarray) -> np.ndarray:
    """Log-odds: float32, shape (n,)."""
    return model.inplace_predict(values, predict_type="margin").astype(np.float32)


def save(model: xgboost.Booster, path: Path, names: Sequence[str]) -> None:
    """Write XGBoost's JSON with the columns' names.

    It is a tenth larger than the binary format, but can be checked before XGBoost reads it.
    """
    model.feature_names = plain_names(names)
    path.write_bytes(model.save_raw("json"))
    model.feature_names = None  # or it would ask for them when it scores values


def load(path: Path, n_columns: int) -> xgboost.Booster:
    """Read XGBoost's JSON; raises InputError if it is damaged."""
    booster = xgboost.Booster({"nthread": 1})
    content = read_checked(path, n_columns)
    try:
        booster.load_model(bytearray(content))
    except xgboost.core.XGBoostError as error:
        raise unusable(path, "cannot be read by XGBoost") from error
    booster.feature_names = None
    return booster
