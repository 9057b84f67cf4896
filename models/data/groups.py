"""Reads which fields belong together: those of one antibody, plate or cell are not independent, so share a fold."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.counted import counted
from engine.csv_table import read_csv_table
from engine.errors import InputError
from engine.ids import names_alike, no_match, shown

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Groups:
    """Which fields belong together.

    Attributes
    ----------
    numbers : ndarray of int64, shape (n_fields,)
        From 0 in order of first appearance; fields of one number belong together.
    named : ndarray of bool, shape (n_fields,)
        False for a field without a given group, which forms a group by itself.
    """

    numbers: np.ndarray
    named: np.ndarray


def read_groups(path: Path, ids: Sequence[str]) -> Groups:
    """Read which fields belong together.

    Parameters
    ----------
    path : Path
        A csv with columns Id and Group; further columns (CellLine) are ignored.
    ids : sequence of str
        The fields wanted, in this order.

    Raises
    ------
    InputError
        If the file or a column is missing, an Id comes twice, or no field is named.
    """
    table = read_csv_table(path, ("Id", "Group"), "a table of groups has the columns Id and Group")
    group_of = dict(zip(table.cells["Id"], table.cells["Group"], strict=True))
    if len(ids) and not any(field in group_of for field in ids):
        example = f" ({no_match(next(iter(group_of)), ids, path)})" if group_of else ""
        raise InputError(
            f"{path}: none of the {counted(len(ids), 'field')} is named in it{example}. Give the table that belongs to "
            "these fields, or leave it out."
        )
    names = [group_of.get(field) or None for field in ids]
    if alike := names_alike(name for name in names if name):
        _log.warning(
            "%s: %s differ only in upper and lower case, and count as two groups: %s. If they are one, write them "
            "alike: otherwise fields of one group are in training and validation folds.",
            path, counted(len(alike), "pair of names", "pairs of names"), " and ".join(map(shown, alike[0])),
        )  # fmt: skip
    return groups_of_names(ids, names)


def groups_from_ids(ids: Sequence[str]) -> Groups:
    """Antibodies from ids of public HPA fields (antibody_plate_well_field): the part before the first underscore.

    Ids without an underscore, such as Kaggle's, give no group.
    """
    return groups_of_names(ids, [field.split("_")[0] if "_" in field else None for field in ids])


def groups_of_names(ids: Sequence[str], names: Sequence[str | None]) -> Groups:
    """Fields of one name form a group; a field without a name forms one by itself."""
    keys = [("field", field) if name is None else ("group", name) for field, name in zip(ids, names, strict=True)]
    seen: dict[tuple[str, str], int] = {}
    numbers = np.array([seen.setdefault(key, len(seen)) for key in keys], np.int64)
    return Groups(numbers, np.array([name is not None for name in names], bool))
