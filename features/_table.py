"""Feature columns with validated names, in the Cell Painting form that CellProfiler and pycytominer read at sight."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from features._channels import COMPARTMENTS, IMAGE, Channel

_TOKEN = re.compile(r"[A-Za-z0-9.\-]+")


@dataclass(frozen=True)
class Column:
    """One feature: `Compartment_Family_Feature_Channel…_Parameter…`.

    Attributes
    ----------
    compartment : str
        Cells, Nuclei or Cytoplasm; Image for what is measured on the field as a whole.
    family, feature : str
        CamelCase tokens, e.g. Texture, Contrast.
    channels : tuple of Channel
        The stained channels it is computed from; empty for shape.
    parameters : tuple of str
        Further tokens, e.g. ("3", "mean", "32"). Numbers may be given as int.
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
    parameters: tuple[str, ...] = ()
    covariate: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameters", tuple(str(parameter) for parameter in self.parameters))
        if self.compartment not in (*COMPARTMENTS, IMAGE):
            raise ValueError(f"compartment {self.compartment!r} is not one of {', '.join(COMPARTMENTS)}")
        for token in (self.family, self.feature, *self.parameters):
            if not _TOKEN.fullmatch(token):
                raise ValueError(f"token {token!r} of column {self.name} must be letters, digits, dots or hyphens")

    @property
    def name(self) -> str:
        """The column's name in tables."""
        tokens = (self.compartment, self.family, self.feature, *(c.name for c in self.channels), *self.parameters)
        return "_".join(tokens)


def columns_frame(columns: Iterable[Column]) -> pd.DataFrame:
    """The structured form of columns.parquet: one row a column, so that no code ever parses a name.

    Returns
    -------
    DataFrame
        name, compartment, family, feature, channels ("Protein ER"), parameters ("3 mean 32"), covariate.
    """
    rows = [
        (c.name, c.compartment, c.family, c.feature, " ".join(ch.name for ch in c.channels), " ".join(c.parameters),
         c.covariate)
        for c in columns
    ]  # fmt: skip
    names = ["name", "compartment", "family", "feature", "channels", "parameters", "covariate"]
    return pd.DataFrame(rows, columns=names).astype({"covariate": bool})


@dataclass(frozen=True)
class FeatureTable:
    """Features of cells: one row a cell, in the order of the batch.

    Attributes
    ----------
    columns : tuple of Column
    values : ndarray of float32, shape (n_cells, n_columns)
        NaN where a value does not exist.
    """

    columns: tuple[Column, ...]
    values: np.ndarray

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(self.columns):
            raise ValueError(f"values of shape {self.values.shape} do not fit {len(self.columns)} columns")
        if self.values.dtype != np.float32:
            raise ValueError(f"values must be float32, not {self.values.dtype}")
