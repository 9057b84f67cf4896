"""Reads the organelle labels of fields, and the groups of fields that belong together.

Labels are Kaggle's: `Id,Target`, where Target holds label numbers 0 to 27 with spaces between. Fields of one group
(antibody, plate, cell) are not independent: a fold never splits a group.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from engine.counted import counted
from engine.csv_table import read_csv_table
from engine.errors import InputError, UsageError
from engine.ids import shown

ORGANELLES: tuple[str, ...] = (
    "Nucleoplasm",
    "Nuclear membrane",
    "Nucleoli",
    "Nucleoli fibrillar center",
    "Nuclear speckles",
    "Nuclear bodies",
    "Endoplasmic reticulum",
    "Golgi apparatus",
    "Peroxisomes",
    "Endosomes",
    "Lysosomes",
    "Intermediate filaments",
    "Actin filaments",
    "Focal adhesion sites",
    "Microtubules",
    "Microtubule ends",
    "Cytokinetic bridge",
    "Mitotic spindle",
    "Microtubule organizing center",
    "Centrosome",
    "Lipid droplets",
    "Plasma membrane",
    "Cell junctions",
    "Mitochondria",
    "Aggresome",
    "Cytosol",
    "Cytoplasmic bodies",
    "Rods & rings",
)
"""The 28 organelles in Kaggle's order: label number 0 is Nucleoplasm."""

_LABEL = re.compile(r"[0-9]{1,9}")


def find_organelle(name: str) -> str:
    """An organelle's full name from any unambiguous part of it, in upper or lower case.

    Raises
    ------
    UsageError
        If no organelle or several match; the message suggests similar names.
    """
    wanted = " ".join(name.split()).casefold()
    known = {one.casefold(): one for one in ORGANELLES}
    parts = [full for key, full in known.items() if wanted and wanted in key]
    if wanted in known or len(parts) == 1:
        return known.get(wanted) or parts[0]
    if parts:
        raise UsageError(f"{name!r} may be {_either(parts)}. Write the whole name.")
    near = [known[key] for key in get_close_matches(wanted, known, n=3, cutoff=0.5)]
    hint = f"Did you mean {_either(near)}?" if near else f"Choose one of: {', '.join(ORGANELLES)}."
    raise UsageError(f"{name!r} is no organelle. {hint}")


def _either(names: Sequence[str]) -> str:
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def folder_name(organelle: int, names: Sequence[str] = ORGANELLES) -> str:
    """The folder of an organelle's models, e.g. 3 -> "03_Nucleoli_fibrillar_center"."""
    return f"{organelle:02d}_" + re.sub(r"[^\w.-]+", "_", names[organelle].replace(" & ", "_and_"))


@dataclass(frozen=True)
class Labels:
    """The labels of some fields.

    Attributes
    ----------
    ids : tuple of str
        Fields, in the order of the file.
    matrix : ndarray of bool, shape (n_fields, 28)
        True where the field carries the organelle.
    """

    ids: tuple[str, ...]
    matrix: np.ndarray

    def of(self, ids: Sequence[str]) -> np.ndarray:
        """The label rows of these fields, in this order: bool, shape (len(ids), 28).

        Raises
        ------
        InputError
            If a field has no labels.
        """
        row = {field: i for i, field in enumerate(self.ids)}
        unknown = [field for field in ids if field not in row]
        if unknown:
            raise InputError(
                f"{len(unknown)} of {len(ids)} fields have no labels (the first is {unknown[0]}). Add their rows to "
                "train.csv, or take their images out of the train folder."
            )
        return self.matrix[[row[field] for field in ids]]


def read_labels(path: Path) -> Labels:
    """Read a table in the form of Kaggle's train.csv.

    Parameters
    ----------
    path : Path
        A csv with columns Id and Target; a byte-order mark, Windows line ends and further columns are accepted.

    Raises
    ------
    InputError
        If the file or a column is missing, an Id comes twice, or a Target is empty or holds an unknown label.
    """
    table = read_csv_table(path, ("Id", "Target"), "Kaggle's train.csv has the columns Id and Target")
    ids, targets = table.cells["Id"], table.cells["Target"]
    matrix = np.zeros((len(ids), len(ORGANELLES)), bool)
    for i, (line, field, target) in enumerate(zip(table.lines, ids, targets, strict=True)):
        matrix[i, _label_numbers(path, line, field, target)] = True
    return Labels(ids, matrix)


def _label_numbers(path: Path, line: int, field: str, target: str) -> list[int]:
    where = f"{path}, line {line}, field {field}"
    tokens = target.split()
    if not tokens:
        raise InputError(
            f"{where}: Target is empty. Every training field needs at least one label number from 0 to 27; take the "
            "row out if the field has none."
        )
    for token in tokens:
        if not (_LABEL.fullmatch(token) and int(token) < len(ORGANELLES)):
            raise InputError(
                f"{where}: unknown label {shown(token)!r}. Labels are whole numbers from 0 ({ORGANELLES[0]}) to "
                f"{len(ORGANELLES) - 1} ({ORGANELLES[-1]}), with spaces between. Labels of your own can be learnt in "
                "Python, with models.estimator.OrganelleClassifier (docs/python.md)."
            )
    return [int(token) for token in tokens]


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
        example = f" (the table starts with {next(iter(group_of))}, the fields with {ids[0]})" if group_of else ""
        raise InputError(
            f"{path}: none of the {counted(len(ids), 'field')} is named in it{example}. Give the table that belongs to "
            "these fields, or leave it out."
        )
    return _numbered(ids, [group_of.get(field) or None for field in ids])


def groups_from_ids(ids: Sequence[str]) -> Groups:
    """Antibodies from ids of public HPA fields (antibody_plate_well_field): the part before the first underscore.

    Ids without an underscore, such as Kaggle's, give no group.
    """
    return _numbered(ids, [field.split("_")[0] if "_" in field else None for field in ids])


def _numbered(ids: Sequence[str], names: Sequence[str | None]) -> Groups:
    keys = [("field", field) if name is None else ("group", name) for field, name in zip(ids, names, strict=True)]
    seen: dict[tuple[str, str], int] = {}
    numbers = np.array([seen.setdefault(key, len(seen)) for key in keys], np.int64)
    return Groups(numbers, np.array([name is not None for name in names], bool))
