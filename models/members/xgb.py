"""XGBoost, one model an organelle, on blocks of columns that are quantised once.

XGBoost builds the histograms of all columns even for trees that may use a fifth of them. So the sampling is done first:
each block is a fifth of the columns, quantised once for all organelles. Boosting goes round the blocks, each visit
starting from the margin reached so far, and the trees are put together into one ordinary model.

All fields are in every block. Blocks of half of the fields each lost 0.03 to 0.04 of macro average precision: two
columns are together in one or two blocks only, so that half of the fields never told anything of the two.

The blocks hold each column six times: 3 GB for 22,000 fields and 3,937 columns. Where they are many bytes they stand in
files in the folder for temporary files (TMPDIR), and the one in use is mapped into memory; the trees are the same.
"""

import json
import shutil
import tempfile
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xgboost

from engine.memory import give_back
from engine.parallel import default_workers
from models.members.xgb_file import read_checked
from models.trees import unusable

if TYPE_CHECKING:
    from models.units import Rows

SUFFIX = ".json"
VERSION = f"xgboost {xgboost.__version__}"
RARE_STRENGTHS = (0.0, 0.5)
COMMON_STRENGTHS = (0.0, 0.5)
SETTINGS: dict[str, Any] = {
    "objective": "binary:logistic",
    "learning_rate": 0.05,
    "max_depth": 3,
    "max_bin": 256,
    "lambda": 20.0,
    "base_score": 0.5,
    "tree_method": "hist",
    "nthread": 1,
    "verbosity": 0,
}
BLOCKS = 32
COLUMN_SHARE = 0.2
TREES_PER_VISIT = 2
BYTES_A_VALUE = 5  # of a quantised block, where values are missing
BYTES_IN_MEMORY = 300_000_000
"""Blocks that together are larger are kept on disk."""


@dataclass(frozen=True)
class Block:
    """Part of the columns.

    Attributes
    ----------
    columns : ndarray of int
        Which, in rising order.
    quantised : QuantileDMatrix
    """

    columns: np.ndarray
    quantised: xgboost.QuantileDMatrix


@dataclass(frozen=True)
class Prepared:
    """Blocks that together hold each column about six times.

    Attributes
    ----------
    blocks : tuple of Block
    n_columns : int
        Of the whole matrix.
    device : str
    """

    blocks: tuple[Block, ...]
    n_columns: int
    device: str


def prepare(values: "np.ndarray | Rows", device: str) -> Prepared:
    """Draw and quantise the blocks; each column comes in about six of them.

    On a CPU in one thread, as other organelles and folds have the other cores; for a GPU in all, to the same bins.
    """
    threads = 1 if device == "cpu" else default_workers()
    n_columns = values.shape[1]
    size = max(round(COLUMN_SHARE * n_columns), 1)
    on_disk = device == "cpu" and BLOCKS * size * len(values) * BYTES_A_VALUE > BYTES_IN_MEMORY
    folder = tempfile.mkdtemp(prefix="hpa-boost-") if on_disk else None
    rng = np.random.default_rng(n_columns)
    blocks = []
    for k in range(BLOCKS):
        columns = np.sort(rng.permutation(n_columns)[:size])
        part = np.ascontiguousarray(values[:, columns])
        if folder is None:
            quantised = xgboost.QuantileDMatrix(part, max_bin=SETTINGS["max_bin"], nthread=threads)
        else:
            quantised = _quantised_on_disk(part, f"{folder}/{k}")
        blocks.append(Block(columns, quantised))
        del part
        give_back()
    prepared = Prepared(tuple(blocks), n_columns, device)
    if folder is not None:
        weakref.finalize(prepared, shutil.rmtree, folder, ignore_errors=True)
    return prepared


