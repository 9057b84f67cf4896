"""From test fields to Kaggle's file: every row of sample_submission.csv, in its order, none empty."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.csv_table import read_csv_table
from engine.files import whole, write_csv
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


def read_wanted(path: Path, ids: Sequence[str]) -> list[str]:
    """The ids that Kaggle wants, in its order; the test fields themselves where there is no sample_submission.csv.

    Raises
    ------
    InputError
        If the file has no Id column, or an id is unusable or comes twice.
    """
    if not path.is_file():
        return list(ids)
    table = read_csv_table(path, ("Id",), "Kaggle's sample_submission.csv has the columns Id and Predicted")
    return list(table.cells["Id"])


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
