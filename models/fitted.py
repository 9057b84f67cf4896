"""A finished fit: its settings, models and chain, read back from plain files, and what it says about new fields."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.errors import InputError
from engine.files import write_array, write_json
from engine.stored import read_array
from models.align import Alignment
from models.chain import Chain
from models.fit_file import REMEDY, read_fit_file
from models.labels import ORGANELLES
from models.leaderboard import Leaderboard
from models.members import member
from models.settings import FitSettings
from models.thresholds import call
from models.units import Unit


@dataclass(frozen=True)
class Fitted:
    """A fitted run.

    Attributes
    ----------
    folder : Path
        Where the models lie.
    settings : FitSettings
    columns : tuple of str
        Names of the matrix's columns.
    evaluable : ndarray of bool, shape (28,)
        Organelles with models; the others have only their prior.
    prior : ndarray of float64, shape (28,)
        Share of the training fields that carry the organelle.
    alignment : Alignment
        Of the folds' scores, for the evaluable organelles.
    chain : Chain
        For the evaluable organelles, in order.
    threshold : ndarray of float64, shape (28,)
        NaN for organelles that are not evaluable.
    fold : ndarray of int8, shape (n_fields,)
        The training fields' folds; -1 for those held out.
    members : ndarray of float32, shape (n_fields, 28, n_members)
        Their aligned scores by each member: out of fold, and for those held out by the whole ensemble.
    probabilities : ndarray of float32, shape (n_fields, 28)
        Their probabilities: nested out of fold, and for those held out by the whole ensemble.
    calls : ndarray of bool, shape (n_fields, 28)
    leaderboard : Leaderboard
    """

    folder: Path
    settings: FitSettings
    columns: tuple[str, ...]
    evaluable: np.ndarray
    prior: np.ndarray
    alignment: Alignment
    chain: Chain
    fold: np.ndarray
    members: np.ndarray
    probabilities: np.ndarray
    calls: np.ndarray
    leaderboard: Leaderboard

    @property
    def threshold(self) -> np.ndarray:
        """Of each of the 28 organelles; NaN without one."""
        return widen(self.chain.thresholds.threshold, self.evaluable, np.nan)

    def predict(self, matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities and calls of new fields.

        Parameters
        ----------
        matrix : ndarray of float32, shape (n_fields, n_columns)
            The columns of the fit, in order.

        Returns
        -------
        probabilities : ndarray of float32, shape (n_fields, 28)
        calls : ndarray of bool, shape (n_fields, 28)
            At least one a field, unless the settings say that fields may carry none.

        Raises
        ------
        InputError
            If the number of columns differs from the fit's.
        """
        if matrix.ndim != 2 or matrix.shape[1] != len(self.columns):
            raise InputError(
                f"the matrix has shape {matrix.shape}, but the run in {self.folder} was fitted on {len(self.columns)} "
                "columns. Extract these fields with the settings of that run."
            )
        scores = ensemble_scores(self.folder, self.settings, self.evaluable, self.alignment, matrix)
        known = self.chain.probabilities(scores) if self.evaluable.any() else np.empty((len(matrix), 0))
        threshold = self.chain.thresholds.threshold
        return conclude(known, threshold, self.evaluable, self.prior, self.settings.at_least_one)

    def save(self, key: str) -> None:
        """Write fit.json, the arrays and leaderboard.csv beside the models; fit.json comes last."""
        arrays = {"fold": self.fold, "members": self.members, "probabilities": self.probabilities, "calls": self.calls}
        for name, array in arrays.items():
            write_array(self.folder / f"oof_{name}.npy", array)
        self.leaderboard.save(self.folder / "leaderboard.csv")
        content = {
            "key": key,
            "settings": self.settings.of_result(),
            "folds": self.leaderboard.folds,
            "evaluable": self.evaluable.tolist(),
            "prior": self.prior.tolist(),
            "alignment": {name: part.tolist() for name, part in vars(self.alignment).items()},
            "chain": self.chain.to_json(),
            "columns": list(self.columns),
        }
        write_json(self.folder / "fit.json", content)


