"""A member's parameters: which are this project's and which its library's, and from where to where each can be."""

from typing import Any

OURS: tuple[str, ...] = ("columns", "rounds", "weight_exponent")

_ABOVE_0, _BELOW_1, _MOST = 1e-6, 1 - 1e-6, 1e9

LIMITS: dict[str, tuple[float, float]] = {
    "columns": (0, _MOST), "rounds": (1, 100_000), "weight_exponent": (0, 10), "learning_rate": (_ABOVE_0, 10),
    "num_leaves": (2, 131_072), "min_data_in_leaf": (0, _MOST), "feature_fraction": (_ABOVE_0, 1),
    "lambda_l2": (0, _MOST), "max_bin": (2, 10_000), "max_depth": (0, 50), "colsample_bynode": (_ABOVE_0, 1),
    "subsample": (_ABOVE_0, 1), "lambda": (0, _MOST), "base_score": (_ABOVE_0, _BELOW_1),
    "shrinkage": (_ABOVE_0, _MOST), "landmarks": (2, 100_000), "gamma": (_ABOVE_0, _MOST),
}  # fmt: skip
"""Least and most of each number; outside of them a library fails, or nothing is learnt."""


def of_library(parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters to pass to the library."""
    return {name: value for name, value in parameters.items() if name not in OURS}


def check_parameter(name: str, key: str, value: Any, default: Any) -> None:
    """Raise ValueError if a member's parameter is of another kind than its default, or out of its limits."""
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise ValueError(f"[{name}] {key} is {value!r}; expected true or false")
        return
    kinds, kind = ((int, float), "a number") if isinstance(default, float) else ((int,), "a whole number")
    least, most = LIMITS[key]
    if type(value) not in kinds or not least <= value <= most:
        raise ValueError(f"[{name}] {key} is {value!r}; expected {kind} from {least:g} to {most:.10g}")
