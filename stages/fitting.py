"""What a fit is given and what it leaves behind: rows with labels, groups that share a fold, tables of the result."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from engine.command_line import DATA
from engine.counted import counted
from engine.errors import InputError
from engine.files import whole
from engine.ids import shown
from engine.run_folder import RunFolder
from engine.stored import read_table
from features._channels import CHANNELS
from features._field import turned
from models.duplicates import duplicate_pairs, join
from models.fit_file import read_fit_file
from models.fitted import Fitted, load
from models.labels import ORGANELLES, Groups, groups_from_ids, read_groups, read_labels
from models.leaderboard import Leaderboard
from models.matrix import FieldMatrix, read_hashes, read_matrix
from models.settings import FitSettings

HASH_BITS_APART = 32
"""Fields whose four 64-bit hashes differ in no more bits than this, together, are taken for near-identical.

Unrelated real fields differ in 73 bits or more, in 59 over all mirrored and turned views; copies with other gain, size
or compression in up to 23, noisy in 33.
"""


_TOKEN, _SEVERAL = re.compile(r"[A-Za-z0-9.\-]{1,100}"), re.compile(r"[A-Za-z0-9.\- ]{0,300}")
_TOKENS = {
    "name": re.compile(r"[A-Za-z0-9.\-_]{1,500}"), "compartment": _TOKEN, "family": _TOKEN, "feature": _TOKEN,
    "channels": _SEVERAL, "parameters": _SEVERAL,
}  # fmt: skip


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
        What the groups were made of, in words.
    groups_given : Groups
        Before near-identical fields were joined.
    test : DataFrame
        Ids and hashes of the test fields; of no rows where none were extracted.
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


def read_columns(folder: RunFolder, data: Path = DATA) -> pd.DataFrame:
    """The structured columns of a run; `data` is where an error says to extract from, unless the run notes it.

    Raises
    ------
    InputError
        If nothing was extracted yet, or the table is not as `extract` wrote it.
    """
    path, extract = folder.columns, folder.command("extract", data)
    remedy = f"Run {extract} again."
    if not path.is_file():
        raise InputError(f"{path} is missing: nothing was extracted yet. Run {extract} first.")
    frame = read_table(path, dict.fromkeys(_TOKENS, "text") | {"covariate": "truth"}, remedy).to_pandas()
    odd = [text for name in _TOKENS for text in frame[name] if not _TOKENS[name].fullmatch(text)]
    if odd or frame["name"].duplicated().any():
        found = f"found {shown(odd[0])!r}" if odd else "a name comes twice"
        raise InputError(f"{path} does not hold columns of features ({found}). {remedy}")
    return frame


def read_fields(folder: RunFolder, split: str, data: Path = DATA, covariates: bool = True) -> FieldMatrix:
    """The measured fields of a split.

    Raises
    ------
    InputError
        If none were extracted, or a table is not as `extract` wrote it.
    """
    columns = read_columns(folder, data)
    return read_matrix(folder.matrix(split), columns, covariates, folder.command("extract", data))


def read_training_set(data: Path, folder: RunFolder, groups: Path | None, covariates: bool) -> TrainingSet:
    """Bring features, labels and groups of the training fields together.

    Parameters
    ----------
    data : Path
        Folder with train.csv and perhaps groups.csv.
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
    given, said = find_groups(data, groups, matrix.ids)
    test = read_hashes(folder.matrix("test")) if folder.matrix("test").is_file() else matrix.metadata[:0]
    pairs = near_identical(matrix.metadata, test)
    joined = join(given.numbers, pairs[pairs[:, 1] < len(matrix.ids)])
    unmeasured = sum(field not in measured for field in labels.ids)
    return TrainingSet(matrix, labels.of(matrix.ids), joined, said, given, test, pairs, unmeasured)


def find_groups(data: Path, path: Path | None, ids: tuple[str, ...]) -> tuple[Groups, str]:
    """The groups of the fields, from a table or else from their ids; and what that was, in words."""
    if path is not None and not path.is_file():
        raise InputError(f"{path} does not exist. Name a table with the columns Id and Group, or leave --groups out.")
    if path is None and (data / "groups.csv").is_file():
        path = data / "groups.csv"
    groups = groups_from_ids(ids) if path is None else read_groups(path, ids)
    said = f"{'ids' if path is None else path} and near-identical fields"
    n_alone = int((~groups.named).sum()) if groups.named.any() else 0
    if n_alone:
        said += f"; not named there, so each a group of its own: {counted(n_alone, 'field')}"
    return groups, said


