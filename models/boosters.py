"""The first level: one model for each organelle, fold and member, each a unit that is finished on disk or not there.

A unit leaves the model, its scores of the fold it did not see, and last a note with the hash of all that it was made
from. A unit whose note carries today's hash is not done again. Values are prepared (binned, quantised, factorised) once
per member and fold and shared by the organelles.
"""

import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from engine.arrays import handed_over
from engine.files import content_hash, digest, made_from, whole, write_array, write_json
from engine.memory import give_back
from engine.parallel import run_units
from engine.progress import Progress
from engine.stored import read_array
from models.members import member
from models.settings import FitSettings
from models.units import Training, Unit
from models.weights import Strengths, choose_strengths, read_strengths, row_weights

_WATCH_SECONDS = 0.5
INPUTS = ".inputs-"
"""The folder of arrays that workers read begins so and ends with their hash, so that no worker reads another fit's."""


def evaluable(labels: np.ndarray, groups: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """Which organelles have enough positives, and negatives, to be learnt and tested.

    At least five positive fields, positives in at least as many groups as there are folds, and both kinds in every
    fold's training part; the same of the negatives.

    Returns
    -------
    ndarray of bool, shape (n_organelles,)
    """
    folds = np.unique(fold[fold >= 0])

    def enough(mine: np.ndarray) -> bool:
        mine = mine & (fold >= 0)
        trained = all((mine & (fold != k)).any() for k in folds)
        return bool(mine.sum() >= 5 and len(np.unique(groups[mine])) >= len(folds) and trained)

    return np.array([enough(column) and enough(~column) for column in labels.T])


def train_first_level(
    training: Training,
    organelles: Sequence[int],
    folds: Sequence[int],
    settings: FitSettings,
    folder: Path,
    progress: Progress,
) -> np.ndarray:
    """Train what is missing and collect all out-of-fold scores.

    Parameters
    ----------
    organelles : sequence of int
        Those that are evaluable.
    folds : sequence of int
        The folds to score; the models of a fold see all others.
    folder : Path
        Where the models lie; what is finished there is kept.
    progress : Progress
        Advanced by one for every organelle, fold and member.

    Returns
    -------
    ndarray of float32, shape (n_fields, 28, n_members)
        NaN for other organelles and for fields of other folds.
    """
    keys = unit_keys(training, settings)
    units = [
        Unit(folder, j, name, k, settings.organelles) for name in settings.members for k in folds for j in organelles
    ]
    missing = [unit for unit in units if not unit.is_finished(keys[unit.member])]
    progress.advance(len(units) - len(missing))
    _remove_inputs(folder)
    if missing:
        for unit in missing:
            unit.note.unlink(missing_ok=True)
        counted = _counted([unit.note for unit in missing], progress)
        with handed_over(folder / f"{INPUTS}{training.key()[:16]}", **vars(training)) as inputs, counted:
            for _ in run_units(_fit_several, _batches(missing, inputs, settings, keys), settings.workers):
                pass
    scores = np.full((*training.labels.shape, len(settings.members)), np.nan, np.float32)
    for unit in units:
        tested = training.fold == unit.fold
        mine = read_array(unit.scores, np.float32, (int(tested.sum()),))
        scores[tested, unit.organelle, settings.members.index(unit.member)] = mine
    return scores


def _remove_inputs(folder: Path) -> None:
    """Remove the arrays that workers read, also those of a fit that was killed."""
    for inputs in folder.glob(f"{INPUTS}*"):
        shutil.rmtree(inputs)


def unit_keys(training: Training, settings: FitSettings) -> dict[str, str]:
    """For each member the hash of all that its units are made from."""
    data_key = training.key()
    return {name: _key(name, settings, data_key) for name in settings.members}


def fit_one(
    kind: ModuleType,
    prepared: Any,
    training: Training,
    unit: Unit,
    settings: FitSettings,
    strengths: Strengths,
    key: str,
) -> None:
    """Train one unit and leave its files.

    Parameters
    ----------
    kind : module
        The member.
    prepared
        `kind.prepare` of the values of the other folds' fields.
    strengths : Strengths
        Of the class weights.
    key : str
        Hash of all that the unit is made from.
    """
    seen, unseen = _parts(training.fold, unit.fold)
    labels = np.asarray(training.labels[seen, unit.organelle])
    seed = int(digest([settings.seed, unit.member, unit.fold, unit.organelle]), 16) % 2**31
    strength = strengths.of(labels)
    model = kind.train(prepared, labels, row_weights(labels, strength), settings.rounds, seed)
    with whole(unit.model) as path:
        kind.save(model, path)
    write_array(unit.scores, kind.score(model, training.values[unseen]))
    made = {"key": key, "model": content_hash(unit.model)}
    write_json(unit.note, made | {"strength": strength, "rounds": settings.rounds, "n_positive": int(labels.sum())})


def _parts(fold: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows that fold k's models see, and rows they are tested on."""
    return np.flatnonzero((fold >= 0) & (fold != k)), np.flatnonzero(fold == k)


def _fit_several(units: Sequence[Unit], inputs: Path, settings: FitSettings, key: str) -> None:
    """A worker's job: units of one member and fold."""
    training = Training.load(inputs)
    kind = member(units[0].member)
    seen, _ = _parts(training.fold, units[0].fold)
    strengths = _strengths(kind, training, units[0], seen, settings, key)
    prepared = kind.prepare(training.of(seen), settings.device)
    give_back()
    for unit in units:
        if not unit.is_finished(key):  # by a worker that was killed before its job was done
            fit_one(kind, prepared, training, unit, settings, strengths, key)


def _strengths(
    kind: ModuleType, training: Training, unit: Unit, seen: np.ndarray, settings: FitSettings, key: str
) -> Strengths:
    """The fold's choice, from disk if it was made before from the same."""
    path = weights_path(unit.folder, unit.member, unit.fold)
    if made_from(path) == key:
        return read_strengths(path)
    strengths = choose_strengths(kind, training, seen, settings)
    write_json(path, {"key": key, "strengths": vars(strengths)})
    return strengths


def weights_path(folder: Path, name: str, fold: int) -> Path:
    """Where a fold's choice of weights lies."""
    return folder / "weights" / f"{name}_fold{fold}.json"


def chosen_strengths(folder: Path, name: str, n_folds: int) -> list[Strengths]:
    """The choices of all folds, as far as they were made."""
    paths = [weights_path(folder, name, k) for k in range(n_folds)]
    return [read_strengths(path) for path in paths if path.is_file()]


def _batches(missing: Sequence[Unit], inputs: Path, settings: FitSettings, keys: dict[str, str]) -> Iterator[tuple]:
    """Jobs of units that share their prepared values, cut finer where there are more workers than those."""
    shared: dict[tuple[str, int], list[Unit]] = {}
    for unit in missing:
        shared.setdefault((unit.member, unit.fold), []).append(unit)
    n_parts = -(-2 * settings.workers // len(shared)) if settings.workers > 1 else 1
    for (name, _), units in shared.items():
        size = -(-len(units) // n_parts)
        for start in range(0, len(units), size):
            yield units[start : start + size], inputs, settings, keys[name]


def _key(name: str, settings: FitSettings, data_key: str) -> str:
    kind = member(name)
    return digest(
        [
            Path(kind.__file__).read_text(encoding="utf-8"),
            kind.SETTINGS,
            kind.RARE_STRENGTHS,
            kind.COMMON_STRENGTHS,
            kind.VERSION,
            settings.rounds,
            settings.seed,
            settings.device,
            data_key,
        ]
    )


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
