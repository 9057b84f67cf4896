"""A finished fit in its folder: plain files, written, read and checked."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from engine.command_line import DATA
from engine.errors import InputError
from engine.files import write_json
from models.evaluation.leaderboard import Leaderboard
from models.fit_file import fit_again, read_fit_file
from models.fitted import Fitted, PlatesOfFit
from store.fit_folder import FitFolder, read_class_table, write_class_table, write_table
from store.matrix import FieldMatrix, read_fields
from store.run_folder import RunFolder
from store.schema import CONTROL, FOLD, FOLDS, GROUP, METADATA_ID, PLATE, PLATES
from store.untrusted_input import check_ids, read_table


def save(fitted: Fitted, simulated: bool) -> None:
    """Write the tables, and last fit.json with its stamp.

    Parameters
    ----------
    fitted : Fitted
    simulated : bool
        Whether the fields are simulated; noted in metrics.json.
    """
    folder, classes = fitted.folder, fitted.settings.organelles
    folds = dict(zip(FOLDS, (list(fitted.ids), fitted.groups, fitted.fold), strict=True))
    write_table(folder.folds, pa.table(folds))
    if fitted.plates is not None:
        of_plates = (list(fitted.ids), fitted.plates.names.tolist(), fitted.plates.controls)
        write_table(folder.plates, pa.table(dict(zip(PLATES, of_plates, strict=True))))
    write_class_table(folder.labels, fitted.ids, classes, fitted.labels)
    write_class_table(folder.probabilities, fitted.ids, classes, fitted.probabilities)
    write_class_table(folder.calls, fitted.ids, classes, fitted.calls)
    for m, name in enumerate(fitted.settings.members):
        write_class_table(folder.scores(name), fitted.ids, classes, fitted.members[:, :, m])
    fitted.leaderboard.save(folder.leaderboard)
    written = Leaderboard.load(folder.leaderboard, fitted.leaderboard.folds, classes)  # the same digits in both files
    written.save_metrics(folder.metrics, simulated)
    content = {
        "stamp": fitted.stamp,
        "values": fitted.values,
        "settings": fitted.settings.of_result(),
        "folds": fitted.leaderboard.folds,
        "trainable": fitted.trainable.tolist(),
        "prior": fitted.prior.tolist(),
        "standardisation": {name: part.tolist() for name, part in vars(fitted.standardisation).items()},
        "second_level": fitted.second_level.to_json(),
        "columns": list(fitted.columns),
    }
    write_json(folder.fit_file, content)


def load(root: Path) -> Fitted:
    """Read a finished fit.

    Parameters
    ----------
    root : Path
        The run folder, or the folder of an estimator.

    Raises
    ------
    InputError
        If there is none in the folder, or one of its files is damaged.
    """
    folder = FitFolder(root)
    fit, remedy = read_fit_file(folder), _remove(folder)
    names = fit.settings.organelles
    ids, groups, fold = _read_folds(folder, fit.settings.n_folds)
    labels = read_class_table(folder.labels, ids, names, "truth", remedy)
    if (fit.trainable & ~labels[fold >= 0].any(0)).any():
        raise InputError(f"{folder.labels} has no field with an organelle that the fit has learnt. {remedy}")
    probabilities = read_class_table(folder.probabilities, ids, names, "number", remedy)
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise InputError(f"{folder.probabilities} holds a number that is no probability. {remedy}")
    calls = read_class_table(folder.calls, ids, names, "truth", remedy)
    members = [read_class_table(folder.scores(name), ids, names, "number", remedy) for name in fit.settings.members]
    return Fitted(
        folder, fit.settings, fit.columns, fit.trainable, fit.prior, fit.standardisation, fit.second_level, ids, labels,
        groups, fold, np.stack(members, axis=-1), probabilities, calls,
        Leaderboard.load(folder.leaderboard, fit.folds, names, remedy), fit.stamp, fit.values,
        _read_plates(folder, ids) if fit.settings.normalise_by else None,
    )  # fmt: skip


def _remove(folder: FitFolder) -> str:
    return f"Remove it. {fit_again(folder)}"


def _read_folds(folder: FitFolder, n_folds: int) -> tuple[tuple[str, ...], np.ndarray, np.ndarray]:
    """Ids, groups and folds of the training fields."""
    remedy = _remove(folder)
    kinds = {METADATA_ID: "text", GROUP: "whole number", FOLD: "whole number"}
    table = read_table(folder.folds, kinds, remedy)
    ids = table.column(METADATA_ID).to_pylist()
    check_ids(folder.folds, ids, remedy)
    fold = table.column(FOLD).to_numpy()
    if len(fold) and not -1 <= fold.min() <= fold.max() < n_folds:
        raise InputError(f"{folder.folds} holds folds that the fit has not. {remedy}")
    return tuple(ids), table.column(GROUP).to_numpy().astype(np.int64), fold.astype(np.int8)


def _read_plates(folder: FitFolder, ids: tuple[str, ...]) -> PlatesOfFit:
    kinds = {METADATA_ID: "text", PLATE: "text", CONTROL: "truth"}
    table = read_table(folder.plates, kinds, _remove(folder))
    if tuple(table.column(METADATA_ID).to_pylist()) != ids:
        raise InputError(f"{folder.plates} does not hold the {len(ids)} fields of folds.parquet. {_remove(folder)}")
    return PlatesOfFit(np.array(table.column(PLATE).to_pylist(), str), table.column(CONTROL).to_numpy())


def finished_fit(folder: RunFolder, data: Path = DATA) -> Fitted:
    """The fit of a run; `data` is the data folder named in the error message, unless the run notes its own.

    Raises
    ------
    InputError
        If there is none, or it was stopped before its end.
    """
    if not folder.fit.fit_file.is_file():
        raise InputError(
            f"no finished fit in {folder.root}: {folder.fit.fit_file} is missing, so fit was not run, was stopped "
            f"before its end, or is still running. Run: {folder.command('fit', data)}"
        )
    return load(folder.root)


def refuse_other_values(folder: RunFolder, fitted: Fitted) -> None:
    """Raise InputError if training fields were measured again, or removed, after the fit."""
    read_fitted_fields(folder, fitted)


def read_fitted_fields(folder: RunFolder, fitted: Fitted) -> FieldMatrix:
    """The training fields of a run as they were fitted on, with all columns that were extracted."""
    matrix = read_fields(folder, "train")
    if fitted.plates is not None:
        matrix = fitted.rows_of(matrix)
        matrix = replace(matrix, values=fitted.plates.normalise(matrix.values))
    return fitted.training_fields(matrix)
