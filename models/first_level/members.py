"""The first-level models: a member is a kind of model on sets of columns, e.g. "lightgbm" or "linear-protein".

Every kind is one module with the same functions:

- `prepare(values, parameters, device)` bins or factorises the training values; organelles with the same columns share
  it. The values are an array, or `fold_model.Rows`, which are read in parts.
- `train(prepared, labels, weights, parameters, seed)` fits the model of one organelle.
- `score(model, values)` gives one score a field.
- `save(model, path, names)` writes the model, with the names of its columns if the format has a place for them, and
  `load(path, n_columns)` reads it after checking the whole file.

and the constants SUFFIX, of its model files, and VERSION, of its library. Those that are not boosters have in addition
`score_several(models, values)`: what the organelles of a fold share is computed once. The kernel has `save_shared`: its
organelles share a file. Parameters and their defaults: `models.first_level.defaults`.
"""

from importlib import import_module
from types import ModuleType

KINDS: tuple[str, ...] = ("lightgbm", "xgboost", "linear", "kernel")
BOOSTERS: tuple[str, ...] = ("lightgbm", "xgboost")

COLUMN_SETS: tuple[str, ...] = ("protein", "landmarks", "embedding")
"""Sets of columns: classical ones that look at the protein, the other classical ones, and those of a network."""


def kind_of(name: str) -> str:
    """The kind of a member, e.g. "linear" of "linear-protein"."""
    return name.partition("-")[0]


def column_sets_of(name: str) -> tuple[str, ...]:
    """The sets of columns of a member, e.g. protein and embedding of "linear-protein+embedding"; none for all columns.

    Boosters get the columns of all of them; a linear model shrinks each set as if it had as many columns as the others.
    """
    return tuple(name.partition("-")[2].split("+")) if "-" in name else ()


def is_member(name: str) -> bool:
    """Whether there is such a member."""
    sets = column_sets_of(name)
    several = len(sets) < 2 or kind_of(name) != "kernel"  # distances know no shrinkage of single columns
    return kind_of(name) in KINDS and len(set(sets)) == len(sets) and set(sets) <= set(COLUMN_SETS) and several


def member(name: str) -> ModuleType:
    """The module of a member's kind; imported on demand, because each library takes a second to load."""
    return import_module(f"models.first_level.{kind_of(name)}")
