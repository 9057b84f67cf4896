"""Checks a LightGBM model file strictly before the library reads it; only files as this project writes them pass."""

import re
from pathlib import Path

import numpy as np

from models.first_level.column_names import are_plain
from models.first_level.tree_checks import check_parents, check_shape, read_model, real_numbers, unusable, whole_numbers

_HEADER = ("version", "num_class", "num_tree_per_iteration", "label_index", "max_feature_idx", "objective",
           "feature_names", "feature_infos", "tree_sizes")  # fmt: skip
_FIXED = {"version": "v4", "num_class": "1", "num_tree_per_iteration": "1", "label_index": "0",
          "objective": "binary sigmoid:1"}  # fmt: skip
_WHOLE = ("split_feature", "decision_type", "left_child", "right_child", "internal_count", "leaf_count")
_REAL = ("split_gain", "threshold", "internal_value", "internal_weight", "leaf_value", "leaf_weight")
_TREE = ("num_leaves", "num_cat", "split_feature", "split_gain", "threshold", "decision_type", "left_child",
         "right_child", "leaf_value", "leaf_weight", "leaf_count", "internal_value", "internal_weight",
         "internal_count", "is_linear", "shrinkage")  # fmt: skip
_INFO = re.compile(r"none|\[[-+.e0-9]+:[-+.e0-9]+\]")
_END = "end of trees\n"
_DECISIONS = (0, 2, 4, 6, 8, 10)  # numerical splits: default left or right; nothing, zero or NaN is missing


def read_checked(path: Path, n_columns: int) -> str:
    """The text of the model up to the end of its trees; what follows (importances, training parameters) is not needed.

    Raises
    ------
    InputError
        If it is not a LightGBM model of numerical splits on this many columns.
    """
    text = read_model(path)
    try:
        return _checked(text, n_columns)
    except (ValueError, KeyError, OverflowError) as error:
        raise unusable(path, f"cannot be used ({error})") from error


def _checked(text: str, n_columns: int) -> str:
    top, gap, rest = text.partition("\n\n")
    lines = top.split("\n")
    pairs = [_name_and_value(line) for line in lines[1:]]
    header = dict(pairs)
    if lines[0] != "tree" or not gap or tuple(name for name, _ in pairs) != _HEADER:
        raise ValueError("its header is not LightGBM's")
    if header["max_feature_idx"] != str(n_columns - 1):
        raise ValueError(f"it expects {header['max_feature_idx'][:20]} + 1 columns, the fit has {n_columns}")
    infos = header["feature_infos"].split(" ")
    if (
        not are_plain(header["feature_names"].split(" "), n_columns)
        or len(infos) != n_columns
        or not all(map(_INFO.fullmatch, infos))
    ):
        raise ValueError("its columns are not those of a fit")
    if wrong := [key for key, value in _FIXED.items() if header[key] != value]:
        raise ValueError(f"its {wrong[0]} is not {_FIXED[wrong[0]]}")
    sizes = whole_numbers([header["tree_sizes"]])
    ends = np.cumsum(sizes)
    if not len(sizes) or (sizes <= 0).any() or not rest[int(ends[-1]) :].startswith(_END):
        raise ValueError("its trees do not have the lengths in its header")
    blocks = [rest[end - size : end] for size, end in zip(sizes.tolist(), ends.tolist(), strict=True)]
    _check_trees([_fields(k, block) for k, block in enumerate(blocks)], n_columns)
    return text[: len(top) + len(gap) + int(ends[-1])] + _END


def _fields(number: int, block: str) -> dict[str, str]:
    """The lines of one tree by name, each once and in LightGBM's order."""
    lines = block.rstrip("\n").split("\n")
    pairs = [_name_and_value(line) for line in lines[1:]]
    if lines[0] != f"Tree={number}" or tuple(name for name, _ in pairs) != _TREE or block[-2:] != "\n\n":
        raise ValueError(f"tree {number} has other lines than LightGBM's")
    return dict(pairs)


def _name_and_value(line: str) -> tuple[str, str]:
    name, _, value = line.partition("=")
    return name, value


def _check_trees(trees: list[dict[str, str]], n_columns: int) -> None:
    if any((tree["num_cat"], tree["is_linear"]) != ("0", "0") for tree in trees):
        raise ValueError("a tree is categorical or linear")
    leaves = whole_numbers([tree["num_leaves"] for tree in trees])
    if len(leaves) != len(trees) or (leaves < 1).any():
        raise ValueError("a tree has no leaf")
    for name in (*_WHOLE, *_REAL):
        wanted = leaves if name.startswith("leaf_") else leaves - 1
        found = np.array([len(tree[name].split()) for tree in trees])
        # A tree with a single leaf has only the leaf's value.
        if ((found != wanted) & ~((leaves == 1) & (name in ("leaf_weight", "leaf_count")))).any():
            raise ValueError(f"{name} has not one number a node")
    whole = {name: whole_numbers([tree[name] for tree in trees]) for name in _WHOLE}
    real = {name: real_numbers([tree[name] for tree in trees]) for name in (*_REAL, "shrinkage")}
    if np.isnan(real["threshold"]).any() or not all(
        np.isfinite(real[name]).all() for name in real if name != "threshold"
    ):
        raise ValueError("a number is not finite")
    if not ((whole["split_feature"] >= 0) & (whole["split_feature"] < n_columns)).all():
        raise ValueError("a split uses a column that does not exist")
    if not np.isin(whole["decision_type"], _DECISIONS).all():
        raise ValueError("a split is of an unknown kind")
    _check_branches(whole["left_child"], whole["right_child"], leaves)


def _check_branches(left: np.ndarray, right: np.ndarray, leaves: np.ndarray) -> None:
    """Inner nodes are numbered from 0, leaf k is child -1 - k: here it comes after the inner nodes."""
    inner = np.concatenate([np.arange(n - 1) for n in leaves]).astype(np.int64)
    of_tree = np.repeat(np.arange(len(leaves)), leaves - 1)
    n_inner, sizes = (leaves - 1)[of_tree], (2 * leaves - 1)[of_tree]
    if ((left >= n_inner) | (right >= n_inner)).any():
        raise ValueError("a branch leads out of its tree")
    left, right = (np.where(child < 0, n_inner - 1 - child, child) for child in (left, right))
    check_shape(left, right, inner, sizes)
    start = (np.cumsum(2 * leaves - 1) - (2 * leaves - 1))[of_tree]
    check_parents(np.concatenate([left + start, right + start]), int((2 * leaves - 1).sum()), len(leaves))
