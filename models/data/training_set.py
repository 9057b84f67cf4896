"""The training set: features, labels and groups of the training fields."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from engine.counted import counted
from engine.errors import InputError
from models.data.duplicates import join, near_identical
from models.data.labels import Groups, groups_from_ids, read_groups, read_labels
from store.matrix import FieldMatrix, read_fields, read_hashes
from store.run_folder import RunFolder


@dataclass(frozen=True)
class TrainingSet:
    """Measured fields with their labels and groups, in the order of the matrix.

    Attributes
    ----------
    matrix : FieldMatrix
    labels : ndarray of bool, shape (n_fields, 28)
    groups : ndarray of int64, shape (n_fields,)
        Fields of one number share a fold.
    groups_from : str
        Where the groups come from, in words.
    groups_given : Groups
        The groups before near-identical fields were joined.
    test : DataFrame
        Ids and hashes of the test fields; empty if none were extracted.
    duplicates : ndarray of int64, shape (n_pairs, 2)
        Near-identical fields, as row numbers of the training fields and then the test fields.
    n_unmeasured : int
        Labelled fields without features: images missing or unusable.
    """

    matrix: FieldMatrix
    labels: np.ndarray
    groups: np.ndarray
    groups_from: str
    groups_given: Groups
    test: pd.DataFrame
    duplicates: np.ndarray
    n_unmeasured: int


def read_training_set(data: Path, folder: RunFolder, groups: Path | None, covariates: bool) -> TrainingSet:
    """Read features, labels and groups of the training fields.

    Parameters
    ----------
    data : Path
        Folder with train.csv and optionally groups.csv.
    folder : RunFolder
    groups : Path or None
        Another table of groups.
    covariates : bool
        Keep the columns that depend on how a field was acquired.

    Raises
    ------
    InputError
        If a table is missing or does not fit.
    """
    matrix = read_fields(folder, "train", data, covariates)
    labels = read_labels(data / "train.csv")
    measured = set(matrix.ids)
    given, source = find_groups(data, groups, matrix.ids)
    test = read_hashes(folder.matrix("test")) if folder.matrix("test").is_file() else matrix.metadata[:0]
    pairs = near_identical(matrix.metadata, test)
    joined = join(given.numbers, pairs[pairs[:, 1] < len(matrix.ids)])
    unmeasured = sum(field not in measured for field in labels.ids)
    return TrainingSet(matrix, labels.of(matrix.ids), joined, source, given, test, pairs, unmeasured)


def find_groups(data: Path, path: Path | None, ids: tuple[str, ...]) -> tuple[Groups, str]:
    """The groups of the fields, from a table or else from their ids; and where they come from, in words."""
    if path is not None and not path.is_file():
        raise InputError(f"{path} does not exist. Name a table with the columns Id and Group, or leave --groups out.")
    if path is None and (data / "groups.csv").is_file():
        path = data / "groups.csv"
    groups = groups_from_ids(ids) if path is None else read_groups(path, ids)
    source = f"{'ids' if path is None else path} and near-identical fields"
    n_alone = int((~groups.named).sum()) if groups.named.any() else 0
    if n_alone:
        source += f"; not named there, so each a group of its own: {counted(n_alone, 'field')}"
    return groups, source
