"""Plates and cell lines around the commands: which fields are of which, their scales, and new fields on theirs."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from commands.job import Job
from engine.errors import InputError, UsageError
from engine.ids import names_alike, shown
from models.data.plate_normalisation import LEAST_FIELDS, FieldScales, plate_scales
from models.data.training_set import TrainingSet
from models.fitted import Fitted, PlatesOfFit
from models.other_folds import LeftOut
from store.matrix import read_fields
from store.places import Places

_SHOWN = 12  # wells in a message

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PlateOptions:
    """What a user chose about plates.

    Attributes
    ----------
    normalise_by : str
        "plate", "line" or a column; "" for no normalisation.
    controls : tuple of str
        Wells to learn centre and scale from; empty for all.
    leave_out : str
        "plate", "line" or a column to leave out for a row of the leaderboard; "" leaves out plates if they are known.
    table : Path or None
        Table of the fields' places, instead of fields.csv or groups.csv in the data folder.
    """

    normalise_by: str = ""
    controls: tuple[str, ...] = ()
    leave_out: str = ""
    table: Path | None = None


NO_PLATES = PlateOptions()


def plates_of_fit(places: Places, normalise_by: str, controls: Sequence[str]) -> PlatesOfFit | None:
    """The plates that a fit normalises by, or None if it does not.

    Raises
    ------
    UsageError
        If a column is missing, or control wells are named without a column to normalise by.
    """
    if not normalise_by and controls:
        raise UsageError("--controls goes with --normalise-by plate: say what is normalised by these wells.")
    if not normalise_by:
        return None
    names = places.of(normalise_by)
    for one, other in names_alike(names):
        _log.warning(
            "%s %s and %s differ only in upper and lower case, and are normalised as two. If they are one, write them "
            "alike in %s.",
            places.find(normalise_by), shown(one), shown(other), places.source,
        )  # fmt: skip
    if not controls:
        return PlatesOfFit(names, np.ones(len(names), bool))
    of_field = places.of("well")
    wells = sorted(set(of_field))
    if absent := [well for well in controls if well not in wells]:
        raise UsageError(
            f"--controls: no training field is in a well {' or '.join(absent)}; those of {places.source} are "
            f"{', '.join(wells[:_SHOWN])}{' ...' if len(wells) > _SHOWN else ''}. Name some of these, or leave it out."
        )
    return PlatesOfFit(names, np.isin(of_field, list(controls)))


def left_out(places: Places, options: PlateOptions) -> LeftOut | None:
    """What to leave out for a row of the leaderboard; by default the plates, where there are two or more."""
    if options.leave_out:
        return LeftOut(options.leave_out.casefold(), places.of(options.leave_out))
    wanted = options.normalise_by or "plate"
    column = places.find(wanted)
    if column is None or "" in places.columns[column] or len(set(places.columns[column])) < 2:
        return None
    return LeftOut(wanted.casefold(), np.array(places.columns[column], str))


def normalised(training: TrainingSet, plates: PlatesOfFit | None) -> TrainingSet:
    """The training set with each field's features on the scale of its plate."""
    if plates is None:
        return training
    matrix = training.matrix
    return replace(training, matrix=replace(matrix, values=plates.normalise(matrix.values)))


def new_scales(job: Job, fitted: Fitted, places: Places, ids: Sequence[str], values: np.ndarray) -> FieldScales | None:
    """The plates and scales of new fields: a plate of the run has the run's scale, another one its own.

    Parameters
    ----------
    places : Places
        Of the new fields.
    ids : sequence of str
    values : ndarray of float32, shape (n_fields, n_columns)
        In the columns of the fit.

    Raises
    ------
    UsageError, InputError
        If the plate of a field is not known, or a new plate has too few fields.
    """
    by, known = fitted.settings.normalise_by, fitted.plates
    if known is None or not len(ids):
        return None
    if places.find(by) is None:
        raise UsageError(
            f"the run in {job.run} was fitted on features normalised by {by}, and the {by} of the new fields is not "
            f"known (read from {places.source}). Give a table with the columns Id and {by}: to predict images with "
            f"--fields FILE.csv, for the fields of the run as fields.csv in the data folder."
        )
    plates, training = places.of(by), fitted.rows_of(read_fields(job.folder, "train"))
    scales = {name: scale for name, scale in known.scales(training.named(fitted.columns)).items() if name in plates}
    if scales:
        _log.info("normalised as the run's %s of the same name: %s", by, ", ".join(sorted(scales)))
    others = ~np.isin(plates, list(scales))
    controls = fitted.settings.controls
    used = np.isin(places.of("well"), controls) if controls and others.any() else np.ones(len(plates), bool)
    _refuse_small(plates[others & used], plates[others], by)
    if others.any():
        scales |= plate_scales(values[others], plates[others], used[others])
        _log.info("normalised by themselves: %s", ", ".join(sorted(set(plates[others]))))
    return FieldScales(dict(zip(ids, plates.tolist(), strict=True)), scales)


def _refuse_small(learnt_from: np.ndarray, plates: np.ndarray, by: str) -> None:
    for plate in np.unique(plates):
        n = int((learnt_from == plate).sum())
        if n < LEAST_FIELDS:
            raise InputError(
                f"{by} {plate} is new to the run and has {n} fields to learn its centre and scale from; at least "
                f"{LEAST_FIELDS} are needed. Predict more of its fields at once."
            )
