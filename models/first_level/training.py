"""Trains the first level: one model for each organelle, fold and member.

Each fold model has three files: the model, its scores of the held-out fold, and a note with its stamp, written last. A
fold model with an up-to-date stamp is not trained again. The linear models of a fold come first: their factorised
system also screens the columns of the boosters, if the table is large. Organelles with the same columns share the
prepared (binned, factorised) values; screened boosters have small data sets of their own.
"""

import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.files import content_hash, digest, whole, write_array, write_json
from engine.running.arrays import handed_over, taken
from engine.running.memory import trim_memory
from engine.running.parallel import run_tasks
from engine.running.progress import Progress
from models.first_level.class_weights import row_weights
from models.first_level.defaults import default_parameters
from models.first_level.fold_model import FoldModel, TrainedModel, Training, member_scores
from models.first_level.members import BOOSTERS, column_sets_of, kind_of, member
from models.first_level.screening import best, rank_columns
from models.settings import FitSettings
from store.stamp import array_hash, code_of, stamp
from store.untrusted_input import read_array

Stamps = dict[str, list[str]]

_WATCH_SECONDS = 0.5
INPUTS = ".inputs-"
"""Prefix of the folder with the workers' arrays; a hash follows, so that no worker reads another fit's arrays."""


def train_first_level(
    training: Training,
    organelles: Sequence[int],
    folds: Sequence[int],
    settings: FitSettings,
    folder: Path,
    progress: Progress,
) -> np.ndarray:
    """Train the missing fold models and return all out-of-fold scores.

    Parameters
    ----------
    organelles : sequence of int
        The trainable ones.
    folds : sequence of int
        The folds to score; a fold's models are trained on all others.
    folder : Path
        Where the models are written; finished ones there are reused.
    progress : Progress
        Advanced by one for every booster; the other members take little time.

    Returns
    -------
    ndarray of float32, shape (n_fields, n_classes, n_members)
        NaN for other organelles and for fields of other folds.
    """
    stamps = fold_model_stamps(training, settings)
    fold_models = [
        FoldModel(folder, j, name, k, settings.organelles)
        for name in settings.members
        for k in folds
        for j in organelles
    ]
    missing = [one for one in fold_models if not one.is_finished(stamps[one.member][one.organelle])]
    progress.advance(len(_boosters(fold_models)) - len(_boosters(missing)))
    for inputs in folder.glob(f"{INPUTS}*"):  # of a fit that was killed
        shutil.rmtree(inputs)
    if missing:
        for one in missing:
            one.note.unlink(missing_ok=True)
        counted = _counted([one.note for one in _boosters(missing)], progress)
        with handed_over(folder / f"{INPUTS}{digest(stamps)}", **training.arrays) as inputs, counted:
            for tasks in _tasks(missing, organelles, inputs, settings, stamps):
                for _ in run_tasks(_train_some, tasks, settings.workers):
                    pass
    scores = np.full((*training.labels.shape, len(settings.members)), np.nan, np.float32)
    for fold_model in fold_models:
        tested = training.fold == fold_model.fold
        mine = read_array(fold_model.scores, np.float32, (int(tested.sum()),))
        scores[tested, fold_model.organelle, settings.members.index(fold_model.member)] = mine
    return scores


def _boosters(fold_models: Sequence[FoldModel]) -> list[FoldModel]:
    return [fold_model for fold_model in fold_models if kind_of(fold_model.member) in BOOSTERS]


def fold_model_stamps(training: Training, settings: FitSettings) -> Stamps:
    """The stamps of the fold models: of each member a list with one for each organelle; the fold is in the file name.

    An organelle's models depend on its own labels only, so that a corrected label trains no others again.
    """
    values, labels = training.unlabelled_hash, [array_hash(column) for column in training.labels.T]
    return {name: [_stamp(name, settings, [values, mine]) for mine in labels] for name in settings.members}


def _stamp(name: str, settings: FitSettings, data: list[str]) -> str:
    used = [member(name).VERSION, settings.parameters[name], settings.seed, settings.device]
    return stamp(used, data, member_code(name))


def member_code(name: str) -> str:
    """Hash of the sources that train a member's models."""
    return code_of("models.first_level.training", f"models.first_level.{kind_of(name)}")


