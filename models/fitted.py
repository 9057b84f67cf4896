"""A finished fit: its settings, models and chain, read back from plain files, and what it says about new fields."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.errors import InputError
from engine.files import read_json, write_array, write_json
from models.align import Alignment
from models.chain import Chain
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
            At least one a field.

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
        return conclude(known, self.chain.thresholds.threshold, self.evaluable, self.prior)

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


def load(folder: Path) -> Fitted:
    """Read a finished fit.

    Raises
    ------
    InputError
        If there is none in the folder.
    """
    if not (folder / "fit.json").is_file():
        raise InputError(f"no finished fit in {folder} (fit.json is missing). Run: python cli.py fit")
    content = read_json(folder / "fit.json")
    settings = content["settings"] | {"members": tuple(content["settings"]["members"])}
    arrays = (np.load(folder / f"oof_{name}.npy") for name in ("fold", "members", "probabilities", "calls"))
    alignment = Alignment(**{name: np.array(part) for name, part in content["alignment"].items()})
    return Fitted(
        folder, FitSettings(**settings), tuple(content["columns"]), np.array(content["evaluable"], bool),
        np.array(content["prior"]), alignment, Chain.from_json(content["chain"]), *arrays,
        Leaderboard.load(folder / "leaderboard.csv", content["folds"]),
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
                scores[:, i, m] = kind.score(kind.load(Unit(folder, int(j), name, k).model), matrix)
        total += alignment.apply(scores, k)
    return total / settings.n_folds


def conclude(
    probabilities: np.ndarray, threshold: np.ndarray, evaluable: np.ndarray, prior: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities and calls of all 28 organelles from those of the evaluable ones.

    Parameters
    ----------
    probabilities : ndarray of float64, shape (n_fields, n_evaluable)
    threshold : ndarray of float64, shape (n_evaluable,) or (n_fields, n_evaluable)
    """
    full = widen(probabilities, evaluable, prior)
    return full.astype(np.float32), call(
        full, widen(np.broadcast_to(threshold, probabilities.shape), evaluable, np.nan)
    )


def widen(values: np.ndarray, evaluable: np.ndarray, other: np.ndarray | float) -> np.ndarray:
    """Put the evaluable organelles' values (last axis) among all 28; the rest get `other`."""
    full = np.empty((*values.shape[:-1], len(evaluable)))
    full[...] = other
    full[..., evaluable] = values
    return full
