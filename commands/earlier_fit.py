"""What becomes of a run's earlier fit: removed because it is outdated, or its settings, groups and folds kept."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from engine.command_line import DATA, command_line
from engine.errors import InputError
from engine.ids import shown
from models.data.duplicates import join
from models.data.training_set import TrainingSet
from models.fit_file import read_fit_file
from models.fitted import Fitted
from models.folds import NEW
from models.saved_fit import load
from models.settings import FitSettings
from store.prediction import PredictionFiles
from store.run_folder import RunFolder, read_config

_SHOWN, _LONGEST, _LONGEST_PATH = 4, 60, 300  # settings in a message, characters of a value and of a path

_log = logging.getLogger(__name__)


def clear_earlier_fit(
    folder: RunFolder, columns: pd.DataFrame, settings: FitSettings, data: Path = DATA,
    noted: Mapping[str, Any] = MappingProxyType({}),
) -> None:  # fmt: skip
    """Log why the earlier fit is outdated, and remove the tables made from it.

    The report, the submission and predictions of new fields are kept, and named in a warning.

    Parameters
    ----------
    folder : RunFolder
    columns : DataFrame
        Those of the matrix to fit on.
    settings : FitSettings
    data : Path
        The data folder to fit on.
    noted : mapping
        What config.json will note of the fit beside its settings.
    """
    if folder.fit.fit_file.is_file():
        _log.warning("%s: fitting again", _why_again(folder, settings, columns, noted))
    made = {
        folder.command("report", data): [folder.report],
        folder.command("submit", data): [folder.submission, folder.predictions],
        _predict_again(folder): [PredictionFiles(folder.predicted).predictions],
    }
    for command, paths in made.items():
        names = " and ".join(path.relative_to(folder.root).as_posix() for path in paths if path.is_file())
        if names:
            _log.warning("still of an earlier fit: %s; run %s again", names, command)
    for stale in (folder.duplicates, folder.label_errors):
        stale.unlink(missing_ok=True)


def _predict_again(folder: RunFolder) -> str:
    """The command that predicts the same images as before."""
    try:
        noted = read_config(RunFolder(folder.predicted).config).get("predict", {})
    except InputError:
        noted = {}
    named = {name: shown(str(noted[name]), _LONGEST_PATH) for name in ("images", "masks") if noted.get(name)}
    return command_line("predict", named.get("images", "FOLDER"), run=folder.root, masks=named.get("masks"))


def _differences(before: Mapping[str, Any], today: Mapping[str, Any], of: str = "") -> list[str]:
    """Each setting that differs, before and today, with what it is of: "lightgbm rounds: 20 -> 150"."""
    found = []
    for name in dict.fromkeys((*today, *before)):
        was, now = before.get(name), today.get(name)
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            found += _differences(was, now, of if name == "parameters" else f"{of}{name} ")
        elif was != now:
            found.append(f"{of}{name}: {shown(str(was), _LONGEST)} -> {shown(str(now), _LONGEST)}")
    return found


def _why_again(folder: RunFolder, settings: FitSettings, columns: pd.DataFrame, noted: Mapping[str, Any]) -> str:
    """What differs from the earlier fit; the options that decide what is learnt come first."""
    try:
        earlier, of_earlier = read_fit_file(folder.fit), read_config(folder.config).get("fit", {})
    except InputError:
        return "the earlier fit cannot be read"
    known = [name for name in ("groups", "own_classes") if name in noted and name in of_earlier]
    before = {name: of_earlier[name] for name in known} | earlier.settings.of_result()
    now = {name: noted[name] for name in known} | settings.of_result()
    before["features"], now["features"] = len(earlier.columns), len(columns)
    today = {name: now[name] for name in (*known, "normalise_by", "controls")} | now
    if changed := _differences(before, today):
        more = f"; {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        return f"settings differ from the earlier fit ({'; '.join(changed[:_SHOWN])}{more})"
    return "labels, groups, features or the program differ from the earlier fit's, or one of its files is missing"


def earlier_fit(folder: RunFolder) -> Fitted | None:
    """The run's fit, if there is one that can be read."""
    if not folder.fit.fit_file.is_file():
        return None
    try:
        return load(folder.root)
    except InputError as error:
        _log.warning("the earlier fit cannot be read (%s): settings and folds are chosen anew", error)
        return None


def like_earlier(training: TrainingSet, earlier: Fitted) -> TrainingSet:
    """The training set with the columns and classes of an earlier fit, and its groups for the fields that it had.

    A new field joins the group of those that share a given group with it, e.g. an antibody or a well.

    Raises
    ------
    InputError
        If a class is new since then.
    """
    matrix, before, now = training.matrix, earlier.classes.names, training.classes.names
    if new_classes := [name for name in now if name not in before]:
        raise InputError(
            f"the earlier fit in {earlier.folder.root} has no class {', '.join(new_classes)}, so it cannot be compared "
            "with a new one. Leave --like-before out."
        )
    labels = np.zeros((len(training.labels), len(before)), bool)
    labels[:, [before.index(name) for name in now]] = training.labels
    at = pd.Index(earlier.ids).get_indexer(pd.Index(matrix.ids))
    alone = np.arange(len(at)) + 1 + int(earlier.groups.max(initial=0))
    groups = np.where(at >= 0, earlier.groups[at], alone)
    duplicates = training.duplicates[training.duplicates[:, 1] < len(matrix.ids)]
    pairs = np.concatenate([duplicates, _with_new_fields(training.groups, at < 0)])
    kept = matrix.columns["name"].isin(set(earlier.columns)).to_numpy()
    return replace(
        training, matrix=matrix.select(kept), classes=earlier.classes, labels=labels, groups=join(groups, pairs),
        groups_from=f"the earlier fit; of new fields, {training.groups_from}",
    )  # fmt: skip


def _with_new_fields(groups: np.ndarray, is_new: np.ndarray) -> np.ndarray:
    """Pairs of fields that connect each given group with a new field in it: int, shape (n_pairs, 2)."""
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    has_new = np.zeros(len(first), bool)
    has_new[group[is_new]] = True
    rows = np.flatnonzero(has_new[group])
    return np.column_stack([first[group[rows]], rows])


def folds_like(training: TrainingSet, earlier: Fitted | None) -> np.ndarray | None:
    """The earlier fit's folds of the training fields, as `models.fit.fit` takes them."""
    if earlier is None:
        return None
    at = pd.Index(earlier.ids).get_indexer(pd.Index(training.matrix.ids))
    return np.where(at >= 0, earlier.fold[at], NEW)
