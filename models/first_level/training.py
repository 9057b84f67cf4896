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
from types import ModuleType
from typing import Any

import numpy as np

from engine.files import content_hash, digest, whole, write_array, write_json
from engine.running.arrays import handed_over, taken
from engine.running.memory import trim_memory
from engine.running.parallel import run_tasks
from engine.running.progress import Progress
from models.first_level.class_weights import row_weights
from models.first_level.defaults import default_parameters
from models.first_level.fold_model import FoldModel, Training
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
    missing = [fold_model for fold_model in fold_models if not fold_model.is_finished(stamp_in(stamps, fold_model))]
    progress.advance(len(_boosters(fold_models)) - len(_boosters(missing)))
    _remove_inputs(folder)
    if missing:
        for fold_model in missing:
            fold_model.note.unlink(missing_ok=True)
        counted = _counted([fold_model.note for fold_model in _boosters(missing)], progress)
        with handed_over(folder / f"{INPUTS}{digest(stamps)}", **training.arrays) as inputs, counted:
            first, others = _screening_first(missing, organelles, inputs, settings, stamps)
            for step, tasks in ((_fit_linear_and_screen, first), (_fit_several, others)):
                for _ in run_tasks(step, tasks, settings.workers):
                    pass
    scores = np.full((*training.labels.shape, len(settings.members)), np.nan, np.float32)
    for fold_model in fold_models:
        tested = training.fold == fold_model.fold
        mine = read_array(fold_model.scores, np.float32, (int(tested.sum()),))
        scores[tested, fold_model.organelle, settings.members.index(fold_model.member)] = mine
    return scores


def _boosters(fold_models: Sequence[FoldModel]) -> list[FoldModel]:
    return [fold_model for fold_model in fold_models if kind_of(fold_model.member) in BOOSTERS]


def _remove_inputs(folder: Path) -> None:
    """Remove the arrays that workers read, also those of a fit that was killed."""
    for inputs in folder.glob(f"{INPUTS}*"):
        shutil.rmtree(inputs)


def fold_model_stamps(training: Training, settings: FitSettings) -> Stamps:
    """The stamps of the fold models: of each member a list with one for each organelle; the fold is in the file name.

    An organelle's models depend on its own labels only, so that a corrected label trains no others again.
    """
    values, labels = training.unlabelled_hash, [array_hash(column) for column in training.labels.T]
    return {name: [_stamp(name, settings, [values, mine]) for mine in labels] for name in settings.members}


def stamp_in(stamps: Stamps, fold_model: FoldModel) -> str:
    """The stamp of one fold model."""
    return stamps[fold_model.member][fold_model.organelle]


def _stamp(name: str, settings: FitSettings, data: list[str]) -> str:
    used = [member(name).VERSION, settings.parameters[name], settings.seed, settings.device]
    return stamp(used, data, member_code(name))


def member_code(name: str) -> str:
    """Hash of the sources that train a member's models."""
    return code_of("models.first_level.training", f"models.first_level.{kind_of(name)}")


def _screening_first(
    missing: Sequence[FoldModel], organelles: Sequence[int], inputs: Path, settings: FitSettings, stamps: Stamps
) -> tuple[list[tuple], list[tuple]]:
    """Tasks of the linear models, with the screening that others need, and tasks of the other models."""
    screened = {k.fold for k in missing if settings.parameters[k.member].get("columns")}
    first = [k for k in missing if k.member == "linear"]
    tasks = [
        ([k for k in first if k.fold == fold], fold, organelles, fold in screened, inputs, settings, stamps)
        for fold in sorted({k.fold for k in first} | screened)
    ]
    return tasks, list(_batches([k for k in missing if k.member != "linear"], inputs, settings, stamps))


def _fit_linear_and_screen(
    fold_models: Sequence[FoldModel],
    fold: int,
    organelles: Sequence[int],
    screened: bool,
    inputs: Path,
    settings: FitSettings,
    stamps: Stamps,
) -> None:
    """A worker's task: train a fold's linear models, and rank each organelle's columns if others are screened."""
    training, kind = Training.load(inputs), member("linear")
    seen, _ = _parts(training.fold, fold)
    parameters = settings.parameters.get("linear", default_parameters("linear", *training.values.shape))
    prepared = kind.prepare(training.of(seen), parameters, settings.device)
    if screened:
        write_array(inputs / f"{_ranking(fold)}.npy", rank_columns(prepared, training.labels[seen], organelles))
    for fold_model in fold_models:
        if not fold_model.is_finished(mark := stamp_in(stamps, fold_model)):
            fit_one(kind, prepared, training, fold_model, settings, None, mark)


