"""The XGBoost member: one model an organelle, on blocks of columns that are quantised once for all.

XGBoost builds the histograms of all columns even if each tree may use only a fifth of them. So the columns are sampled
first: each block is a fifth of the columns, quantised once for all organelles. Boosting cycles through the blocks, each
time starting from the margin reached so far, and the trees are joined into one ordinary model.

All fields are in every block. Blocks with half of the fields each lost 0.03 to 0.04 of macro average precision: two
columns share only one or two blocks, so that their interaction was learnt from half of the fields.

The blocks hold each column six times: 3 GB for 22,000 fields and 3,937 columns. Large blocks are kept in temporary
files (in TMPDIR), and the one in use is memory-mapped; the trees are the same.
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

from engine.running.memory import trim_memory
from engine.running.workers import default_workers
from models.first_level.tree_checks import unusable
from models.first_level.xgboost_file import read_checked

if TYPE_CHECKING:
    from models.first_level.fold_model import Rows

SUFFIX = ".json"
VERSION = f"xgboost {xgboost.__version__}"
RARE_EXPONENTS = (0.0, 0.5)
COMMON_EXPONENTS = (0.0, 0.5)
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
"""Blocks are kept on disk if they are larger than this in total."""


@dataclass(frozen=True)
class Block:
    """A block of columns.

    Attributes
    ----------
    columns : ndarray of int
        Their numbers in the matrix, rising.
    quantised : QuantileDMatrix or ExtMemQuantileDMatrix
        In memory or on disk.
    """

    columns: np.ndarray
    quantised: xgboost.QuantileDMatrix | xgboost.ExtMemQuantileDMatrix


@dataclass(frozen=True)
class Prepared:
    """All blocks; each column is in about six of them.

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

    Uses one thread for a CPU, as other tasks use the other cores, and all threads for a GPU; the bins are the same.
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
        trim_memory()
    prepared = Prepared(tuple(blocks), n_columns, device)
    if folder is not None:
        weakref.finalize(prepared, shutil.rmtree, folder, ignore_errors=True)
    return prepared


class _Whole(xgboost.DataIter):
    """Passes a block to XGBoost's external memory in one piece, so that the bins are the same as in memory."""

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
    quantised.get_quantile_cut()  # reads the data once, which frees the copy in memory
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
        Seed of the order of the blocks.
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
        margin = part.predict(block.quantised, output_margin=True)  # includes the base margin
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
    """Write XGBoost's JSON: a tenth larger than its binary format, but it can be checked before XGBoost reads it."""
    path.write_bytes(model.save_raw("json"))


def load(path: Path, n_columns: int) -> xgboost.Booster:
    """Read XGBoost's JSON; raises InputError if it is damaged."""
    booster = xgboost.Booster({"nthread": 1})
    content = read_checked(path, n_columns)
    try:
        booster.load_model(bytearray(content))
    except xgboost.core.XGBoostError as error:
        raise unusable(path, "cannot be read by XGBoost") from error
    return booster
