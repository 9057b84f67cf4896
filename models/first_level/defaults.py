"""Members and their parameters by the table's shape: how many rows and columns there are to learn from.

Narrow and small settings were chosen on real tables (docs/benchmarks.md, "Settings by the table's shape"), those of
long and large tables on simulated values: no real table at hand is long or large. The borders in rows are guesses.
"""

from typing import Any

from models.first_level.members import kind_of

NARROW_COLUMNS = 200
LONG_ROWS = 6_000
"""Fewest rows of a narrow table that gets more and deeper trees."""
SMALL_ROWS = 2_000
KERNEL_ROWS = 20_000
"""Most rows of a table that gets a kernel member: it holds a row's similarities to all landmarks in memory."""

_SHAPES = ("narrow", "narrow and long", "small", "large")

_PARAMETERS: dict[str, tuple[dict[str, Any], ...]] = {
    "lightgbm": (
        {"columns": 0, "rounds": 70, "learning_rate": 0.14, "num_leaves": 31, "min_data_in_leaf": 10,
         "feature_fraction": 1.0, "lambda_l2": 0.0, "extra_trees": True, "max_bin": 127, "weight_exponent": 0.5},
        {"columns": 0, "rounds": 100, "learning_rate": 0.1, "num_leaves": 31, "min_data_in_leaf": 10,
         "feature_fraction": 1.0, "lambda_l2": 0.0, "extra_trees": True, "max_bin": 255, "weight_exponent": 0.5},
        {"columns": 0, "rounds": 150, "learning_rate": 0.1, "num_leaves": 15, "min_data_in_leaf": 5,
         "feature_fraction": 0.2, "lambda_l2": 1.0, "extra_trees": True, "max_bin": 255, "weight_exponent": 0.5},
        {"columns": 200, "rounds": 200, "learning_rate": 0.07, "num_leaves": 15, "min_data_in_leaf": 10,
         "feature_fraction": 0.4, "lambda_l2": 0.0, "extra_trees": False, "max_bin": 255, "weight_exponent": 0.5},
    ),
    "xgboost": (
        {"columns": 0, "rounds": 80, "learning_rate": 0.15, "max_depth": 5, "colsample_bynode": 0.4,
         "subsample": 0.7, "lambda": 3.0, "max_bin": 64, "base_score": 0.5, "weight_exponent": 0.0},
        {"columns": 0, "rounds": 120, "learning_rate": 0.1, "max_depth": 6, "colsample_bynode": 0.4,
         "subsample": 0.7, "lambda": 3.0, "max_bin": 64, "base_score": 0.5, "weight_exponent": 0.0},
        {"columns": 0, "rounds": 150, "learning_rate": 0.1, "max_depth": 3, "colsample_bynode": 0.1,
         "subsample": 0.7, "lambda": 3.0, "max_bin": 64, "base_score": 0.5, "weight_exponent": 0.0},
        {"columns": 200, "rounds": 150, "learning_rate": 0.1, "max_depth": 3, "colsample_bynode": 0.3,
         "subsample": 1.0, "lambda": 20.0, "max_bin": 256, "base_score": 0.5, "weight_exponent": 0.0},
    ),
    "linear": ({"shrinkage": 0.1},) * len(_SHAPES),
    "kernel": ({"landmarks": 1000, "gamma": 0.5},) * len(_SHAPES),
}  # fmt: skip


def shape_of(n_rows: int, n_columns: int) -> str:
    """The table's shape: narrow (up to 200 columns; long from 6,000 rows), else small (under 2,000 rows) or large."""
    if n_columns <= NARROW_COLUMNS:
        return "narrow" if n_rows < LONG_ROWS else "narrow and long"
    return "small" if n_rows < SMALL_ROWS else "large"


def default_members(n_rows: int, n_columns: int, sets: tuple[str, ...]) -> tuple[str, ...]:
    """The members for a table.

    Parameters
    ----------
    n_rows, n_columns : int
    sets : tuple of str
        The sets of columns that the table has.
    """
    if n_columns <= NARROW_COLUMNS:
        return ("lightgbm", "xgboost", "linear") + (("kernel",) if n_rows <= KERNEL_ROWS else ())
    embedded = "embedding" in sets and {"protein", "landmarks"} <= set(sets)
    if shape_of(n_rows, n_columns) == "small":
        return _of_small_tables("-protein" if "protein" in sets else "", embedded)
    if embedded:  # boosters take the embedding apart from the classical columns
        boosters = [f"{kind}-{of}" for kind in ("lightgbm", "xgboost") for of in ("protein+landmarks", "embedding")]
        return *boosters, "linear"
    return "lightgbm", "xgboost", "linear"


def _of_small_tables(protein: str, embedded: bool) -> tuple[str, ...]:
    """With few fields, columns that do not measure the protein are mostly noise: only XGBoost gets them.

    Linear models take the embedding, because boosters on it are weaker. Measured: docs/benchmarks.md, "Members of small
    tables".
    """
    if embedded:
        return "lightgbm-protein", "xgboost-protein+landmarks", "linear-protein+embedding", "linear-embedding"
    return f"lightgbm{protein}", "xgboost", f"linear{protein}", f"kernel{protein}"


def default_parameters(name: str, n_rows: int, n_columns: int) -> dict[str, Any]:
    """A member's parameters for a table of this shape.

    `columns` is how many columns of its set each organelle gets (0: all), `rounds` the number of trees,
    `weight_exponent` that of the class weights; the others mean what they mean in the library, or in the kind's module.
    """
    return dict(_PARAMETERS[kind_of(name)][_SHAPES.index(shape_of(n_rows, n_columns))])
