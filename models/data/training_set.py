"""The training set: features, labels and groups of the training fields."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from engine.counted import counted
from engine.errors import InputError
from engine.ids import shown
from models.data.corrected_labels import CORRECTED, TRAIN, CorrectedLabels, read_corrected_labels
from models.data.duplicates import join, near_identical
from models.data.groups import Groups, groups_from_ids, groups_of_names, read_groups
from models.data.targets import class_counts
from store.classes import Classes
from store.matrix import FieldMatrix, read_fields, read_hashes
from store.places import NOWHERE, Places, read_places
from store.run_folder import RunFolder
from store.schema import METADATA_ID

_log = logging.getLogger(__name__)


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
        Fields of train.csv without features: images missing or unusable.
    n_corrected : int
        Training fields with other labels than train.csv gives them.
    n_unusable, n_unlabelled : int
        Fields left out: marked as unusable in corrections.csv; without any label.
    n_of_test, n_unknown : int
        Fields that only corrections.csv labels or marks as unusable: test fields; fields that were not measured.
    remarks : tuple of str
        How the labels were read and how many fields carry each class of the lab's own, in sentences.
    own_classes : bool
        Whether every label was taken as the name of a class of the lab's own.
    places : Places
        Plates, wells and the like of the fields.
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
    n_of_test: int = 0
    n_unknown: int = 0
    remarks: tuple[str, ...] = ()
    own_classes: bool = False
    places: Places = NOWHERE


def read_training_set(
    data: Path, folder: RunFolder, groups: Path | None, covariates: bool, own_classes: bool = False,
    fields_table: Path | None = None,
) -> TrainingSet:  # fmt: skip
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
    fields_table : Path or None
        A table of the fields' plates, wells and lines, instead of those in the data folder.

    Raises
    ------
    InputError
        If a table is missing or does not fit.
    """
    measured = read_fields(folder, "train", data, covariates)
    corrected = read_corrected_labels(data, own_classes=own_classes)
    _warn_of_unfinished(data / CORRECTED, corrected.unfinished)
    matrix, n_unusable, n_unlabelled = _labelled(measured, set(corrected.labels.ids), corrected.unusable, data)
    places = read_places(data, folder.measured("train"), matrix.ids, fields_table)
    given, source = find_groups(data, groups, matrix.ids, places)
    test = read_hashes(folder.matrix("test")) if folder.matrix("test").is_file() else matrix.metadata[:0]
    pairs = near_identical(matrix.metadata, test)
    joined = join(given.numbers, pairs[pairs[:, 1] < len(matrix.ids)])
    labels, elsewhere = corrected.labels.of(matrix.ids), corrected.added - set(measured.ids)
    n_of_test = len(elsewhere & set(test[METADATA_ID]))
    return TrainingSet(
        matrix, corrected.labels.classes, labels, joined, source, given, test, pairs,
        len(corrected.given - corrected.unusable - set(measured.ids)),
        corrected.count(matrix.ids), n_unusable, n_unlabelled, n_of_test, len(elsewhere) - n_of_test,
        _remarks(corrected, labels), own_classes, places,
    )  # fmt: skip


def _warn_of_unfinished(path: Path, line: str) -> None:
    if line:
        _log.warning(
            "%s: the last line (%s) has no line break at its end and is ignored, as if a crash had cut it off; "
            "add one if the line is whole", path, shown(line),
        )  # fmt: skip


def _remarks(corrected: CorrectedLabels, labels: np.ndarray) -> tuple[str, ...]:
    """How the labels were read, and how many of the fields that are learnt carry each class of the lab's own."""
    given = corrected.labels
    return (*(class_counts(given.classes, labels) if given.own else ()), *given.remarks)


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


def _groups_table(data: Path, path: Path | None) -> Path | None:
    """The table of groups that is read: the one named, or groups.csv if it is there."""
    if path is not None and not path.is_file():
        raise InputError(f"{path} does not exist. Name a table with the columns Id and Group, or leave --groups out.")
    beside = data / "groups.csv"
    return path if path is not None else beside if beside.is_file() else None


def find_groups(data: Path, path: Path | None, ids: tuple[str, ...], places: Places = NOWHERE) -> tuple[Groups, str]:
    """The groups of the fields and where they come from, in words: a table, the wells, or a guess from the ids."""
    path, well = _groups_table(data, path), places.find("well")
    if path is not None:
        groups, origin = read_groups(path, ids), str(path)
    elif well is not None:
        plate = places.columns[places.find("plate") or well]
        wells = zip(plate, places.columns[well], strict=True)
        groups = groups_of_names(ids, [f"{one} {other}" if other else None for one, other in wells])
        origin = f"the wells in {places.source}"
    else:
        groups, origin = groups_from_ids(ids), "ids"
    source = f"{origin} and near-identical fields"
    n_alone = int((~groups.named).sum()) if groups.named.any() else 0
    if n_alone:
        source += f"; not named there, so each a group of its own: {counted(n_alone, 'field')}"
    return groups, source