def load(folder: Path, organelles: tuple[str, ...] | None = ORGANELLES) -> Fitted:
    """Read a finished fit.

    Parameters
    ----------
    folder : Path
    organelles : tuple of str or None
        What its labels must stand for; None for anything.

    Raises
    ------
    InputError
        If there is none in the folder, or a file of it is not as a fit leaves it.
    """
    fit = read_fit_file(folder)
    names = fit.settings.organelles
    if organelles is not None and names != organelles:
        raise InputError(
            f"the fit in {folder} is of {len(names)} labels of its own ({names[0]} ...), not of the {len(organelles)} "
            "organelles. Open it from Python: OrganelleClassifier.load (docs/python.md)."
        )
    path = folder / "oof_fold.npy"
    fold = read_array(path, np.int8, (None,), REMEDY)
    n, n_labels, n_members = len(fold), len(names), len(fit.settings.members)
    if n and not -1 <= fold.min() <= fold.max() < fit.settings.n_folds:
        raise InputError(f"{path} holds folds that the fit has not. {REMEDY}")
    members = read_array(folder / "oof_members.npy", np.float32, (n, n_labels, n_members), REMEDY)
    path = folder / "oof_probabilities.npy"
    probabilities = read_array(path, np.float32, (n, n_labels), REMEDY)
    if not ((probabilities >= 0) & (probabilities <= 1)).all():
        raise InputError(f"{path} holds a number that is no probability. {REMEDY}")
    calls = read_array(folder / "oof_calls.npy", bool, (n, n_labels), REMEDY)
    return Fitted(
        folder, fit.settings, fit.columns, fit.evaluable, fit.prior, fit.alignment, fit.chain, fold, members,
        probabilities, calls, Leaderboard.load(folder / "leaderboard.csv", fit.folds, names),
    )  # fmt: skip


def ensemble_scores(
    folder: Path, settings: FitSettings, evaluable: np.ndarray, alignment: Alignment, matrix: np.ndarray
) -> np.ndarray:
    """Members' scores of new fields, each the mean over the folds' models on the common scale.

    Returns
    -------
    ndarray of float32, shape (n_fields, n_evaluable, n_members)
    """
    organelles = np.flatnonzero(evaluable)
    total = np.zeros((len(matrix), len(organelles), len(settings.members)), np.float32)
    for k in range(settings.n_folds) if len(organelles) else ():
        scores = np.empty_like(total)
        for i, j in enumerate(organelles):
            for m, name in enumerate(settings.members):
                kind = member(name)
                model = Unit(folder, int(j), name, k, settings.organelles).load(matrix.shape[1])
                scores[:, i, m] = kind.score(model, matrix)
        total += alignment.apply(scores, k)
    return total / settings.n_folds


def conclude(
    probabilities: np.ndarray, threshold: np.ndarray, evaluable: np.ndarray, prior: np.ndarray, at_least_one: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and calls of all 28 organelles from those of the evaluable ones.

    Parameters
    ----------
    probabilities : ndarray of float64, shape (n_fields, n_evaluable)
    threshold : ndarray of float64, shape (n_evaluable,) or (n_fields, n_evaluable)
    at_least_one : bool
        Whether a field above no threshold is called for its most probable organelle.
    """
    full = widen(probabilities, evaluable, prior)
    threshold = widen(np.broadcast_to(threshold, probabilities.shape), evaluable, np.nan)
    return full.astype(np.float32), call(full, threshold, at_least_one)


def widen(values: np.ndarray, evaluable: np.ndarray, other: np.ndarray | float) -> np.ndarray:
    """Put the evaluable organelles' values (last axis) among all 28; the rest get `other`."""
    full = np.empty((*values.shape[:-1], len(evaluable)))
    full[...] = other
    full[..., evaluable] = values
    return full