def hashes_of(*tables: pd.DataFrame) -> np.ndarray:
    """The perceptual hashes of the fields of all tables, one after the other: uint64, shape (n_fields, 4)."""
    return np.concatenate([_hashes(table) for table in tables])


def _hashes(metadata: pd.DataFrame) -> np.ndarray:
    names = [name for name in metadata.columns if name.startswith("Metadata_Hash")]
    if len(names) != len(CHANNELS):
        raise InputError(
            f"A table of {len(metadata)} fields has {len(names)} hashes a field; expected {len(CHANNELS)}, "
            "one a stain. Run python cli.py extract again."
        )
    return metadata[names].to_numpy(np.uint64)


def near_identical(*tables: pd.DataFrame) -> np.ndarray:
    """Pairs of near-identical fields, also mirrored or turned, as row numbers of the tables one after the other."""
    hashes = hashes_of(*tables)
    return duplicate_pairs(hashes, HASH_BITS_APART, turned(hashes))


def clear_earlier_fit(folder: RunFolder, settings: FitSettings, columns: pd.DataFrame) -> None:
    """Say why an earlier fit does not count any more, and remove its tables.

    What people look at or hand in stays, as it does when fields are measured again, and is named.
    """
    if (folder.models / "fit.json").is_file():
        print(f"{_why_again(folder, settings, columns)}: fitting again", file=sys.stderr)  # noqa: T201
    made = {"report": [folder.report], "submit": [folder.submission, folder.predictions]}
    for command, paths in made.items():
        names = " and ".join(path.name for path in paths if path.is_file())
        if names:
            print(f"still of an earlier fit: {names}; then run {folder.command(command)} again", file=sys.stderr)  # noqa: T201
    for stale in (*folder.fit_tables, folder.duplicates, folder.suspects):
        stale.unlink(missing_ok=True)


def _why_again(folder: RunFolder, settings: FitSettings, columns: pd.DataFrame) -> str:
    try:
        earlier = read_fit_file(folder.models)
    except InputError:
        return "the earlier fit cannot be read"
    before = earlier.settings.of_result() | {"features": len(earlier.columns)}
    today = settings.of_result() | {"features": len(columns)}
    changed = [f"{name}: {shown(str(before[name]))} -> {now}" for name, now in today.items() if before[name] != now]
    if changed:
        return f"settings differ from the earlier fit ({'; '.join(changed)})"
    return "labels, groups, features or the program differ from the earlier fit's"


def finished_fit(folder: RunFolder, data: Path = DATA) -> Fitted:
    """The fit of a run; `data` is what an error says to fit on, unless the run notes it.

    Raises
    ------
    InputError
        If there is none, it was stopped before its tables were written, or fields were measured anew after it.
    """
    if not (folder.models / "fit.json").is_file():
        raise InputError(
            f"no finished fit in {folder.models} (fit.json is missing). Run: {folder.command('fit', data)}"
        )
    fitted = load(folder.models)
    for path in folder.fit_tables:
        if not path.is_file():
            reason = "the fit was stopped before its end, or the fields were measured with other settings after it"
            raise InputError(f"{path} is missing: {reason}. Run: {folder.command('fit', data)}")
    return fitted


def write_fit_tables(folder: RunFolder, fitted: Fitted, training: TrainingSet, simulated: bool) -> None:
    """Write folds.parquet, oof.parquet, leaderboard.csv and metrics.json beside the models.

    oof.parquet has three columns an organelle: its probability, `... called` and `... label`.
    """
    ids = pa.array(training.matrix.ids)
    folds = {"Metadata_Id": ids, "group": training.groups, "fold": fitted.fold}
    probabilities = {name: fitted.probabilities[:, j] for j, name in enumerate(ORGANELLES)}
    called = {f"{name} called": fitted.calls[:, j] for j, name in enumerate(ORGANELLES)}
    labelled = {f"{name} label": training.labels[:, j] for j, name in enumerate(ORGANELLES)}
    tables = {folder.folds: folds, folder.oof: {"Metadata_Id": ids} | probabilities | called | labelled}
    for path, table in tables.items():
        with whole(path) as temporary:
            pq.write_table(pa.table(table), temporary)
    fitted.leaderboard.save(folder.leaderboard)
    board = Leaderboard.load(folder.leaderboard, fitted.leaderboard.folds)  # the same digits in both files
    board.save_metrics(folder.metrics, simulated)