def _ranking(fold: int) -> str:
    return f"ranking{fold}"


def fit_one(
    kind: ModuleType,
    prepared: Any,
    training: Training,
    fold_model: FoldModel,
    settings: FitSettings,
    columns: np.ndarray | None,
    mark: str,
) -> None:
    """Train one fold model and write its files.

    Parameters
    ----------
    kind : module
        The member's.
    prepared
        `kind.prepare` of the values of the other folds' fields.
    columns : ndarray of int or None
        The columns that were prepared; None for all.
    mark : str
        Its stamp.
    """
    seen, unseen = _parts(training.fold, fold_model.fold)
    labels = np.asarray(training.labels[seen, fold_model.organelle])
    seed = int(digest([settings.seed, fold_model.member, fold_model.fold, fold_model.organelle]), 16) % 2**31
    parameters = settings.parameters[fold_model.member]
    model = kind.train(prepared, labels, row_weights(labels, parameters.get("weight_exponent", 0.0)), parameters, seed)
    with whole(fold_model.model) as path:
        kind.save(model, path, (training.names if columns is None else training.names[columns]).tolist())
    write_array(fold_model.scores, kind.score(model, training.of(unseen, columns)[:]))
    shared = None if fold_model.shared is None else content_hash(fold_model.shared)
    used = None if columns is None else columns.tolist()
    note = {"stamp": mark, "model": content_hash(fold_model.model), "shared": shared, "columns": used}
    write_json(fold_model.note, note)


def _parts(fold: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows that fold k's models are trained on, and its held-out rows."""
    return np.flatnonzero((fold >= 0) & (fold != k)), np.flatnonzero(fold == k)


def _fit_several(fold_models: Sequence[FoldModel], inputs: Path, settings: FitSettings, stamps: Stamps) -> None:
    """A worker's task: train some fold models of one member and fold."""
    training, one = Training.load(inputs), fold_models[0]
    kind, parameters = member(one.member), settings.parameters[one.member]
    seen, _ = _parts(training.fold, one.fold)
    of_set = training.columns_of(one.member)
    if parameters.get("columns"):
        ranking = taken(inputs, _ranking(one.fold))
        for fold_model in fold_models:
            if not fold_model.is_finished(mark := stamp_in(stamps, fold_model)):
                columns = best(ranking[fold_model.organelle], parameters["columns"], of_set)
                prepared = kind.prepare(training.of(seen, columns), parameters, settings.device)
                fit_one(kind, prepared, training, fold_model, settings, columns, mark)
        return
    values = training.of(seen, of_set)
    if of_set is not None and len(column_sets_of(one.member)) > 1:
        values = replace(values, sets=training.column_set[of_set])
    prepared = kind.prepare(values, parameters, settings.device)
    trim_memory()
    if one.shared is not None:
        kind.save_shared(prepared, one.shared)
    for fold_model in fold_models:
        # Another is finished, e.g., by a worker that was killed before it finished the task.
        if not fold_model.is_finished(mark := stamp_in(stamps, fold_model)):
            fit_one(kind, prepared, training, fold_model, settings, of_set, mark)


def _batches(missing: Sequence[FoldModel], inputs: Path, settings: FitSettings, stamps: Stamps) -> Iterator[tuple]:
    """Tasks of fold models that share their prepared values, split further if there are more workers."""
    shared: dict[tuple[str, int], list[FoldModel]] = {}
    for fold_model in missing:
        shared.setdefault((fold_model.member, fold_model.fold), []).append(fold_model)
    n_parts = -(-2 * settings.workers // len(shared)) if settings.workers > 1 and shared else 1
    for fold_models in shared.values():
        size = -(-len(fold_models) // n_parts)
        for start in range(0, len(fold_models), size):
            yield fold_models[start : start + size], inputs, settings, stamps


@contextmanager
def _counted(notes: Sequence[Path], progress: Progress) -> Iterator[None]:
    """Advance the progress as notes appear, whichever process or machine writes them."""
    ended = threading.Event()
    waiting = set(notes)

    def look() -> None:
        arrived = {path for path in waiting if path.is_file()}
        waiting.difference_update(arrived)
        progress.advance(len(arrived))

    def watch() -> None:
        while not ended.wait(_WATCH_SECONDS):
            look()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
        look()
