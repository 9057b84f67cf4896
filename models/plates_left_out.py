"""Leaving out whole plates or cell lines: how well a model does on a plate that it has not seen."""

from dataclasses import dataclass

import numpy as np

from models.first_level.fold_model import Training
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
