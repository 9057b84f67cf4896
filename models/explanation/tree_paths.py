"""The paths of a booster's trees, and from them exact Shapley values of groups of columns.

A leaf is reached if every split on its path is passed. Split by group, that is a product: each group on the path passes
with the field's values or not, and with the background's or not. Such a game has a closed form: with `a` groups that
pass only with the field's values and `b` only with the background's, each of the first gets (a - 1)! b! / (a + b)! of
the leaf's value, each of the second loses a! (b - 1)! / (a + b)! of it (Lundberg et al. 2020, "From local explanations
to global understanding with explainable AI for trees", its interventional algorithm, here with groups as players).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.special import gammaln

from models.first_level.fold_model import TrainedModel
from models.first_level.members import kind_of

_DEEPEST = 128  # groups on one path
_Split = tuple[int, float, bool, Any, Any]
"""Column, threshold, whether a missing value goes left, the nodes to the left and to the right."""
_Read = Callable[[Any], float | _Split]
"""A node's split, or a leaf's value."""


@dataclass(frozen=True)
class TreePaths:
    """All paths from a root to a leaf.

    Attributes
    ----------
    column : ndarray of int, shape (n_splits,)
    threshold : ndarray of float64, shape (n_splits,)
    nan_left : ndarray of bool, shape (n_splits,)
        Whether a missing value goes left.
    at_threshold_left : bool
        Whether a value that equals the threshold goes left.
    leaf, split : ndarray of int, shape (n_steps,)
        The steps of all paths: the leaf that a path leads to, rising, and the split that it passes.
    left : ndarray of bool, shape (n_steps,)
        Whether it goes left there.
    value : ndarray of float64, shape (n_leaves,)
        Leaves of trees without a split have no steps.
    """

    column: np.ndarray
    threshold: np.ndarray
    nan_left: np.ndarray
    at_threshold_left: bool
    leaf: np.ndarray
    split: np.ndarray
    left: np.ndarray
    value: np.ndarray

    @classmethod
    def of(cls, booster: TrainedModel) -> "TreePaths":
        """Read them from the library; the latest few are kept, because several levels of groups ask for them."""
        return _read_paths(kind_of(booster.member), booster.model)

    def passes(self, values: np.ndarray) -> np.ndarray:
        """Which steps of the paths each row passes: bool, shape (n_rows, n_steps)."""
        given = values[:, self.column].astype(np.float64)
        left = given <= self.threshold if self.at_threshold_left else given < self.threshold
        left = np.where(np.isnan(given), self.nan_left, left)
        return left[:, self.split] == self.left


def tree_group_shapley(
    paths: TreePaths, values: np.ndarray, background: np.ndarray, group: np.ndarray, n_groups: int
) -> np.ndarray:
    """Exact Shapley value of each group of columns for each field, the mean over its background fields.

    Parameters
    ----------
    paths : TreePaths
    values : ndarray of float32, shape (n_fields, n_columns)
    background : ndarray of float32, shape (n_fields or 1, n_background, n_columns)
        Of each field, or the same for all.
    group : ndarray of int, shape (n_columns,)
        The group of each column; -1 for those that always have the field's values.
    n_groups : int

    Returns
    -------
    ndarray of float64, shape (n_fields, n_groups)
        A row sums to the field's score less the mean score of its background fields.
    """
    found = np.zeros((len(values), n_groups))
    if not len(paths.split):
        return found
    of_step = group[paths.column[paths.split]]
    order = np.lexsort((of_step, paths.leaf))
    leaf, of_step = paths.leaf[order], of_step[order]
    starts = np.flatnonzero(np.append(True, (np.diff(leaf) != 0) | (np.diff(of_step) != 0)))
    leaf, of_part = leaf[starts], of_step[starts]  # a part is what one group has of a path
    first = np.flatnonzero(np.append(True, np.diff(leaf) != 0))
    value, path = paths.value[leaf[first]], np.repeat(np.arange(len(first)), np.diff(np.append(first, len(leaf))))

    def parts(rows: np.ndarray) -> np.ndarray:
        return np.logical_and.reduceat(paths.passes(rows)[:, order], starts, axis=1)

    mine = of_part >= 0
    with_field = parts(values)
    shared = parts(background[0]) if len(background) == 1 else None
    for i, own in enumerate(with_field):
        other = np.where(mine, parts(background[i]) if shared is None else shared, own)
        gains, losses = own & ~other, other & ~own
        a, b = (np.add.reduceat(one, first, axis=1, dtype=np.int64) for one in (gains, losses))
        reached = value * ~np.logical_or.reduceat(~own & ~other, first, axis=1)
        added = gains * (reached * _FIRST[a, b])[:, path] - losses * (reached * _FIRST[b, a])[:, path]
        found[i] = np.bincount(of_part[mine], added.mean(0)[mine], n_groups)
    return found


@lru_cache(maxsize=8)
def _read_paths(kind: str, model: Any) -> TreePaths:
    roots, read = _READERS[kind](model)
    splits: list[tuple[int, float, bool]] = []
    steps: list[tuple[int, int, bool]] = []
    values: list[float] = []
    todo: list[tuple[Any, tuple[tuple[int, bool], ...]]] = [(root, ()) for root in reversed(roots)]
    while todo:
        node, path = todo.pop()
        found = read(node)
        if not isinstance(found, tuple):
            steps += [(len(values), split, left) for split, left in path]
            values.append(found)
            continue
        column, threshold, nan_left, to_left, to_right = found
        splits.append((column, threshold, nan_left))
        todo += [(to_right, (*path, (len(splits) - 1, False))), (to_left, (*path, (len(splits) - 1, True)))]
    of_split, of_step = np.array(splits, float).reshape(-1, 3), np.array(steps, np.int64).reshape(-1, 3)
    return TreePaths(
        of_split[:, 0].astype(np.int64), of_split[:, 1], of_split[:, 2] > 0, kind == "lightgbm", of_step[:, 0],
        of_step[:, 1], of_step[:, 2] > 0, np.array(values),
    )  # fmt: skip


def _shares() -> np.ndarray:
    """(a - 1)! b! / (a + b)!, 0 for a = 0: float64, by a and b."""
    a, b = np.ogrid[:_DEEPEST, :_DEEPEST]
    return np.where(a > 0, np.exp(gammaln(np.maximum(a, 1)) + gammaln(b + 1) - gammaln(a + b + 1)), 0.0)


_FIRST = _shares()


def _lightgbm(model: Any) -> tuple[list[Any], _Read]:
    return [tree["tree_structure"] for tree in model.dump_model()["tree_info"]], _read_lightgbm


def _read_lightgbm(node: dict[str, Any]) -> float | _Split:
    if "split_feature" not in node:
        return float(node["leaf_value"])
    threshold = node["threshold"]
    nan_left = node["default_left"] if node["missing_type"] == "NaN" else threshold >= 0  # else a NaN counts as 0
    return node["split_feature"], threshold, nan_left, node["left_child"], node["right_child"]


def _xgboost(model: Any) -> tuple[list[Any], _Read]:
    return [json.loads(tree) for tree in model.get_dump(dump_format="json")], _read_xgboost


def _read_xgboost(node: dict[str, Any]) -> float | _Split:
    if "leaf" in node:
        return float(node["leaf"])
    children = {child["nodeid"]: child for child in node["children"]}
    column, threshold = int(node["split"].removeprefix("f")), float(np.float32(node["split_condition"]))
    return column, threshold, node["missing"] == node["yes"], children[node["yes"]], children[node["no"]]


_READERS = {"lightgbm": _lightgbm, "xgboost": _xgboost}
