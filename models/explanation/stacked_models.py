"""The first-level models that have not seen a fold, weighted as the stack weighs them, and what moves their score."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.explanation.shap_values import contributions, group_contributions, part_of
from models.first_level.fold_model import FoldModel, TrainedModel, load_models, member_scores
from models.first_level.members import BOOSTERS, kind_of
from models.fitted import Fitted


@dataclass(frozen=True)
class StackedModels:
    """The models of one fold.

    Attributes
    ----------
    models : list of list of TrainedModel
        By member, then organelle.
    weight : ndarray of float64, shape (n_organelles, n_members)
        What a member's score counts in the stacked score.
    centre : ndarray of float64, shape (n_organelles,)
        What is taken from the weighted sum.
    """

    models: list[list[TrainedModel]]
    weight: np.ndarray
    centre: np.ndarray

    def scores(self, values: np.ndarray) -> np.ndarray:
        """The stacked score of each organelle: float64, shape (n_organelles, n_fields)."""
        total = np.zeros((len(self.weight), len(values)))
        for models, weight in zip(self.models, self.weight.T, strict=True):
            total += weight[:, None] * np.stack(member_scores(models, values))
        return total - self.centre[:, None]

    def only(self, i: int) -> "StackedModels":
        """The models of one organelle."""
        return StackedModels([[models[i]] for models in self.models], self.weight[[i]], self.centre[[i]])

    def contributions(self, values: np.ndarray) -> np.ndarray:
        """What each column adds to the first organelle's stacked score: float64, shape (n_fields, n_columns)."""
        total = np.zeros(values.shape)
        for models, weight in zip(self.models, self.weight[0], strict=True):
            total += weight * contributions(models[0], values)
        return total

    def part_of(self, columns: np.ndarray, values: np.ndarray) -> np.ndarray:
        """What some columns (bool) add to each organelle's score, up to a constant: (n_organelles, n_fields)."""
        total = np.zeros((len(self.weight), len(values)))
        for models, weight in zip(self.models, self.weight.T, strict=True):
            for i, model in enumerate(models):
                total[i] += weight[i] * part_of(model, columns, values)
        return total

    def group_contributions(
        self, values: np.ndarray, background: np.ndarray, members: np.ndarray, rng: np.random.Generator,
        pairs: int, alike: bool = False,
    ) -> np.ndarray:  # fmt: skip
        """What each group of columns as a whole adds to the first organelle's stacked score.

        Parameters
        ----------
        values, background, members, rng, pairs, alike
            As in `group_shapley`.

        Returns
        -------
        ndarray of float64, shape (n_fields, n_groups)
        """
        total = np.zeros((len(values), members.shape[1]))
        for models, weight in zip(self.models, self.weight[0], strict=True):
            total += weight * group_contributions(models[0], values, background, members, rng, pairs, alike)
        return total

    def boosters(self, i: int) -> list[TrainedModel]:
        """The boosters of one organelle."""
        return [models[i] for models in self.models if kind_of(models[i].member) in BOOSTERS]


@dataclass(frozen=True)
class Stacked:
    """Where the models of all folds lie, and how they count.

    Attributes
    ----------
    folder : Path
    members : tuple of str
    organelles : ndarray of int, shape (n_organelles,)
        The classes with models.
    weight : ndarray of float64, shape (n_folds, n_organelles, n_members)
    centre : ndarray of float64, shape (n_folds, n_organelles)
        The mean over folds of the weighted scores minus this is the stack's score.
    classes : tuple of str
        Of the fit.
    """

    folder: Path
    members: tuple[str, ...]
    organelles: np.ndarray
    weight: np.ndarray
    centre: np.ndarray
    classes: tuple[str, ...]

    @classmethod
    def of(cls, fitted: Fitted) -> "Stacked":
        """The models of a fit; folds are standardised and members weighted as in its predictions."""
        stack, folds = fitted.second_level.stack, fitted.standardisation
        weight = stack.weight / stack.spread / folds.spread
        centre = (weight * folds.centre + stack.weight / stack.spread * stack.centre).sum(2)
        able = np.flatnonzero(fitted.trainable)
        return cls(fitted.folder.models, fitted.settings.members, able, weight, centre, fitted.classes.names)

    def only(self, organelle: int) -> "Stacked":
        """The models of one class, by its number."""
        at = self.organelles == organelle
        weight, centre = self.weight[:, at], self.centre[:, at]
        return Stacked(self.folder, self.members, self.organelles[at], weight, centre, self.classes)

    def load(self, fold: int, n_columns: int) -> StackedModels:
        """The models that have not seen a fold."""
        models = [
            load_models([FoldModel(self.folder, int(j), name, fold, self.classes) for j in self.organelles], n_columns)
            for name in self.members
        ]
        return StackedModels(models, self.weight[fold], self.centre[fold])
