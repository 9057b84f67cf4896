"""The LightGBM kind: one model an organelle. The pip build of LightGBM runs on the CPU only."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightgbm
import numpy as np

from models.first_level.column_names import plain_names
from models.first_level.lightgbm_file import read_checked
from models.first_level.parameters import of_library
from models.first_level.tree_checks import unusable

if TYPE_CHECKING:
    from models.first_level.fold_model import Rows

SUFFIX = ".txt"
VERSION = f"lightgbm {lightgbm.__version__}"
FIXED: dict[str, Any] = {
    "objective": "binary",
    "boost_from_average": False,
    "feature_pre_filter": False,
    "force_col_wise": True,
    "bin_construct_sample_cnt": 6000,
    "deterministic": True,
    "num_threads": 1,
    "verbosity": -1,
}


def prepare(values: "np.ndarray | Rows", parameters: dict[str, Any], device: str) -> lightgbm.Dataset:
    """Bin the values."""
    names = [_number_name(k) for k in range(values.shape[1])]
    settings = FIXED | of_library(parameters)
    return lightgbm.Dataset(np.asarray(values[:]), params=settings, feature_name=names).construct()


def _number_name(k: int) -> str:
    return f"Column_{k}"


def train(
    prepared: lightgbm.Dataset, labels: np.ndarray, weights: np.ndarray, parameters: dict[str, Any], seed: int
) -> lightgbm.Booster:
    """Boost trees for one organelle.

    Parameters
    ----------
    labels : ndarray of bool, shape (n,)
    weights : ndarray of float, shape (n,)
    parameters : dict
        LightGBM's, and the number of rounds.
    seed : int
        Seed of the column samples and random splits.
    """
    prepared.set_label(labels.astype(np.float32))
    # set_weight ignores weights that are all one, and would keep those of the previous organelle.
    prepared.set_field("weight", weights)
    settings = FIXED | of_library(parameters) | {"seed": seed}
    # Otherwise the model is written as text and read again, which takes a tenth of the time of a narrow table.
    return lightgbm.train(settings, prepared, parameters["rounds"], keep_training_booster=True)


def score(model: lightgbm.Booster, values: np.ndarray) -> np.ndarray:
    """Log-odds: float32, shape (n,)."""
    return np.asarray(model.predict(values, raw_score=True, num_threads=1), np.float32)


def save(model: lightgbm.Booster, path: Path, names: Sequence[str]) -> None:
    """Write LightGBM's text format with the columns' names."""
    plain = plain_names(names)
    text = model.model_to_string().replace(" ".join(map(_number_name, range(len(plain)))), " ".join(plain), 1)
    path.write_text(re.sub(r"^Column_(\d+)=", lambda found: f"{plain[int(found[1])]}=", text, flags=re.MULTILINE))


def load(path: Path, n_columns: int) -> lightgbm.Booster:
    """Read LightGBM's text format; raises InputError if it is damaged."""
    content = read_checked(path, n_columns)
    try:
        return lightgbm.Booster(model_str=content)
    except lightgbm.basic.LightGBMError as error:
        raise unusable(path, "cannot be read by LightGBM") from error
