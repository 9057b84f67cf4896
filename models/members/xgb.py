"""XGBoost, one model an organelle, on values that are quantised once."""

from pathlib import Path
from typing import Any

import numpy as np
import xgboost

SUFFIX = ".ubj"
VERSION = f"xgboost {xgboost.__version__}"
STRENGTHS = (0.0, 0.5)
SETTINGS: dict[str, Any] = {
    "objective": "binary:logistic",
    "learning_rate": 0.1,
    "max_depth": 4,
    "max_bin": 256,
    "colsample_bytree": 0.2,
    "subsample": 0.5,
    "lambda": 20.0,
    "base_score": 0.5,
    "tree_method": "hist",
    "nthread": 1,
    "verbosity": 0,
}


def prepare(values: np.ndarray, device: str) -> tuple[xgboost.QuantileDMatrix, str]:
    """Quantise the values once."""
    return xgboost.QuantileDMatrix(values, max_bin=SETTINGS["max_bin"], nthread=1), device


def train(
    prepared: tuple[xgboost.QuantileDMatrix, str], labels: np.ndarray, weights: np.ndarray, rounds: int, seed: int
) -> xgboost.Booster:
    """Boost trees for one organelle.

    Parameters
    ----------
    labels : ndarray of bool, shape (n,)
    weights : ndarray of float, shape (n,)
    rounds : int
        Trees.
    seed : int
        Of the row and column samples.
    """
    quantised, device = prepared
    quantised.set_info(label=labels.astype(np.float32), weight=weights)
    return xgboost.train(SETTINGS | {"seed": seed, "device": device}, quantised, rounds)


def score(model: xgboost.Booster, values: np.ndarray) -> np.ndarray:
    """Log-odds: float32, shape (n,)."""
    return model.inplace_predict(values, predict_type="margin").astype(np.float32)


def save(model: xgboost.Booster, path: Path) -> None:
    """Write XGBoost's binary JSON."""
    path.write_bytes(model.save_raw("ubj"))


def load(path: Path) -> xgboost.Booster:
    """Read XGBoost's binary JSON."""
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(path.read_bytes()))
    return booster
