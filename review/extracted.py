"""The fields that were extracted, in the order of the page: training fields first."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from engine.errors import InputError
from store.matrix import read_columns, read_hashes
from store.run_folder import SPLITS, RunFolder
from store.schema import METADATA_ID


@dataclass(frozen=True)
class Extracted:
    """The n fields of a run.

    Attributes
    ----------
    in_split : dict of str to tuple of str
        The ids in the matrix of each split.
    kept : ndarray of bool
        Which rows of these matrices, one after the other, are the n fields: one in both splits is a training field.
    columns : DataFrame
        The structured columns of cells and fields.
    """

    in_split: dict[str, tuple[str, ...]]
    kept: np.ndarray
    columns: pd.DataFrame

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The n fields."""
        everywhere = (field for ids in self.in_split.values() for field in ids)
        return tuple(field for field, kept in zip(everywhere, self.kept, strict=True) if kept)

    @property
    def split(self) -> np.ndarray:
        """The split of each field, "train" or "test": str, shape (n,)."""
        return np.concatenate([np.full(len(ids), name) for name, ids in self.in_split.items()])[self.kept]


def read_extracted(folder: RunFolder, data: Path) -> Extracted:
    """Read which fields a run has; error messages name the data folder of config.json, or else `data`.

    Raises
    ------
    InputError
        If nothing was extracted.
    """
    columns = read_columns(folder, data)
    there = [split for split in SPLITS if folder.matrix(split).is_file()]
    if not there:
        raise InputError(
            f"{folder.matrix('train')} is missing: extraction was not finished. Run {folder.command('extract', data)}."
        )
    in_split = {split: tuple(read_hashes(folder.matrix(split))[METADATA_ID]) for split in there}
    everywhere = [field for ids in in_split.values() for field in ids]
    return Extracted(in_split, ~pd.Index(everywhere).duplicated(), columns)
