"""Predictions of the fields that were not fitted on, by all models of the fit."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from engine.errors import InputError
from engine.running.progress import Progress
from models.data.plate_normalisation import FieldScales
from models.fitted import Fitted
from review.catalogue import Catalogue
from store.matrix import read_hashes
from store.run_folder import SPLITS, RunFolder
from store.schema import METADATA_ID
from store.untrusted_input import read_numbers

_PIECE = 256  # fields predicted at a time

ScalesOf = Callable[[Fitted, str, tuple[str, ...], np.ndarray], FieldScales | None]
"""Given a fit, a split, its ids and values in the fit's columns: the scales of their plates, if the fit has plates."""


@dataclass(frozen=True)
class Predicted:
    """Probabilities and calls of the fields that were not fitted on, by row.

    `scales` are of the plates of all fields, by split, if the fit normalises features by plates.
    """

    rows: np.ndarray
    probabilities: np.ndarray
    calls: np.ndarray
    scales: dict[str, FieldScales]


def count_others(known: Catalogue) -> int:
    """The number of fields that were not fitted on; 0 without a fit."""
    return 0 if known.fitted is None else int((known.fitted_row < 0).sum())


def predict_others(folder: RunFolder, known: Catalogue, scales_of: ScalesOf, progress: Progress) -> Predicted:
    """Predict the fields that were not fitted on; `progress` is advanced by their number.

    Raises
    ------
    InputError
        If the fit normalises by plates, and those of the fields are not known.
    """
    rows = np.flatnonzero(known.fitted_row < 0)
    if known.fitted is None or (not len(rows) and known.fitted.plates is None):
        return Predicted(rows[:0], known.probabilities[:0], known.calls[:0], {})
    names, place = list(known.fitted.columns), np.flatnonzero(known.kept)[rows]
    k = len(known.fitted.classes.names)
    probabilities, calls, start = [known.probabilities[:0, :k]], [known.calls[:0, :k]], 0
    scales: dict[str, FieldScales] = {}
    for split in SPLITS:
        if not folder.matrix(split).is_file():
            continue
        values = read_numbers(folder.matrix(split), names)
        if known.fitted.plates is not None:
            ids = tuple(read_hashes(folder.matrix(split))[METADATA_ID])
            found = scales_of(known.fitted, split, ids, values)
            if found is None:
                raise InputError(f"the plates of the {split} fields are not known, so they cannot be predicted.")
            scales[split], values = found, found.apply(ids, values)
        mine = place[(place >= start) & (place < start + len(values))] - start
        start += len(values)
        for first in range(0, len(mine), _PIECE):
            p, called = known.fitted.predict(values[mine[first : first + _PIECE]])
            probabilities.append(p)
            calls.append(called)
            progress.advance(len(p))
    return Predicted(rows, np.concatenate(probabilities), np.concatenate(calls), scales)