def _tasks(
    missing: Sequence[FoldModel], organelles: Sequence[int], inputs: Path, settings: FitSettings, stamps: Stamps
) -> tuple[list[tuple], list[tuple]]:
    """The tasks of the linear models, which come first because they rank columns for others, and all other tasks.

    Fold models that share their prepared values are one task, or several if there are more workers.
    """
    screened = {one.fold for one in missing if settings.parameters[one.member].get("columns")}
    shared: dict[tuple[str, int], list[FoldModel]] = {("linear", fold): [] for fold in sorted(screened)}
    for one in missing:
        shared.setdefault((one.member, one.fold), []).append(one)
    rest = (inputs, settings, stamps)
    first = [
        (name, fold, some, organelles if fold in screened else (), *rest)
        for (name, fold), some in shared.items()
        if name == "linear"
    ]
    others = {key: some for key, some in shared.items() if key[0] != "linear"}
    n_parts = -(-2 * settings.workers // len(others)) if settings.workers > 1 and others else 1
    split = [
        (name, fold, some[k::n_parts], (), *rest)
        for (name, fold), some in others.items()
        for k in range(min(n_parts, len(some)))
    ]
    return first, split


def _train_some(
    name: str, fold: int, fold_models: Sequence[FoldModel], ranked: Sequence[int],
    inputs: Path, settings: FitSettings, stamps: Stamps,
) -> None:  # fmt: skip
    """A worker's task: train fold models of one member and fold, and rank the columns for the organelles `ranked`."""
    training, kind = Training.load(inputs), member(name)
    parameters = settings.parameters.get(name) or default_parameters(name, *training.values.shape)
    seen, of_set, ranking = _parts(training.fold, fold)[0], training.columns_of(name), f"ranking{fold}"
    # Some are finished, e.g., by a worker that was killed before it finished this task.
    marks = {one: mark for one in fold_models if not one.is_finished(mark := stamps[name][one.organelle])}
    if parameters.get("columns"):
        best_first = taken(inputs, ranking)
        for one, mark in marks.items():
            columns = best(best_first[one.organelle], parameters["columns"], of_set)
            prepared = kind.prepare(training.of(seen, columns), parameters, settings.device)
            _train({one: mark}, prepared, training, settings, columns)
        return
    values = training.of(seen, of_set)
    if len(column_sets_of(name)) > 1:
        values = replace(values, sets=training.column_set[of_set])
    prepared = kind.prepare(values, parameters, settings.device)
    trim_memory()
    if ranked:
        write_array(inputs / f"{ranking}.npy", rank_columns(prepared, training.labels[seen], ranked))
    if fold_models and (shared := fold_models[0].shared):
        kind.save_shared(prepared, shared)
    if kind_of(name) in BOOSTERS:  # they take long: each is written as soon as it is trained
        for one, mark in marks.items():
            _train({one: mark}, prepared, training, settings, of_set)
    elif marks:
        _train(marks, prepared, training, settings, of_set)


def _train(
    marks: dict[FoldModel, str], prepared: Any, training: Training, settings: FitSettings, columns: np.ndarray | None
) -> None:
    """Train fold models of one member and fold and write their files, the notes last; they are scored together.

    Parameters
    ----------
    marks : dict
        The stamp of each.
    prepared
        The other folds' values, prepared by the member's kind.
    columns : ndarray of int or None
        The columns that were prepared; None for all.
    """
    first = next(iter(marks))
    name, fold = first.member, first.fold
    kind, (seen, unseen), parameters = member(name), _parts(training.fold, fold), settings.parameters[name]
    names = (training.names if columns is None else training.names[columns]).tolist()
    models = []
    for one in marks:
        labels = np.asarray(training.labels[seen, one.organelle])
        weights = row_weights(labels, parameters.get("weight_exponent", 0.0))
        seed = int(digest([settings.seed, name, fold, one.organelle]), 16) % 2**31
        model = kind.train(prepared, labels, weights, parameters, seed)
        with whole(one.model) as path:
            kind.save(model, path, names)
        models.append(TrainedModel(name, model, None, len(names)))
    scores = member_scores(models, training.of(unseen, columns)[:])  # of their columns alone
    shared = None if first.shared is None else content_hash(first.shared)
    used = None if columns is None else columns.tolist()
    for (one, mark), mine in zip(marks.items(), scores, strict=True):
        write_array(one.scores, mine)
        write_json(one.note, {"stamp": mark, "model": content_hash(one.model), "shared": shared, "columns": used})


def _parts(fold: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows that fold k's models are trained on, and its held-out rows."""
    return np.flatnonzero((fold >= 0) & (fold != k)), np.flatnonzero(fold == k)


@contextmanager
def _counted(notes: Sequence[Path], progress: Progress) -> Iterator[None]:
    """Advance the progress as notes appear, whichever process or machine writes them."""
    ended, waiting = threading.Event(), set(notes)

    def watch() -> None:
        last = False
        while not last:
            last = ended.wait(_WATCH_SECONDS)
            arrived = {path for path in waiting if path.is_file()}
            waiting.difference_update(arrived)
            progress.advance(len(arrived))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
