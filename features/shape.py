"""Size and outline of the nucleus and the cell."""

import numpy as np

from features._cells import Cells
from features._device import Device
from features._table import Column


def columns() -> tuple[Column, ...]:
    """The family's columns."""
    return (Column("Cells", "AreaShape", "Area", covariate=True), Column("Nuclei", "AreaShape", "Area", covariate=True))


def measure(cells: Cells, device: Device) -> np.ndarray:
    """Measure the family; float32, shape (n_cells, n_columns)."""
    areas = [cells.regions[name].counts for name in ("Cells", "Nuclei")]
    return np.stack(areas, axis=1).astype(np.float32)