class _Whole(xgboost.DataIter):
    """A block as XGBoost wants to be given what it keeps on disk: here in one piece, so that the bins are the same."""

    def __init__(self, part: np.ndarray, cache_prefix: str) -> None:
        self.part, self.given = part, False
        super().__init__(cache_prefix=cache_prefix)

    def next(self, input_data: Callable) -> bool:
        if self.given:
            return False
        input_data(data=self.part)
        self.given = True
        return True

    def reset(self) -> None:
        self.given = False


def _quantised_on_disk(part: np.ndarray, path: str) -> xgboost.ExtMemQuantileDMatrix:
    quantised = xgboost.ExtMemQuantileDMatrix(_Whole(part, path), max_bin=SETTINGS["max_bin"], nthread=1)
    quantised.get_quantile_cut()  # reads it once, which lets go of the copy in memory
    return quantised


def train(prepared: Prepared, labels: np.ndarray, weights: np.ndarray, rounds: int, seed: int) -> xgboost.Booster:
    """Boost trees for one organelle.

    Parameters
    ----------
    labels : ndarray of bool, shape (n,)
    weights : ndarray of float, shape (n,)
    rounds : int
        Trees.
    seed : int
        Of the order of the blocks.
    """
    margin = np.zeros(len(labels), np.float32)
    labels = labels.astype(np.float32)
    parts, columns = [], []
    order = np.random.default_rng(seed).permutation(len(prepared.blocks))
    n_visits = -(-rounds // TREES_PER_VISIT)
    for visit in range(n_visits):
        block = prepared.blocks[order[visit % len(order)]]
        share = min(TREES_PER_VISIT, rounds - visit * TREES_PER_VISIT)
        block.quantised.set_info(label=labels, weight=weights, base_margin=margin)
        part = xgboost.train(
            SETTINGS | {"seed": (seed + visit) % 2**31, "device": prepared.device}, block.quantised, int(share)
        )
        margin = part.predict(block.quantised, output_margin=True)  # The base margin is in it.
        parts.append(part)
        columns.append(block.columns)
    return _joined(parts, columns, prepared.n_columns)


def _joined(parts: list[xgboost.Booster], columns: list[np.ndarray], n_columns: int) -> xgboost.Booster:
    """One model of all trees, their columns renamed to those of the whole matrix (in XGBoost's JSON schema)."""
    models = [json.loads(part.save_raw("json")) for part in parts]
    whole = models[0]
    trees = []
    for model, names in zip(models, columns):
        for tree in model["learner"]["gradient_booster"]["model"]["trees"]:
            leaf = np.array(tree["left_children"]) < 0
            tree["split_indices"] = np.where(leaf, 0, names[np.array(tree["split_indices"])]).tolist()
            tree["tree_param"]["num_feature"] = str(n_columns)
            trees.append(tree | {"id": len(trees)})
    joined = whole["learner"]["gradient_booster"]["model"]
    joined["trees"] = trees
    joined["tree_info"] = [0] * len(trees)
    joined["iteration_indptr"] = list(range(len(trees) + 1))
    joined["gbtree_model_param"]["num_trees"] = str(len(trees))
    whole["learner"]["learner_model_param"]["num_feature"] = str(n_columns)
    booster = xgboost.Booster({"nthread": 1})
    booster.load_model(bytearray(json.dumps(whole).encode()))
    return booster


def score(model: xgboost.Booster, values: np.ndarray) -> np.ndarray:
    """Log-odds: float32, shape (n,)."""
    return model.inplace_predict(values, predict_type="margin").astype(np.float32)


def save(model: xgboost.Booster, path: Path) -> None:
    """Write XGBoost's JSON: a tenth larger than its binary form, and it can be checked before XGBoost reads it."""
    path.write_bytes(model.save_raw("json"))


def load(path: Path, n_columns: int) -> xgboost.Booster:
    """Read XGBoost's JSON; raises InputError if it is not as `save` left it."""
    booster = xgboost.Booster({"nthread": 1})
    content = read_checked(path, n_columns)
    try:
        booster.load_model(bytearray(content))
    except xgboost.core.XGBoostError as error:
        raise unusable(path, "cannot be read by XGBoost") from error
    return booster
