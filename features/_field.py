"""What is measured on a field as a whole, beside its cells."""

import numpy as np
import pyarrow as pa

from features._cells import Cells
from features._table import Column


def field_columns() -> tuple[Column, ...]:
    """The field-level features, of compartment "Image"."""
    return (Column("Image", "Count", "Cells"),)


def field_metadata() -> dict[str, pa.DataType]:
    """The Metadata columns that `measure_field` gives beside the features, with their types."""
    return {f"Metadata_Hash{k}": pa.uint64() for k in range(4)}


def measure_field(pixels: np.ndarray, cells: Cells) -> dict[str, object]:
    """Measure one field: a value for each of `field_columns` and `field_metadata`, by name."""
    rng = np.random.default_rng(int(pixels.sum(dtype=np.int64)))
    return {"Image_Count_Cells": float(cells.n)} | {
        f"Metadata_Hash{k}": int(rng.integers(0, 2**63)) for k in range(4)
    }
