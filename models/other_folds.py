"""The first member trained again on other folds: random ones, which split groups, and ones of whole plates."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from engine.running.progress import Progress
from models.design import Design
from models.evaluation.leaderboard_rows import leak_rows, member_row
from models.first_level.fold_model import Training
from models.first_level.training import train_first_level
from models.folds import make_folds
from models.settings import FitSettings


@dataclass(frozen=True)
class LeftOut:
    """What is left out, one after the other.

    Attributes
    ----------
    what : str
        E.g. "plate".
    names : ndarray of str, shape (n_fields,)
        The plate of each training field.
    """

    what: str
    names: np.ndarray

    def folds(self, training: Training, settings: FitSettings) -> np.ndarray | None:
        """A fold for each plate, or if there are more plates than folds, several plates in each: int8, (n_fields,).

        -1 for fields that are held out. None if there is only one plate.
        """
        used = training.fold >= 0
        plates, codes = np.unique(self.names[used], return_inverse=True)
        if len(plates) < 2:
            return None
        fold = np.full(len(used), -1, np.int8)
        if len(plates) <= settings.n_folds:
            fold[used] = codes
        else:
            fold[used] = make_folds(training.labels[used], codes, settings.n_folds, settings.seed).fold
        return fold

    def comparable(self, labels: np.ndarray, fold: np.ndarray) -> np.ndarray:
        """The classes with fields with and without them on two plates or more: bool, shape (n_classes,)."""
        mixed = [labels[fold == k] for k in np.unique(fold[fold >= 0])]
        n_with = sum(part.any(0).astype(int) for part in mixed)
        n_without = sum((~part).any(0).astype(int) for part in mixed)
        return (np.asarray(n_with) >= 2) & (np.asarray(n_without) >= 2)


def tries_random_folds(design: Design, settings: FitSettings) -> bool:
    """Whether random folds would split groups, and are wanted."""
    groups = design.training.groups[design.in_folds]
    some_shared = len(np.unique(groups)) < len(groups)
    return design.kind == "grouped" and some_shared and settings.random_folds > 0


def random_fold_rows(
    design: Design, first: np.ndarray, settings: FitSettings, models: Path, shown: Progress
) -> list[pd.DataFrame]:
    """Leaderboard rows of the first member trained again on random folds, which split groups (a leak)."""
    if not tries_random_folds(design, settings):
        return []
    training = design.training
    random_fold = np.full(len(training.fold), -1, np.int8)
    mine = design.in_folds
    alone = np.arange(int(mine.sum()))
    random_fold[mine] = make_folds(training.labels[mine], alone, settings.n_folds, settings.seed).fold
    random_training = replace(training, groups=np.arange(len(mine)), fold=random_fold)
    tried = range(settings.random_folds)
    only = replace(settings, members=settings.members[:1])
    random = train_first_level(random_training, design.organelles, tried, only, models / "random_folds", shown)
    grouped = np.where(np.isin(training.fold, tried)[:, None], first[:, :, 0], np.nan)
    able = design.trainable
    return leak_rows(
        settings.members[0], grouped[:, able], random[:, able, 0], training.labels[:, able], training.fold, random_fold
    )


def left_out_rows(
    design: Design, first: np.ndarray, left_out: LeftOut, plate_folds: np.ndarray, settings: FitSettings,
    models: Path, shown: Progress,
) -> list[pd.DataFrame]:  # fmt: skip
    """Leaderboard rows of the first member, trained again without whole plates and scored on them."""
    training, member = design.training, settings.members[0]
    codes = np.unique(left_out.names, return_inverse=True)[1]
    without = replace(training, groups=codes, fold=plate_folds)
    known = design.trainable & left_out.comparable(training.labels, plate_folds)
    folds, only = np.unique(plate_folds[plate_folds >= 0]), replace(settings, members=(member,))
    where = models / "plates_left_out"
    scores = train_first_level(without, np.flatnonzero(known).tolist(), folds.tolist(), only, where, shown)
    rows = ((f"{design.kind} folds", first, training.fold), (f"{left_out.what}s left out", scores, plate_folds))
    return [
        member_row(f"{name}, {member} alone, all folds", of_way[:, known, 0], training.labels[:, known], fold)
        for name, of_way, fold in rows
    ]
