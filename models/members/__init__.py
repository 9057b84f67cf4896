"""The kinds of first-level model. Each module makes the data ready once, then trains one model an organelle on it.

A member module has SUFFIX, VERSION, SETTINGS, RARE_STRENGTHS and COMMON_STRENGTHS (of class weights, to try), and
`prepare(values, device)` (values: an array, or `models.units.Rows` to read part by part), `train(prepared, labels,
weights, rounds, seed)`, `score(model, values)`, `save(model, path)` and `load(path, n_columns)`, which believes nothing
that the file says without a check.
"""

from importlib import import_module
from types import ModuleType

MEMBERS: tuple[str, ...] = ("lightgbm", "xgboost", "linear")
"""All members in the order of the score matrix."""

_MODULES = {"lightgbm": "lgb", "xgboost": "xgb", "linear": "linear"}


def member(name: str) -> ModuleType:
    """The module of a member; imported only when asked for, because each library takes a second to load."""
    return import_module(f"{__name__}.{_MODULES[name]}")
