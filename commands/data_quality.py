"""Data quality tables: near-identical fields of all splits, and likely label errors."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from engine.counted import counted
from engine.errors import InputError
from engine.files import whole
from models.data.duplicates import bits_apart, hashes_of, turned
from models.data.training_set import TrainingSet
from models.fitted import Fitted
from models.trust.label_errors import label_errors_table
from store.csv_results import read_results
from store.run_folder import RunFolder
from store.schema import DUPLICATES, LABEL_ERRORS, METADATA_ID


def write_duplicates(folder: RunFolder, training: TrainingSet) -> pd.DataFrame:
    """Write duplicates.csv, the near-identical fields within and between the splits, the most similar first."""
    ids = [*training.matrix.ids, *training.test[METADATA_ID]]
    split = ["train"] * len(training.labels) + ["test"] * len(training.test)
    hashes = hashes_of(training.matrix.metadata, training.test)
    first, second = training.duplicates.T
    apart = bits_apart(turned(hashes[first]), hashes[second])
    pairs = zip(first, second, apart.tolist(), strict=True)
    rows = [(ids[i], ids[j], *_pair_facts(training, split, i, j), bits) for i, j, bits in pairs]
    columns = ["first", "second", "where", "same_labels", "groups", "bits"]
    table = pd.DataFrame(rows, columns=columns).sort_values(["bits", "first", "second"], kind="stable")
    table = table[list(DUPLICATES)].reset_index(drop=True)
    with whole(folder.duplicates) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
    return table


def _pair_facts(training: TrainingSet, split: list[str], i: int, j: int) -> tuple[str, str, str]:
    """The columns where, same_labels and groups of a pair (see `store.schema.DUPLICATES`)."""
    if split[i] != split[j]:
        return "train and test", "", ""
    if split[i] == "test":
        return "test", "", ""
    same = "yes" if (training.labels[i] == training.labels[j]).all() else "no"
    numbers = training.groups_given.numbers
    return "train", same, "same" if numbers[i] == numbers[j] else "joined"


def write_label_errors(folder: RunFolder, fitted: Fitted) -> pd.DataFrame:
    """Write label_errors.csv: labels that the held-out models confidently contradict."""
    rows = np.flatnonzero(fitted.fold >= 0)
    table = label_errors_table(
        tuple(fitted.ids[i] for i in rows), fitted.classes, fitted.labels[rows], fitted.probabilities[rows],
        fitted.trainable, fitted.groups[rows],
    )  # fmt: skip
    with whole(folder.label_errors) as temporary:
        table.to_csv(temporary, index=False, float_format="%.4f", lineterminator="\n")
    return table


@dataclass(frozen=True)
class DataQuality:
    """The tables duplicates.csv and label_errors.csv."""

    duplicates: pd.DataFrame
    label_errors: pd.DataFrame

    def lines(self, folder: RunFolder) -> tuple[str, ...]:
        """The number of pairs and of label errors, and their files."""
        across = int((self.duplicates["where"] == "train and test").sum())
        between = f" ({across} between train and test)" if len(self.duplicates) else ""
        return (
            f"{counted(len(self.duplicates), 'pair')} of near-identical fields{between} in {folder.duplicates}",
            f"{counted(len(self.label_errors), 'label')} to check in {folder.label_errors}",
        )


def write_data_quality(folder: RunFolder, fitted: Fitted, training: TrainingSet) -> DataQuality:
    """Write both tables."""
    return DataQuality(write_duplicates(folder, training), write_label_errors(folder, fitted))


def read_duplicates(folder: RunFolder) -> pd.DataFrame:
    """Read duplicates.csv, all but `bits` as text; raises InputError if it is missing."""
    return _read(folder, folder.duplicates, DUPLICATES, {"bits": int})


def read_label_errors(folder: RunFolder) -> pd.DataFrame:
    """Read label_errors.csv; raises InputError if it is missing."""
    numbers = {"probability": float, "usual": float, "doubt": float, "similar_with": int, "similar": int}
    return _read(folder, folder.label_errors, LABEL_ERRORS, numbers)


def _read(folder: RunFolder, path: Path, columns: Sequence[str], numbers: dict[str, type]) -> pd.DataFrame:
    remedy = f"Run {folder.command('fit')} again."
    if not path.is_file():
        raise InputError(f"{path} is missing: an older version fitted this run. {remedy}")
    return read_results(path, columns, numbers, remedy)
