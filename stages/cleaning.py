"""Tables to clean a data set by: near-identical fields of all splits, and labels that the models doubt."""

from pathlib import Path

import numpy as np
import pandas as pd

from engine.counted import counted
from engine.errors import InputError
from engine.files import whole
from engine.ids import shown
from engine.run_folder import RunFolder
from features._field import hamming, turned
from models.doubts import suspects_table
from models.duplicates import DUPLICATE_COLUMNS
from models.fitted import Fitted
from stages.fitting import TrainingSet, hashes_of


def write_duplicates(folder: RunFolder, training: TrainingSet) -> pd.DataFrame:
    """Write duplicates.csv, the near-identical fields within and between the splits, the most alike first."""
    ids = [*training.matrix.ids, *training.test["Metadata_Id"]]
    split = ["train"] * len(training.labels) + ["test"] * len(training.test)
    hashes = hashes_of(training.matrix.metadata, training.test)
    first, second = training.duplicates.T
    apart = hamming(turned(hashes[first]), hashes[second]).sum(-1).min(0)
    pairs = zip(first, second, apart.tolist(), strict=True)
    rows = [(ids[i], ids[j], *_told(training, split, i, j), bits) for i, j, bits in pairs]
    columns = ["first", "second", "where", "same_labels", "groups", "bits"]
    table = pd.DataFrame(rows, columns=columns).sort_values(["bits", "first", "second"], kind="stable")
    table = table[DUPLICATE_COLUMNS].reset_index(drop=True)
    with whole(folder.duplicates) as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")
    return table


def _told(training: TrainingSet, split: list[str], i: int, j: int) -> tuple[str, str, str]:
    """Where a pair lies; if its labels are the same; if the groups as given held it together, or the hashes did."""
    if split[i] != split[j]:
        return "train and test", "", ""
    if split[i] == "test":
        return "test", "", ""
    same = "yes" if (training.labels[i] == training.labels[j]).all() else "no"
    numbers = training.groups_given.numbers
    return "train", same, "same" if numbers[i] == numbers[j] else "joined"


def write_suspects(folder: RunFolder, fitted: Fitted, training: TrainingSet) -> pd.DataFrame:
    """Write suspects.csv: labels of the fields in folds that models, which have not seen the field, disagree with."""
    rows = np.flatnonzero(fitted.fold >= 0)
    table = suspects_table(
        tuple(training.matrix.ids[i] for i in rows), training.labels[rows], fitted.probabilities[rows],
        fitted.evaluable, training.groups[rows],
    )  # fmt: skip
    with whole(folder.suspects) as temporary:
        table.to_csv(temporary, index=False, float_format="%.4f", lineterminator="\n")
    return table


def lines_and_facts(
    folder: RunFolder, duplicates: pd.DataFrame, suspects: pd.DataFrame
) -> tuple[tuple[str, ...], dict[str, object]]:
    """What to tell the user, and machines, of both tables."""
    across = int((duplicates["where"] == "train and test").sum())
    between = f" ({across} between train and test)" if len(duplicates) else ""
    lines = (
        f"{counted(len(duplicates), 'pair')} of near-identical fields{between} in {folder.duplicates}",
        f"{counted(len(suspects), 'label')} to check in {folder.suspects}",
    )
    return lines, {"duplicates": str(folder.duplicates), "suspects": str(folder.suspects)}


def read_duplicates(folder: RunFolder) -> pd.DataFrame:
    """What `write_duplicates` wrote, all but `bits` as text; raises InputError where there is nothing."""
    return _read(folder, folder.duplicates, {"bits": int})


def read_suspects(folder: RunFolder) -> pd.DataFrame:
    """What `write_suspects` wrote; raises InputError where there is nothing."""
    numbers = {"probability": float, "usual": float, "doubt": float, "similar_with": int, "similar": int}
    return _read(folder, folder.suspects, numbers)


def _read(folder: RunFolder, path: Path, numbers: dict[str, type]) -> pd.DataFrame:
    remedy = f"Run {folder.command('fit')} again."
    if not path.is_file():
        raise InputError(f"{path} is missing: an older version fitted this run. {remedy}")
    try:
        return pd.read_csv(path, dtype=str, keep_default_na=False, index_col=False).astype(numbers)
    except (KeyError, ValueError, OverflowError) as error:  # pandas' own errors are ValueErrors
        raise InputError(f"{path} cannot be used ({shown(str(error), 200)}). {remedy}") from error
