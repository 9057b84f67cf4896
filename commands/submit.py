"""`submit`: Kaggle's submission file, with every row of sample_submission.csv in its order, none empty.

Without that file it has a row for every test field, including those without a usable image.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from commands.job import Job
from commands.plates import new_scales
from engine.command_line import DATA, command_line
from engine.counted import counted
from engine.csv_table import read_csv_table
from engine.errors import InputError
from engine.files import whole, write_csv
from engine.ids import no_match
from engine.outcome import Outcome
from models.fitted import Fitted
from store.classes import ORGANELLES, Classes
from store.matrix import read_fields
from store.places import read_places
from store.run_folder import RunFolder
from store.schema import METADATA_ID, SUBMISSION, TEST_CALLS
from store.untrusted_input import check_ids, read_table

SAMPLE = "sample_submission.csv"


@dataclass(frozen=True)
class Calls:
    """Calibrated probabilities and calls of fields.

    Attributes
    ----------
    ids : tuple of str
    probabilities : ndarray of float64, shape (n_fields, n_classes)
    calls : ndarray of bool, shape (n_fields, n_classes)
        At least one organelle a field.
    """

    ids: tuple[str, ...]
    probabilities: np.ndarray
    calls: np.ndarray


def write_predictions(path: Path, calls: Calls) -> None:
    """Write a row per field: Metadata_Id, Metadata_Called (a list of label numbers), the probabilities as float32."""
    called = pa.array([np.flatnonzero(row) for row in calls.calls], pa.list_(pa.int64()))
    table = dict(zip(TEST_CALLS, (list(calls.ids), called), strict=True))
    table |= {name: calls.probabilities[:, j].astype(np.float32) for j, name in enumerate(ORGANELLES)}
    with whole(path) as temporary:
        pq.write_table(pa.table(table), temporary)


def wanted_ids(folder: RunFolder, sample: Path, measured: Sequence[str]) -> list[str]:
    """The ids of the rows: those of sample_submission.csv if it is there, else all test fields."""
    return read_wanted(sample, measured) if sample.is_file() else every_test_field(folder, measured)


def read_wanted(path: Path, measured: Sequence[str]) -> list[str]:
    """The ids of sample_submission.csv, in its order.

    Raises
    ------
    InputError
        If the file has no Id column, an id is unusable or duplicate, or none of the measured fields is in it.
    """
    table = read_csv_table(path, ("Id",), "Kaggle's sample_submission.csv has the columns Id and Predicted")
    wanted = list(table.cells["Id"])
    if measured and set(measured).isdisjoint(wanted):
        example = f" ({no_match(wanted[0], measured, path)})" if wanted else ""
        raise InputError(
            f"{path}: none of the {len(measured)} measured test fields is named in it{example}. Give the file of "
            "these fields, or remove it to get a row for each field."
        )
    return wanted


def every_test_field(folder: RunFolder, measured: Sequence[str]) -> list[str]:
    """The ids of the test split, sorted, including fields that could not be used."""
    found, remedy = set(measured), f"Run {folder.command('extract')} again."
    for path in sorted((folder.features / "fields").glob("test-*.parquet")):
        ids = read_table(path, {METADATA_ID: "text"}, remedy).column(METADATA_ID).to_pylist()
        check_ids(path, ids, remedy)
        found.update(ids)
    return sorted(found)


def remarks(sample: Path, wanted: Sequence[str], measured: Sequence[str]) -> list[str]:
    """Messages about rows that the user may not expect."""
    if not sample.is_file():
        return [f"{sample} is missing: one row for each of the {len(wanted)} test fields, sorted by id"]
    left_out = len(set(measured).difference(wanted))
    return [f"{left_out} of {len(measured)} measured test fields have no row in {sample}"] if left_out else []


def write_submission(path: Path, wanted: list[str], calls: Calls, fallback: int) -> int:
    """Write Id,Predicted.

    Parameters
    ----------
    path : Path
    wanted : list of str
        Ids in the order of the file.
    calls : Calls
    fallback : int
        The label number for an id without a usable image.

    Returns
    -------
    int
        Rows without a usable image, which got the fallback.
    """
    predicted = dict(zip(calls.ids, (_target(row) for row in calls.calls), strict=True))
    write_csv(path, SUBMISSION, [(field, predicted.get(field, str(fallback))) for field in wanted])
    return sum(field not in predicted for field in wanted)


def _target(row: np.ndarray) -> str:
    return " ".join(str(j) for j in np.flatnonzero(row))


def refuse_other_classes(folder: RunFolder, classes: Classes) -> None:
    """Raise InputError unless the classes are those that Kaggle's submission numbers."""
    if not classes.is_kaggle:
        command = command_line("predict", "FOLDER", run=folder.root)
        raise InputError(
            f"the run in {folder.root} was fitted on {classes.counted(len(classes.names))} "
            f"({', '.join(classes.names[:3])}, ...); a submission to Kaggle holds the numbers of the 28 organelles of "
            f"2018. For the calls of these classes run: {command}"
        )


def refuse_missing_folder(data: Path) -> None:
    """Raise InputError if the named data folder is not there; it needs no sample_submission.csv."""
    if data != DATA and not data.is_dir():
        raise InputError(
            f"{data} is {'no folder' if data.exists() else 'missing'} (expected the data folder, where {SAMPLE} is "
            "looked for). Check the path, or name another folder with --data DIR."
        )


def read_test_fields(job: Job, fitted: Fitted) -> tuple[tuple[str, ...], np.ndarray]:
    """Ids of the test fields, and their values in the columns of the fit, float32 (n, n_columns)."""
    test = read_fields(job.folder, "test", job.data)
    values = test.named(fitted.columns)
    if fitted.plates is not None:
        places = read_places(job.data, job.folder.measured("test"), test.ids, job.folder.noted_table("fields"))
        scales = new_scales(job, fitted, places, test.ids, values)
        values = values if scales is None else scales.apply(test.ids, values)
    return test.ids, values


def write(job: Job, calls: Calls, wanted: list[str], fitted: Fitted, prior_shift: str) -> int:
    """Write predictions.parquet and submission.csv; returns the number of rows without a usable image."""
    write_predictions(job.folder.predictions, calls)
    n_without = write_submission(job.folder.submission, wanted, calls, int(np.argmax(fitted.prior)))
    job.folder.note("submit", {"data": str(job.data), "prior_shift": prior_shift})
    return n_without


def outcome(job: Job, calls: Calls, wanted: list[str], n_without: int, prior_shift: str) -> Outcome:
    """Report the number of rows, the assumptions made, and how to submit the file."""
    submission = job.folder.submission
    lines = [f"{counted(len(wanted), 'row')} in {submission}", *remarks(job.data / SAMPLE, wanted, calls.ids)]
    if prior_shift != "none":
        lines.append(f"class shares of the test fields were assumed ({prior_shift}): no reported score holds")
    if n_without:
        lines.append(f"{n_without} of the rows have no usable image and got the most common organelle")
    command = ["kaggle", "competitions", "submit", "human-protein-atlas-image-classification"]
    facts = {"submission": str(submission), "rows": len(wanted), "without_image": n_without}
    return Outcome(tuple(lines), shlex.join([*command, "-f", str(submission), "-m", "hpa-boost"]), facts)
