"""Ensemble predictions: the members' scores averaged over folds, then probabilities and calls of all organelles."""

from pathlib import Path

import numpy as np

from models.first_level.fold_model import FoldModel, load_models, member_scores
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
