"""The kinds of first-level model, one module each: LightGBM, XGBoost and a linear model.

Every member module has the same functions:

- `prepare(values, device)` bins or factorises the training values once for all organelles. The values are an array, or
  `fold_model.Rows`, which are read in parts.
- `train(prepared, labels, weights, rounds, seed)` fits the model of one organelle.
- `score(model, values)` gives one score a field.
- `save(model, path)` writes the model, and `load(path, n_columns)` reads it after checking the whole file.

and the same constants: SUFFIX of its model files; VERSION of its library and SETTINGS, which enter the stamp;
RARE_EXPONENTS and COMMON_EXPONENTS, the class-weight exponents to try.
"""

from importlib import import_module
from types import ModuleType

MEMBERS: tuple[str, ...] = ("lightgbm", "xgboost", "linear")
"""All members in the order of the score matrix."""


def member(name: str) -> ModuleType:
    """The module of a member; imported on demand, because each library takes a second to load."""
    return import_module(f"models.first_level.{name}")
