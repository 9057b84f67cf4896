"""The LightGBM member: one model an organelle, on values binned once for all."""

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np

from engine.running.memory import trim_memory
from models.first_level.lightgbm_file import read_checked
from models.first_level.tree_checks import unusable

if TYPE_CHECKING:
    from models.first_level.fold_model import Rows

SUFFIX = ".txt"
VERSION = f"lightgbm {lightgbm.__version__}"
RARE_EXPONENTS = (0.5, 0.0)
COMMON_EXPONENTS = (0.0, 0.5)
COLUMNS_AT_ONCE = 512
SETTINGS: dict[str, Any] = {
    "objective": "binary",
    "learning_rate": 0.05,
    "num_leaves": 8,
    "max_bin": 255,
    "feature_fraction": 0.2,
    "lambda_l2": 5.0,
    "min_data_in_leaf": 5,
    "boost_from_average": False,
    "feature_pre_filter": False,
    "force_col_wise": True,
    "deterministic": True,
    "num_threads": 1,
    "verbosity": -1,
}


def prepare(values: "np.ndarray | Rows", device: str) -> lightgbm.Dataset:
    """Bin the values once; the pip build of LightGBM runs on the CPU only.

    LightGBM copies every value into 12 bytes to find the bins, so it gets some columns at a time to save memory.
    """
    blocks = (slice(start, start + COLUMNS_AT_ONCE) for start in range(0, values.shape[1], COLUMNS_AT_ONCE))
    whole, *others = (_bin(values, block) for block in blocks)
    for part in others:
        with warnings.catch_warnings(action="ignore"):  # it warns that raw values are not joined; they are not needed
            whole.add_features_from(part)
    return whole


def _bin(values: "np.ndarray | Rows", block: slice) -> lightgbm.Dataset:
    names = [f"Column_{k}" for k in range(values.shape[1])[block]]
    part = np.ascontiguousarray(values[:, block])
    binned = lightgbm.Dataset(part, params=SETTINGS, feature_name=names, free_raw_data=True).construct()
    trim_memory()
    return binned


def train(
    prepared: lightgbm.Dataset, labels: np.ndarray, weights: np.ndarray, rounds: int, seed: int
) -> lightgbm.Booster:
    """Boost trees for one organelle.

    Parameters
    ----------
    labels : ndarray of bool, shape (n,)
    weights : ndarray of float, shape (n,)
    rounds : int
        Trees.
    seed : int
        Seed of the column samples.
    """
    prepared.set_label(labels.astype(np.float32))
    # set_weight ignores weights that are all one, and would keep those of the previous organelle.
    prepared.set_field("weight", weights)
    return lightgbm.train(SETTINGS | {"seed": seed}, prepared, rounds)


def score(model: lightgbm.Booster, values: np.ndarray) -> np.ndarray:
    """Log-odds: float32, shape (n,)."""
    return np.asarray(model.predict(values, raw_score=True, num_threads=1), np.float32)


def save(model: lightgbm.Booster, path: Path) -> None:
    """Write LightGBM's text format."""
    path.write_text(model.model_to_string(), encoding="utf-8")


def load(path: Path, n_columns: int) -> lightgbm.Booster:
    """Read LightGBM's text format; raises InputError if it is damaged."""
    content = read_checked(path, n_columns)
    try:
        return lightgbm.Booster(model_str=content)
    except lightgbm.basic.LightGBMError as error:
        raise unusable(path, "cannot be read by LightGBM") from error
