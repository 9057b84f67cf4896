"""From test fields to Kaggle's file: every row of sample_submission.csv, in its order, none empty.

Without that file a row for every test field, those without a usable image too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.csv_table import read_csv_table
from engine.errors import InputError
from engine.files import whole, write_csv
from engine.run_folder import RunFolder
from engine.stored import check_ids, read_table
from models.labels import ORGANELLES


@dataclass(frozen=True)
class Calls:
    """Calibrated probabilities and calls of some fields.

    Attributes
    ----------
    ids : tuple of str
    probabilities : ndarray of float64, shape (n_fields, 28)
    calls : ndarray of bool, shape (n_fields, 28)
        At least one organelle a field.
    """

    ids: tuple[str, ...]
    probabilities: np.ndarray
    calls: np.ndarray


def write_predictions(path: Path, calls: Calls) -> None:
    """Write one row a field: Metadata_Id, Metadata_Called (label numbers with spaces), a probability an organelle."""
    table = {"Metadata_Id": list(calls.ids), "Metadata_Called": [_target(row) for row in calls.calls]}
    table |= {name: calls.probabilities[:, j].astype(np.float32) for j, name in enumerate(ORGANELLES)}
    with whole(path) as temporary:
        pq.write_table(pa.table(table), temporary)


def wanted_ids(folder: RunFolder, sample: Path, measured: Sequence[str]) -> list[str]:
    """The ids of the rows: Kaggle's where its sample_submission.csv is there, else those of all test fields."""
    return read_wanted(sample, measured) if sample.is_file() else every_test_field(folder, measured)


def read_wanted(path: Path, measured: Sequence[str]) -> list[str]:
    """The ids that Kaggle wants, in its order.

    Raises
    ------
    InputError
        If the file has no Id column, an id is unusable or comes twice, or none of the measured fields is in it.
    """
    table = read_csv_table(path, ("Id",), "Kaggle's sample_submission.csv has the columns Id and Predicted")
    wanted = list(table.cells["Id"])
    if measured and set(measured).isdisjoint(wanted):
        example = f" (the table starts with {wanted[0]}, the fields with {measured[0]})" if wanted else ""
        raise InputError(
            f"{path}: none of the {len(measured)} measured test fields is named in it{example}. Give the table that "
            "belongs to these fields, or leave it out to get a row for each of them."
        )
    return wanted


def every_test_field(folder: RunFolder, measured: Sequence[str]) -> list[str]:
    """The ids of the test split, sorted, those of fields that could not be used too."""
    found, remedy = set(measured), f"Run {folder.command('extract')} again."
    for path in sorted((folder.features / "fields").glob("test-*.parquet")):
        ids = read_table(path, {"Metadata_Id": "text"}, remedy).column("Metadata_Id").to_pylist()
        check_ids(path, ids, remedy)
        found.update(ids)
    return sorted(found)


def remarks(sample: Path, wanted: Sequence[str], measured: Sequence[str]) -> list[str]:
    """What the user may not expect of the rows."""
    if not sample.is_file():
        return [f"{sample} is missing: the rows are all {len(wanted)} test fields, in the order of their ids"]
    left_out = len(set(measured).difference(wanted))
    return [f"{left_out} of {len(measured)} measured test fields are not in {sample}: no row"] if left_out else []


def write_submission(path: Path, wanted: list[str], calls: Calls, fallback: int) -> int:
    """Write Id,Predicted.

    Parameters
    ----------
    path : Path
    wanted : list of str
        Ids in the order of the file.
    calls : Calls
    fallback : int
        The label number for an id without an image.

    Returns
    -------
    int
        Rows that had no image and got the fallback.
    """
    predicted = dict(zip(calls.ids, (_target(row) for row in calls.calls), strict=True))
    write_csv(path, ("Id", "Predicted"), [(field, predicted.get(field, str(fallback))) for field in wanted])
    return sum(field not in predicted for field in wanted)


def _target(row: np.ndarray) -> str:
    return " ".join(str(j) for j in np.flatnonzero(row))
