"""What report.html is made from: everything the run folder holds, and pictures where the images are still there."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from engine.files import read_json
from engine.run_folder import RunFolder
from features._field import hamming
from models.duplicates import duplicate_pairs
from models.fitted import Fitted
from models.importance import ImportanceSettings
from models.matrix import FieldMatrix
from models.report import DuplicatePair, Evidence, Failure, write_report
from stages.explaining import importance_of, read_fitted_fields
from stages.fitting import HASH_BITS_APART
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
    failures = _failures(folder)
    groups = pq.read_table(folder.folds).column("group").to_numpy()
    metrics = read_json(folder.metrics)
    evidence = Evidence(
        name=f"Run {folder.root.name}",
        simulated=metrics["simulated"],
        folds_kind=metrics["folds"],
        groups_from=str(read_json(folder.config)["fit"]["groups"]),
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
        pictures=take_pictures(folder, data, matrix.ids, labels, fitted, workers, quiet),
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
        facts |= {"cells": f"{int(np.nansum(cells)):,}", "cells a field": f"{int(np.nanmedian(cells))} (median)"}
    facts |= {"labels a field": f"{labels.sum(1).mean():.2f}", "features": f"{n_columns:,}"}
    facts["could not be used"] = f"{n_failed:,}"
    return facts


def _failures(folder: RunFolder) -> tuple[Failure, ...]:
    if not folder.failures.is_file():
        return ()
    table = pd.read_csv(folder.failures, dtype=str, keep_default_na=False)
    return tuple(Failure(row.Id, row.stage, row.error) for row in table.itertuples())


def _duplicates(folder: RunFolder, train: FieldMatrix, labels: np.ndarray) -> tuple[DuplicatePair, ...]:
    """Near-identical fields within and between the splits, those with the fewest bits apart first."""
    ids, split, hashes = list(train.ids), ["train"] * len(train.ids), _hashes(train.metadata)
    if folder.matrix("test").is_file():
        names = pq.read_schema(folder.matrix("test")).names
        wanted = [name for name in names if name == "Metadata_Id" or name.startswith("Metadata_Hash")]
        test = pq.read_table(folder.matrix("test"), columns=wanted).to_pandas()
        ids += list(test["Metadata_Id"])
        split += ["test"] * len(test)
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
