"""What report.html is made from: everything the run folder holds, and pictures where the images are still there."""

from pathlib import Path

import numpy as np
import pandas as pd

from engine.errors import InputError
from engine.files import read_json
from engine.ids import shown
from engine.run_folder import RunFolder, read_config
from engine.stored import read_table
from models.fitted import Fitted
from models.importance import ImportanceSettings
from models.matrix import FieldMatrix
from models.report import Evidence, Failure, write_report
from stages.cleaning import read_duplicates, read_suspects
from stages.explaining import importance_of, read_fitted_fields
from stages.pictures import take_pictures


def report_run(folder: RunFolder, fitted: Fitted, data: Path, masks: Path | None, workers: int, quiet: bool) -> Path:
    """Write report.html.

    Parameters
    ----------
    folder : RunFolder
    fitted : Fitted
        Its finished fit.
    data : Path
        Folder with train.csv and the images; where they have gone, the page has no pictures.
    masks : Path or None
        Folder of label images, for the outlines of fields that were measured with such.
    workers : int
        Processes.
    quiet : bool
        Show no progress.

    Returns
    -------
    Path
        The page.
    """
    remedy = f"Run {folder.command('fit', data)} again."
    matrix, labels = read_fitted_fields(folder)
    importance = importance_of(folder, fitted, lambda: (matrix, labels), ImportanceSettings(workers=workers), quiet)
    failures, cells = _failures(folder), _cells(matrix)
    groups = read_table(folder.folds, {"group": "whole number"}, remedy).column("group").to_numpy()
    if not len(groups) == len(fitted.fold) == len(matrix.ids):
        raise InputError(
            f"{folder.folds} has {len(groups)} rows, the fit {len(fitted.fold)}, the features {len(matrix.ids)}; "
            f"expected the same fields in all. {remedy}"
        )
    if (fitted.evaluable & ~labels[fitted.fold >= 0].any(0)).any():
        raise InputError(f"{folder.oof} has no field with an organelle that the fit has learnt. {remedy}")
    evidence = Evidence(
        name=f"Report of {folder.root.name}",
        simulated=_simulated(folder, remedy),
        folds_kind=fitted.leaderboard.folds,
        groups_from=str(read_config(folder.config).get("fit", {}).get("groups", "unknown")),
        facts=_facts(labels, cells, groups, len(fitted.columns), len(failures)),
        ids=matrix.ids,
        labels=labels,
        probabilities=fitted.probabilities,
        calls=fitted.calls,
        fold=fitted.fold,
        groups=groups,
        evaluable=fitted.evaluable,
        leaderboard=fitted.leaderboard.table,
        columns=matrix.columns,
        importance=importance,
        suspects=read_suspects(folder),
        duplicates=read_duplicates(folder),
        cells=cells,
        failures=failures,
        pictures=take_pictures(folder, data, masks, matrix.ids, labels, fitted, workers, quiet),
    )
    return write_report(folder.report, evidence)


def _cells(matrix: FieldMatrix) -> np.ndarray | None:
    """Cells of each field, where they were counted."""
    count = (matrix.columns["family"] == "Count") & (matrix.columns["feature"] == "Cells")
    return matrix.values[:, int(np.flatnonzero(count)[0])] if count.any() else None


def _facts(
    labels: np.ndarray, cells: np.ndarray | None, groups: np.ndarray, n_columns: int, n_failed: int
) -> dict[str, str]:
    """The data in numbers."""
    facts = {"training fields": f"{len(labels):,}", "groups": f"{len(np.unique(groups)):,}"}
    if cells is not None and np.isfinite(cells).any():
        known = cells[np.isfinite(cells)]
        facts |= {
            "cells": f"{int(known.sum(dtype=np.float64)):,}",
            "cells a field": f"{int(np.median(known))} (median)",
        }
    facts |= {"labels a field": f"{labels.sum(1).mean():.2f}", "features": f"{n_columns:,}"}
    facts["could not be used"] = f"{n_failed:,}"
    return facts


def _simulated(folder: RunFolder, remedy: str) -> bool:
    metrics = read_json(folder.metrics, remedy)
    simulated = metrics.get("simulated") if isinstance(metrics, dict) else None
    if not isinstance(simulated, bool):
        raise InputError(f"{folder.metrics} does not say whether the fields are simulated. {remedy}")
    return simulated


def _failures(folder: RunFolder) -> tuple[Failure, ...]:
    if not folder.failures.is_file():
        return ()
    remedy = f"Run {folder.command('extract')} again."
    try:
        table = pd.read_csv(folder.failures, dtype=str, keep_default_na=False, index_col=False)
        return tuple(Failure(*map(str, row)) for row in table[["Id", "stage", "error"]].itertuples(index=False))
    except (KeyError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise InputError(f"{folder.failures} cannot be used ({shown(str(error), 200)}). {remedy}") from error
