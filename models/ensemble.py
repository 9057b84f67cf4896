"""Ensemble predictions: the members' scores averaged over folds, then probabilities and calls of all organelles."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.first_level.fold_model import FoldModel, TrainedModel, load_models
from models.first_level.members import member
from models.second_level.standardisation import FoldStandardisation
from models.second_level.thresholds import call
from models.settings import FitSettings


def ensemble_scores(
    models: Path, settings: FitSettings, trainable: np.ndarray, standardisation: FoldStandardisation, matrix: np.ndarray
) -> np.ndarray:
    """Members' standardised scores of new fields, averaged over the folds' models.

    Returns
    -------
    ndarray of float32, shape (n_fields, n_trainable, n_members)
    """
    organelles = np.flatnonzero(trainable)
    total = np.zeros((len(matrix), len(organelles), len(settings.members)), np.float32)
    for k in range(settings.n_folds) if len(organelles) else ():
        scores = np.empty_like(total)
        for m, name in enumerate(settings.members):
            fold_models = [FoldModel(models, int(j), name, k, settings.organelles) for j in organelles]
            scores[:, :, m] = np.stack(member_scores(load_models(fold_models, matrix.shape[1]), matrix), axis=1)
        total += standardisation.apply(scores, k)
    return total / settings.n_folds


def member_scores(models: Sequence[TrainedModel], matrix: np.ndarray) -> list[np.ndarray]:
    """The scores of one member's models of a fold; what they share is computed once."""
    kind = member(models[0].member)
    if hasattr(kind, "score_several"):
        return kind.score_several([one.model for one in models], models[0].used(matrix))
    return [one.score(matrix) for one in models]


def conclude(
    probabilities: np.ndarray, threshold: np.ndarray, trainable: np.ndarray, prior: np.ndarray, per_field: str
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and calls of all classes from those of the trainable ones.

    Parameters
    ----------
    probabilities : ndarray of float64, shape (n_fields, n_trainable)
    threshold : ndarray of float64, shape (n_trainable,) or (n_fields, n_trainable)
    per_field : str
        How many classes a field can be called for, see `call`.
    """
    full = widen(probabilities, trainable, prior)
    threshold = widen(np.broadcast_to(threshold, probabilities.shape), trainable, np.nan)
    return full.astype(np.float32), call(full, threshold, per_field)


def widen(values: np.ndarray, trainable: np.ndarray, other: np.ndarray | float) -> np.ndarray:
    """Expand the trainable organelles' values (last axis) to all classes; the others get `other`."""
    full = np.empty((*values.shape[:-1], len(trainable)))
    full[...] = other
    full[..., trainable] = values
    return full
