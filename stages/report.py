"""What report.html is made from: everything the run folder holds, and pictures where the images are still there."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from engine.files import read_json
from engine.run_folder import RunFolder
from models.fitted import Fitted
from models.importance import ImportanceSettings
from models.matrix import FieldMatrix
from models.report import Evidence, Failure, write_report
from stages.cleaning import read_duplicates, read_suspects
from stages.explaining import importance_of, read_fitted_fields
from stages.pictures import take_pictures


def report_run(folder: RunFolder, fitted: Fitted, data: Path, workers: int, quiet: bool) -> Path:
    """Write report.html.

    Parameters
    ----------
    folder : RunFolder
    fitted : Fitted
        Its finished fit.
    data : Path
        Folder with train.csv and the images; where they have gone, the page has no pictures.
    workers : int
        Processes.
    quiet : bool
        Show no progress.

    Returns
    -------
    Path
        The page.
    """
    matrix, labels = read_fitted_fields(folder)
    importance = importance_of(folder, fitted, lambda: (matrix, labels), ImportanceSettings(workers=workers), quiet)
    failures, cells = _failures(folder), _cells(matrix)
    groups = pq.read_table(folder.folds).column("group").to_numpy()
    metrics = read_json(folder.metrics)
    evidence = Evidence(
        name=f"Run {folder.root.name}",
        simulated=metrics["simulated"],
        folds_kind=metrics["folds"],
        groups_from=str(read_json(folder.config)["fit"]["groups"]),
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
        pictures=take_pictures(folder, data, matrix.ids, labels, fitted, workers, quiet),
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
    if cells is not None:
        facts |= {"cells": f"{int(np.nansum(cells)):,}", "cells a field": f"{int(np.nanmedian(cells))} (median)"}
    facts |= {"labels a field": f"{labels.sum(1).mean():.2f}", "features": f"{n_columns:,}"}
    facts["could not be used"] = f"{n_failed:,}"
    return facts


def _failures(folder: RunFolder) -> tuple[Failure, ...]:
    if not folder.failures.is_file():
        return ()
    table = pd.read_csv(folder.failures, dtype=str, keep_default_na=False)
    return tuple(Failure(row.Id, row.stage, row.error) for row in table.itertuples())
