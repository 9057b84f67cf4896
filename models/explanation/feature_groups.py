"""Groups of columns whose importance is measured together: families, channels, compartments, pools and blocks."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from store.channels import PROTEIN

GROUP_LEVELS: tuple[str, ...] = ("block", "family", "channel", "compartment", "pool")
"""A block is what one family measures of the same stains in one compartment, e.g. "Nuclei Texture Protein"."""

PERMUTED_LEVELS: tuple[str, ...] = ("family", "channel", "compartment")

NO_STAIN = "no stain"
"""The channel of columns that are computed from outlines alone."""

WHOLE_FIELD = "whole field"
"""The pool of columns that are measured on the field, not pooled from cells."""


@dataclass(frozen=True)
class Groups:
    """Groups of columns.

    Attributes
    ----------
    level : ndarray of str, shape (n_groups,)
        One of `GROUP_LEVELS`.
    what : ndarray of str, shape (n_groups,)
        Name within the level.
    share : ndarray of float32, shape (n_columns, n_groups)
        How much of a column belongs to a group; over the groups of a level a column's shares sum to 1. A column of two
        channels belongs to each by half.
    """

    level: np.ndarray
    what: np.ndarray
    share: np.ndarray

    @property
    def permuted(self) -> np.ndarray:
        """Which groups are permuted: int, shape (n_permuted,)."""
        return np.flatnonzero(np.isin(self.level, PERMUTED_LEVELS))


def make_groups(columns: pd.DataFrame) -> Groups:
    """Find the groups of a matrix's columns.

    Parameters
    ----------
    columns : DataFrame
        compartment, family, channels, pool; one row a column.
    """
    members = {
        "block": [[block] for block in block_names(columns)],
        "family": [[family] for family in columns["family"]],
        "channel": [list(channels) or [NO_STAIN] for channels in columns["channels"]],
        "compartment": [[compartment] for compartment in columns["compartment"]],
        "pool": [[pool or WHOLE_FIELD] for pool in columns["pool"]],
    }
    level, what, share = [], [], []
    for name, of_column in members.items():
        for group in dict.fromkeys(group for groups in of_column for group in groups):
            level.append(name)
            what.append(group)
            share.append([groups.count(group) / len(groups) for groups in of_column])
    return Groups(np.array(level), np.array(what), np.array(share, np.float32).reshape(-1, len(columns)).T)


def block_names(columns: pd.DataFrame) -> list[str]:
    """The block of each column; which of two stains comes first does not matter."""
    stains = [" ".join(sorted(channels, key=_protein_first)) for channels in columns["channels"]]
    parts = zip(columns["compartment"], columns["family"], stains, strict=True)
    return [" ".join(part for part in names if part) for names in parts]


def _protein_first(channel: str) -> tuple[bool, str]:
    return channel != PROTEIN.name, channel
