"""Per-cell features: every public module in this folder is one family, with `columns()` and `measure(cells, device)`.

Adding a family is adding one file. Plumbing has a leading underscore.
"""

from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np

from features._cells import Cells
from features._device import Device
from features._table import Column, FeatureTable


def families() -> dict[str, ModuleType]:
    """The families by name, in alphabetical order."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))
    return {name: import_module(f"features.{name}") for name in names}


def columns() -> tuple[Column, ...]:
    """The columns of all families, in the order of `featurize`."""
    return tuple(column for family in families().values() for column in family.columns())


def measure_families(cells: Cells, device: Device) -> np.ndarray:
    """All families' values on the device, float32, (n_cells, n_columns)."""
    return device.xp.concatenate([family.measure(cells, device) for family in families().values()], axis=1)


def featurize(cells: Cells, device: Device) -> FeatureTable:
    """Measure every family on a batch.

    Parameters
    ----------
    cells : Cells
    device : Device

    Returns
    -------
    FeatureTable
        One row a cell in the order of the batch's ids; float32, NaN where a value does not exist.
    """
    return FeatureTable(columns(), device.get(measure_families(cells, device)))
