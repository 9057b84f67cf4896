"""Checks an XGBoost model file strictly before the library reads it; only files as this project writes them pass."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

from models.first_level.column_names import are_plain
from models.first_level.tree_checks import check_parents, check_shape, read_model, unusable

_NO_CATEGORIES = {"enc": [], "feature_segments": [], "sorted_idx": []}
_OBJECTIVE = {"name": "binary:logistic", "reg_loss_param": {"scale_pos_weight": "1"}}
_WHOLE = ("left_children", "right_children", "parents", "split_indices", "split_type", "default_left")
_REAL = ("base_weights", "loss_changes", "split_conditions", "sum_hessian")
_CATEGORIES = ("categories", "categories_nodes", "categories_segments", "categories_sizes")
_TREE = {*_WHOLE, *_REAL, *_CATEGORIES, "id", "tree_param"}
_LARGEST = np.finfo(np.float32).max
_ROOT = 2**31 - 1  # the parent of a root


def read_checked(path: Path, n_columns: int) -> bytes:
    """The file's bytes.

    Raises
    ------
    InputError
        If it is not an XGBoost model of numerical splits on this many columns.
    """
    text = read_model(path)
    try:
        content = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
        _check(content, n_columns)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, RecursionError) as error:
        raise unusable(path, f"cannot be used ({error})") from error
    return text.encode()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object without duplicate names, of which XGBoost's reader and Python's could keep different ones."""
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a name comes twice")
    return content


def _no_number(text: str) -> None:
    raise ValueError(f"{text} stands for a number")


def _expect(what: str, found: Any, wanted: Any) -> None:
    if type(found) is not type(wanted) or found != wanted:
        raise ValueError(f"its {what} is not {wanted}")


def _check(content: Any, n_columns: int) -> None:
    learner = content["learner"]
    model = learner["gradient_booster"]["model"]
    trees = model["trees"]
    n = len(trees)
    major = int(xgboost.__version__.partition(".")[0])
    version = content["version"]
    if len(version) != 3 or not all(type(part) is int and 0 <= part < 1000 for part in version) or version[0] != major:
        raise ValueError(f"it is not of XGBoost {major}")
    base = learner["learner_model_param"]["base_score"]
    exact = {"base_score": base, "boost_from_average": "0", "num_class": "0", "num_feature": str(n_columns),
             "num_target": "1"}  # fmt: skip
    _expect("parts", sorted(content), ["learner", "version"])
    _expect("learner_model_param", learner["learner_model_param"], exact)
    if not 0 < float(base.strip("[]")) < 1 or len(base) > 30:
        raise ValueError("its base_score is no probability")
    rest = {name: learner[name] for name in learner if name not in ("gradient_booster", "learner_model_param")}
    names = rest["feature_names"]
    if not are_plain(names, n_columns):
        raise ValueError("its columns are not those of a fit")
    _expect("learner", rest, {"attributes": {}, "feature_names": names, "feature_types": [], "objective": _OBJECTIVE})
    rest = {name: value for name, value in model.items() if name != "trees"}
    whole = {"cats": _NO_CATEGORIES, "gbtree_model_param": {"num_parallel_tree": "1", "num_trees": str(n)},
             "iteration_indptr": list(range(n + 1)), "tree_info": [0] * n}  # fmt: skip
    _expect("booster", {name: v for name, v in learner["gradient_booster"].items() if name != "model"},
            {"name": "gbtree"})  # fmt: skip
    _expect("list of trees", rest, whole)
    _check_trees(trees, n_columns)


def _check_trees(trees: list[dict[str, Any]], n_columns: int) -> None:
    n_nodes = np.array([len(tree["left_children"]) for tree in trees])
    if not len(trees) or (n_nodes < 1).any():
        raise ValueError("it has no tree, or one without a node")
    for k, (tree, n) in enumerate(zip(trees, n_nodes.tolist(), strict=True)):
        param = {"num_deleted": "0", "num_feature": str(n_columns), "num_nodes": str(n), "size_leaf_vector": "1"}
        if (
            set(tree) != _TREE
            or any(tree[name] for name in _CATEGORIES)
            or any(len(tree[name]) != n for name in (*_WHOLE, *_REAL))
        ):
            raise ValueError(f"tree {k} has other parts than XGBoost's, or of other lengths")
        _expect("number of a tree", tree["id"], k)
        _expect("tree_param", tree["tree_param"], param)
    whole = {name: _joined((tree[name] for tree in trees), int) for name in _WHOLE}
    real = {name: _joined((tree[name] for tree in trees), float) for name in _REAL}
    if not all((abs(values) <= _LARGEST).all() for values in real.values()):
        raise ValueError("a number is not finite")
    if not ((whole["split_indices"] >= 0) & (whole["split_indices"] < n_columns)).all():
        raise ValueError("a split uses a column that does not exist")
    if whole["split_type"].any() or not np.isin(whole["default_left"], (0, 1)).all():
        raise ValueError("a split is of an unknown kind")
    _check_branches(whole, n_nodes)


def _joined(parts: Iterable[list], kind: type) -> np.ndarray:
    """The numbers of all trees in one array; raises ValueError for anything else."""
    values = [value for part in parts for value in part]
    if not {type(value) for value in values} <= {kind}:
        raise ValueError("a value is not a number of the right kind")
    return np.array(values, np.int64 if kind is int else np.float64)


def _check_branches(whole: dict[str, np.ndarray], n_nodes: np.ndarray) -> None:
    start = np.repeat(np.cumsum(n_nodes) - n_nodes, n_nodes)
    number, sizes = np.arange(len(start)) - start, np.repeat(n_nodes, n_nodes)
    left, right, parents = whole["left_children"], whole["right_children"], whole["parents"]
    inner = left >= 0
    if ((left == -1) != (right == -1)).any() or (left < -1).any() or (right < -1).any():
        raise ValueError("a node is half a leaf")
    check_shape(left[inner], right[inner], number[inner], sizes[inner])
    children = np.concatenate([(left + start)[inner], (right + start)[inner]])
    check_parents(children, len(start), len(n_nodes))
    wanted = np.full(len(start), _ROOT)
    wanted[children] = np.tile(number[inner], 2)
    if (parents != wanted).any():
        raise ValueError("a node has the wrong parent")
