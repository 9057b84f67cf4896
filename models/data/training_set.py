"""The training set: features, labels and groups of the training fields."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from engine.counted import counted
from engine.errors import InputError
from models.data.corrected_labels import CORRECTED, TRAIN, read_corrected_labels
from models.data.duplicates import join, near_identical
from models.data.groups import Groups, groups_from_ids, read_groups
from store.classes import Classes
from store.matrix import FieldMatrix, read_fields, read_hashes
from store.run_folder import RunFolder


@dataclass(frozen=True)
class TrainingSet:
    """Measured fields with their labels and groups, in the order of the matrix.

    Attributes
    ----------
    matrix : FieldMatrix
    classes : Classes
    labels : ndarray of bool, shape (n_fields, n_classes)
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
    n_corrected : int
        Training fields with other labels than train.csv gives them.
    n_unusable, n_unlabelled : int
        Fields left out: marked as unusable in corrections.csv; without any label.
    remarks : tuple of str
        How the labels were read, in sentences.
    own_classes : bool
        Whether every label was taken as the name of a class of the lab's own.
    """

    matrix: FieldMatrix
    classes: Classes
    labels: np.ndarray
    groups: np.ndarray
    groups_from: str
    groups_given: Groups
    test: pd.DataFrame
    duplicates: np.ndarray
    n_unmeasured: int
    n_corrected: int = 0
    n_unusable: int = 0
    n_unlabelled: int = 0
    remarks: tuple[str, ...] = ()
    own_classes: bool = False


def read_training_set(
    data: Path, folder: RunFolder, groups: Path | None, covariates: bool, own_classes: bool = False
) -> TrainingSet:
    """Read features, labels and groups of the training fields.

    Parameters
    ----------
    data : Path
        Folder with train.csv and optionally corrections.csv and groups.csv.
    folder : RunFolder
    groups : Path or None
        Another table of groups.
    covariates : bool
        Keep the columns that depend on how a field was acquired.
    own_classes : bool
        Take every label as the name of a class of the lab's own.

    Raises
    ------
    InputError
        If a table is missing or does not fit.
    """
    measured = read_fields(folder, "train", data, covariates)
    corrected = read_corrected_labels(data, own_classes=own_classes)
    matrix, n_unusable, n_unlabelled = _labelled(measured, set(corrected.labels.ids), corrected.unusable, data)
    given, source = find_groups(data, groups, matrix.ids)
    test = read_hashes(folder.matrix("test")) if folder.matrix("test").is_file() else matrix.metadata[:0]
    pairs = near_identical(matrix.metadata, test)
    joined = join(given.numbers, pairs[pairs[:, 1] < len(matrix.ids)])
    return TrainingSet(
        matrix, corrected.labels.classes, corrected.labels.of(matrix.ids), joined, source, given, test, pairs,
        len(set(corrected.labels.ids) - corrected.unusable - set(measured.ids)),
        corrected.count(matrix.ids), n_unusable, n_unlabelled, corrected.labels.remarks, own_classes,
    )  # fmt: skip


def _labelled(
    measured: FieldMatrix, labelled: set[str], unusable: frozenset[str], data: Path
) -> tuple[FieldMatrix, int, int]:
    """The measured fields that can be learnt from, and how many are unusable or have no label.

    Fields without a label are left out only where people label in steps, so that there is a corrections.csv.
    """
    out = np.array([field in unusable for field in measured.ids], bool)
    without = np.array([field not in labelled for field in measured.ids], bool) & ~out
    if not (data / CORRECTED).is_file():
        return measured, 0, 0
    if (out | without).all():
        raise InputError(
            f"none of the {counted(len(measured.ids), 'measured field')} has a label in {data / TRAIN} or "
            f"{data / CORRECTED}. Label some with `review`."
        )
    kept = measured if not (out | without).any() else measured.rows(~(out | without))
    return kept, int(out.sum()), int(without.sum())


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
