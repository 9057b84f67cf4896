"""Ensemble predictions: the members' scores averaged over folds, then probabilities and calls of all organelles."""

from pathlib import Path

import numpy as np

from models.first_level.fold_model import FoldModel
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
        for i, j in enumerate(organelles):
            for m, name in enumerate(settings.members):
                kind = member(name)
                model = FoldModel(models, int(j), name, k, settings.organelles).load(matrix.shape[1])
                scores[:, i, m] = kind.score(model, matrix)
        total += standardisation.apply(scores, k)
    return total / settings.n_folds


def conclude(
    probabilities: np.ndarray, threshold: np.ndarray, trainable: np.ndarray, prior: np.ndarray, at_least_one: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and calls of all 28 organelles from those of the trainable ones.

    Parameters
    ----------
    probabilities : ndarray of float64, shape (n_fields, n_trainable)
    threshold : ndarray of float64, shape (n_trainable,) or (n_fields, n_trainable)
    at_least_one : bool
        Whether a field without a probability above its threshold gets its most probable organelle.
    """
    full = widen(probabilities, trainable, prior)
    threshold = widen(np.broadcast_to(threshold, probabilities.shape), trainable, np.nan)
    return full.astype(np.float32), call(full, threshold, at_least_one)


def widen(values: np.ndarray, trainable: np.ndarray, other: np.ndarray | float) -> np.ndarray:
    """Expand the trainable organelles' values (last axis) to all 28; the others get `other`."""
    full = np.empty((*values.shape[:-1], len(trainable)))
    full[...] = other
    full[..., trainable] = values
    return full
