"""`report`: gathers the results of a run, and pictures if the images are still there, for report.html."""

import logging
from pathlib import Path

import numpy as np

from commands.changed_labels import warn_of_changed_labels
from commands.data_quality import read_duplicates, read_label_errors
from commands.importances import importance_of
from commands.job import Job
from engine.command_line import command_line
from engine.errors import InputError
from engine.files import read_json
from engine.outcome import Outcome
from models.explanation.importance import ImportanceSettings
from models.fitted import Fitted
from models.saved_fit import read_fitted_fields
from report.galleries import take_pictures
from report.leading_cells import leading_reasons
from report.report_data import Failure, ReportData, Wells
from store.csv_results import read_results
from store.matrix import FieldMatrix, read_hashes
from store.places import read_places
from store.run_folder import RunFolder, read_config
from store.schema import METADATA_ID
from store.untrusted_input import read_numbers

_log = logging.getLogger(__name__)


def report_run(
    folder: RunFolder, fitted: Fitted, data: Path, masks: Path | None, workers: int, quiet: bool,
    images: Path | None = None,
) -> Path:  # fmt: skip
    """Write report.html.

    Parameters
    ----------
    folder : RunFolder
    fitted : Fitted
        The finished fit of the run.
    data : Path
        Folder with train.csv and the images; without images the page has no pictures.
    masks : Path or None
        Folder of label images, for outlines, if the fields were measured with masks.
    workers : int
        Number of processes.
    quiet : bool
        Show no progress.
    images : Path or None
        The csv that lists the images, if they were listed in one.

    Returns
    -------
    Path
        The page.
    """
    from report.page import write_report  # draws with matplotlib, which takes a second to load

    matrix = read_fitted_fields(folder, fitted)
    importance = importance_of(folder, fitted, lambda: matrix, ImportanceSettings(workers=workers), quiet)
    failures, cells = _failures(folder), _cells(folder, matrix)
    reasons = leading_reasons(importance, matrix, fitted.labels, fitted.classes.names)
    content = ReportData(
        name=f"Report of {folder.root.name}",
        simulated=_simulated(folder, f"Run {folder.command('fit', data)} again."),
        folds_kind=fitted.leaderboard.folds,
        groups_from=str(read_config(folder.config).get("fit", {}).get("groups", "unknown")),
        facts=_facts(fitted, cells, len(failures)),
        ids=fitted.ids,
        classes=fitted.classes,
        labels=fitted.labels,
        probabilities=fitted.probabilities,
        calls=fitted.calls,
        fold=fitted.fold,
        groups=fitted.groups,
        trainable=fitted.trainable,
        leaderboard=fitted.leaderboard.table,
        columns=matrix.columns,
        importance=importance,
        label_errors=read_label_errors(folder),
        duplicates=read_duplicates(folder),
        cells=cells,
        failures=failures,
        wells=_wells(folder, data, fitted.ids),
        pictures=take_pictures(folder, data, masks, fitted, reasons, workers, quiet, images),
        reasons=reasons,
        n_relabelled=warn_of_changed_labels(folder, fitted, data),
    )
    return write_report(folder.report, content)


def _wells(folder: RunFolder, data: Path, ids: tuple[str, ...]) -> Wells | None:
    """Where the fields are on plates: from the user's table or the images' names; None if no well is known."""
    try:
        table = folder.noted_table("fields")
        places = read_places(data if data.is_dir() else None, folder.measured("train"), ids, table)
    except InputError as error:  # the run may be a colleague's
        _log.warning("%s The report has no maps of plates.", error)
        return None
    well = places.find("well")
    if well is None:
        return None
    plate = places.find("plate")
    return Wells(places.columns[plate] if plate else ("",) * len(ids), places.columns[well])


def _cells(folder: RunFolder, matrix: FieldMatrix) -> np.ndarray | None:
    """Cells of each field, if they were counted: as measured, also where the fit normalises features by plates."""
    count = (matrix.columns["family"] == "Count") & (matrix.columns["feature"] == "Cells")
    if not count.any():
        return None
    path = folder.matrix("train")
    numbers = read_numbers(path, [matrix.columns["name"][count].iloc[0]])[:, 0]
    of_field = dict(zip(read_hashes(path)[METADATA_ID], numbers, strict=True))
    return np.array([of_field[field] for field in matrix.ids], np.float32)


def _facts(fitted: Fitted, cells: np.ndarray | None, n_failed: int) -> dict[str, str]:
    """Counts of the data for the page."""
    facts = {"training fields": f"{len(fitted.ids):,}", "groups": f"{len(np.unique(fitted.groups)):,}"}
    if cells is not None and np.isfinite(cells).any():
        known = cells[np.isfinite(cells)]
        facts |= {
            "cells": f"{int(known.sum(dtype=np.float64)):,}",
            "cells per field": f"{int(np.median(known))} (median)",
        }
    facts |= {"labels per field": f"{fitted.labels.sum(1).mean():.2f}", "features": f"{len(fitted.columns):,}"}
    facts["could not be used"] = f"{n_failed:,}"
    return facts


def _simulated(folder: RunFolder, remedy: str) -> bool:
    metrics = read_json(folder.fit.metrics, remedy)
    simulated = metrics.get("simulated") if isinstance(metrics, dict) else None
    if not isinstance(simulated, bool):
        raise InputError(f"{folder.fit.metrics} does not say whether the fields are simulated. {remedy}")
    return simulated


def _failures(folder: RunFolder) -> tuple[Failure, ...]:
    if not folder.failures.is_file():
        return ()
    table = read_results(folder.failures, ("Id", "stage", "error"), {}, f"Run {folder.command('extract')} again.")
    return tuple(Failure(*row) for row in table.itertuples(index=False))


def outcome(job: Job, page: Path) -> Outcome:
    """Report where the page is, and what to do next: submit, or predict new fields."""
    facts = {"report": str(page)}
    if job.folder.matrix("test").is_file():
        return Outcome((f"report in {page}",), command_line("submit", data=job.data, run=job.run), facts)
    masks = "DIR" if read_config(job.folder.config).get("extract", {}).get("masks") else None
    new = f"to predict new fields in FOLDER: {command_line('predict', 'FOLDER', run=job.run, masks=masks)}"
    return Outcome((f"report in {page}", new), facts=facts)
