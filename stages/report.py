"""What report.html is made from: everything the run folder holds, and pictures where the images are still there."""

from pathlib import Path

import numpy as np
import pandas as pd

from engine.errors import InputError
from engine.files import read_json
from engine.ids import shown
from engine.run_folder import RunFolder, read_config
from engine.stored import read_table
from features._field import hamming
from models.duplicates import duplicate_pairs
from models.fitted import Fitted
from models.importance import ImportanceSettings
from models.matrix import FieldMatrix, read_hashes
from models.report import DuplicatePair, Evidence, Failure, write_report
from stages.explaining import importance_of, read_fitted_fields
from stages.fitting import HASH_BITS_APART
from stages.pictures import take_pictures

_REMEDY = "Run python cli.py fit again."


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
    matrix, labels = read_fitted_fields(folder)
    importance = importance_of(folder, fitted, lambda: (matrix, labels), ImportanceSettings(workers=workers), quiet)
    failures = _failures(folder)
    groups = read_table(folder.folds, {"group": "whole number"}, _REMEDY).column("group").to_numpy()
    if not len(groups) == len(fitted.fold) == len(matrix.ids):
        raise InputError(
            f"{folder.folds} has {len(groups)} rows, the fit {len(fitted.fold)}, the features {len(matrix.ids)}; "
            f"expected the same fields in all. {_REMEDY}"
        )
    if (fitted.evaluable & ~labels[fitted.fold >= 0].any(0)).any():
        raise InputError(f"{folder.oof} has no field with an organelle that the fit has learnt. {_REMEDY}")
    evidence = Evidence(
        name=f"Run {folder.root.name}",
        simulated=_simulated(folder),
        folds_kind=fitted.leaderboard.folds,
        groups_from=str(read_config(folder.config).get("fit", {}).get("groups", "unknown")),
        facts=_facts(matrix, labels, groups, len(fitted.columns), len(failures)),
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
        failures=failures,
        duplicates=_duplicates(folder, matrix, labels),
        pictures=take_pictures(folder, data, masks, matrix.ids, labels, fitted, workers, quiet),
    )
    return write_report(folder.report, evidence)


def _facts(
    matrix: FieldMatrix, labels: np.ndarray, groups: np.ndarray, n_columns: int, n_failed: int
) -> dict[str, str]:
    """The data in numbers."""
    facts = {"training fields": f"{len(matrix.ids):,}", "groups": f"{len(np.unique(groups)):,}"}
    count = (matrix.columns["family"] == "Count") & (matrix.columns["feature"] == "Cells")
    if count.any():
        cells = matrix.values[:, np.flatnonzero(count)[0]]
        cells = cells[np.isfinite(cells)]
        facts |= {"cells": f"{int(cells.sum(dtype=np.float64)):,}"}
        facts |= {"cells a field": f"{int(np.median(cells))} (median)"} if len(cells) else {}
    facts |= {"labels a field": f"{labels.sum(1).mean():.2f}", "features": f"{n_columns:,}"}
    facts["could not be used"] = f"{n_failed:,}"
    return facts


def _simulated(folder: RunFolder) -> bool:
    metrics = read_json(folder.metrics, _REMEDY)
    simulated = metrics.get("simulated") if isinstance(metrics, dict) else None
    if not isinstance(simulated, bool):
        raise InputError(f"{folder.metrics} does not say whether the fields are simulated. {_REMEDY}")
    return simulated


def _failures(folder: RunFolder) -> tuple[Failure, ...]:
    if not folder.failures.is_file():
        return ()
    remedy = "Run python cli.py extract again."
    try:
        table = pd.read_csv(folder.failures, dtype=str, keep_default_na=False, index_col=False)
        return tuple(Failure(*map(str, row)) for row in table[["Id", "stage", "error"]].itertuples(index=False))
    except (KeyError, ValueError) as error:  # pandas' own errors are ValueErrors
        raise InputError(f"{folder.failures} cannot be used ({shown(str(error), 200)}). {remedy}") from error


def _duplicates(folder: RunFolder, train: FieldMatrix, labels: np.ndarray) -> tuple[DuplicatePair, ...]:
    """Near-identical fields within and between the splits, those with the fewest bits apart first."""
    ids, split, hashes = list(train.ids), ["train"] * len(train.ids), _hashes(train.metadata)
    if folder.matrix("test").is_file():
        test = read_hashes(folder.matrix("test"))
        ids += list(test["Metadata_Id"])
        split += ["test"] * len(test)
        if _hashes(test).shape[1] != hashes.shape[1]:
            raise InputError(f"{folder.matrix('test')} has other hashes than the training fields. Extract again.")
        hashes = np.concatenate([hashes, _hashes(test)])
    pairs = []
    for i, j in duplicate_pairs(hashes, HASH_BITS_APART):
        where = split[i] if split[i] == split[j] else "train and test"
        same = bool((labels[i] == labels[j]).all()) if split[i] == split[j] == "train" else None
        pairs.append(DuplicatePair(ids[i], ids[j], where, int(hamming(hashes[i], hashes[j]).sum()), same))
    return tuple(sorted(pairs, key=lambda pair: (pair.bits, pair.first, pair.second)))


def _hashes(metadata: pd.DataFrame) -> np.ndarray:
    names = [name for name in metadata.columns if name.startswith("Metadata_Hash")]
    return metadata[names].to_numpy(np.uint64)
