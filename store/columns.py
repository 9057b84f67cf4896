"""Feature columns with validated names, in the form that CellProfiler and pycytominer use."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from engine.files import whole
from store.channels import COMPARTMENTS, IMAGE, Channel
from store.schema import COLUMNS

_TOKEN = re.compile(r"[A-Za-z0-9.\-]+")


@dataclass(frozen=True)
class Column:
    """One feature: `Compartment_Family_Feature_Channel…_Parameter…`.

    Attributes
    ----------
    compartment : str
        Cells, Nuclei or Cytoplasm; Image for features of the whole field.
    family, feature : str
        CamelCase tokens, e.g. Texture, Contrast.
    channels : tuple of Channel
        The channels that it is computed from; empty for shape.
    parameters : tuple of str
        Further tokens, e.g. ("3", "mean", "32"). Numbers may be given, and become text.
    covariate : bool
        True if the value depends on how the field was acquired (sizes in pixels, the finest spectrum), so that a fit
        can leave it out.

    Raises
    ------
    ValueError
        If a token is empty or holds an underscore, or the compartment is unknown.
    """

    compartment: str
    family: str
    feature: str
    channels: tuple[Channel, ...] = ()
    parameters: tuple[str | int | float, ...] = ()
    covariate: bool = False

    def __post_init__(self) -> None:
        parameters = tuple(map(str, self.parameters))
        object.__setattr__(self, "parameters", parameters)
        if self.compartment not in (*COMPARTMENTS, IMAGE):
            raise ValueError(f"compartment {self.compartment!r} is not one of {', '.join(COMPARTMENTS)}")
        for token in (self.family, self.feature, *parameters):
            if not _TOKEN.fullmatch(token):
                raise ValueError(f"token {token!r} of column {self.name} must be letters, digits, dots or hyphens")

    @cached_property
    def name(self) -> str:
        """The column's name in tables."""
        tokens = (self.compartment, self.family, self.feature, *(c.name for c in self.channels))
        return "_".join((*tokens, *map(str, self.parameters)))


def columns_frame(columns: Iterable[Column]) -> pd.DataFrame:
    """The rows of columns.parquet, one for each column, so that no code parses a name.

    Returns
    -------
    DataFrame
        name, compartment, family, feature, channels (tuple of names), parameters (tuple of str), covariate.
    """
    rows = [
        (
            c.name,
            c.compartment,
            c.family,
            c.feature,
            tuple(ch.name for ch in c.channels),
            tuple(map(str, c.parameters)),
            c.covariate,
        )
        for c in columns
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"covariate": bool})


def write_column_table(path: Path, columns: pd.DataFrame) -> None:
    """Write the result of `columns_frame` as columns.parquet, channels and parameters as lists of text."""
    several = pa.list_(pa.string())
    types = {"channels": several, "parameters": several, "covariate": pa.bool_()}
    schema = pa.schema([(name, types.get(name, pa.string())) for name in COLUMNS])
    with whole(path) as temporary:
        pq.write_table(pa.Table.from_pandas(columns[list(COLUMNS)], schema, preserve_index=False), temporary)


def values_by_column(table: pa.Table) -> np.ndarray:
    """The values of a table whose columns are all float32: shape (n_columns, n_rows), NaN for what is missing."""
    if not table.num_rows:
        return np.empty((table.num_columns, 0), np.float32)
    [batch] = table.combine_chunks().to_batches()
    return batch.to_tensor(null_to_nan=True, row_major=False).to_numpy().T
