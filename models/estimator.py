"""The classifier for Python: folds, boosters, stack, calibration and thresholds as one scikit-learn estimator."""

import shutil
import tempfile
import warnings
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from joblib import effective_n_jobs
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from engine.errors import InputError
from engine.files import read_json, whole, write_json
from models.fit import fit
from models.fitted import Fitted, load
from models.members import MEMBERS
from models.settings import FEWEST_FOLDS, FitSettings
from models.targets import Targets, number_groups, read_targets

_NOTE = "estimator.json"
_LAST = "fit.json"


class OrganelleClassifier(ClassifierMixin, BaseEstimator):
    """Calibrated probabilities and calls of one or several labels from a table of numbers.

    What `python cli.py fit` does, on a matrix and labels of one's own: the same matrix, labels and groups give the
    same models. Weights, stack, calibration and thresholds are learnt inside the folds. NaN says that a value does not
    exist.

    Labels are either several, `y` of shape (n_rows, n_labels) with 0 and 1 (a DataFrame names them): `predict_proba`
    and `predict` give a column a label; or one, `y` of shape (n_rows,) with two classes: `predict_proba` gives a column
    a class, `predict` the classes. Many classes that exclude each other are refused: `pandas.get_dummies(y)` makes
    several labels of them. Where every row of `y` carries at least one of several labels, every predicted row does so
    too, as each field shows an organelle: a row above no threshold gets its most probable label.

    Thresholds are chosen for the best F1 of each label, so `predict` is not `predict_proba` cut at one half.

    Parameters
    ----------
    n_folds : int
        At least 3.
    rounds : int
        Trees of each booster.
    members : sequence of str
        First-level models: "lightgbm", "xgboost", "linear".
    held_out : float
        Share of the rows, in whole groups, that no model sees and the leaderboard judges by; only from 200 groups on.
    random_state : int, RandomState or None
        The same number gives the same models; None draws one.
    n_jobs : int or None
        Processes; the result does not depend on it. None is one, -1 all cores.
    device : str
        "cpu" or "cuda[:N]", for XGBoost.
    folder : path or None
        Where the models go; a fit goes on from what is finished there. None is a temporary folder that goes with the
        fitted object.
    verbose : bool
        Show progress.

    Attributes
    ----------
    classes_ : ndarray
        The two classes, or the names of the labels (numbers, if `y` had none).
    n_features_in_, feature_names_in_
        As in scikit-learn.
    thresholds_ : ndarray of float64, shape (n_labels,)
        A label is called from this probability on; NaN for a label with too few rows to be learnt.
    evaluable_ : ndarray of bool, shape (n_labels,)
        Labels that could be learnt; the others get their share of the rows as probability.
    oof_probabilities_ : ndarray of float32, shape (n_rows, n_labels)
        Of the training rows, by models that have not seen them.
    leaderboard_ : DataFrame
        Scores of each label, step and way of splitting, on unseen rows.

    Examples
    --------
    Two labels, then one:

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(150, 4))
    >>> Y = np.column_stack([X[:, 0] > 0, X[:, 1] > 0.5])
    >>> model = OrganelleClassifier(n_folds=3, members=("linear",)).fit(X, Y)
    >>> model.predict_proba(X).shape
    (150, 2)
    >>> model.predict([[2, -2, 0, 0], [-2, 2, 0, 0]])
    array([[1, 0],
           [0, 1]])
    >>> y = np.where(Y[:, 0], "golgi", "other")
    >>> model = OrganelleClassifier(n_folds=3, members=("linear",)).fit(X, y)
    >>> model.predict([[2, -2, 0, 0], [-2, 2, 0, 0]]).tolist()
    ['golgi', 'other']
    """

    def __init__(
        self, n_folds: int = 5, rounds: int = 300, members: Sequence[str] = MEMBERS, held_out: float = 0.1,
        random_state: int | np.random.RandomState | None = 0, n_jobs: int | None = None, device: str = "cpu",
        folder: str | Path | None = None, verbose: bool = False,
    ) -> None:  # fmt: skip
        self.n_folds = n_folds
        self.rounds = rounds
        self.members = members
        self.held_out = held_out
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.device = device
        self.folder = folder
        self.verbose = verbose

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Fit all.

        Parameters
        ----------
        X : array or DataFrame of numbers, shape (n_rows, n_features)
        y : array or DataFrame, shape (n_rows,) or (n_rows, n_labels)
        groups : array or None, shape (n_rows,)
            Rows that are no independent evidence (one antibody, one plate) share a value, and a fold.

        Raises
        ------
        ValueError
            If there are fewer groups than folds, or X, y or a parameter cannot be used.
        """
        names = y.columns if isinstance(y, pd.DataFrame) else None
        X, y = validate_data(self, X, y, multi_output=True, dtype=np.float32, ensure_all_finite="allow-nan")
        targets = read_targets(y, names)
        folder = self._new_folder() if self.folder is None else Path(self.folder)
        try:
            fitted = fit(
                X, pd.DataFrame({"name": self._column_names()}), targets.matrix, number_groups(groups, len(X)),
                self._settings(targets), folder, quiet=not self.verbose,
            )  # fmt: skip
        except InputError as error:
            raise ValueError(str(error)) from error
        write_json(folder / _NOTE, {"classes": targets.classes.tolist(), "binary": targets.binary})
        self._take(fitted, targets.classes, targets.binary)
        self._warn_of_unlearnt(targets.names)
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Calibrated probabilities.

        Returns
        -------
        ndarray of float32, shape (n_rows, n_labels), or (n_rows, 2) for a single label
        """
        probabilities = self._predict(X)[0]
        return np.hstack([1 - probabilities, probabilities]) if self._binary else probabilities

    def predict(self, X: Any) -> np.ndarray:
        """Calls: 0 and 1, shape (n_rows, n_labels); or the class of each row for a single label."""
        probabilities, calls = self._predict(X)
        if not self._binary:
            return calls.astype(np.int64)
        called = calls[:, 0] if self.evaluable_[0] else probabilities[:, 0] >= 0.5
        return self.classes_[called.astype(np.int64)]

    def save(self, folder: str | Path) -> None:
        """Write the models and all that stands on them into a folder: plain files, nothing pickled.

        Raises
        ------
        ValueError
            If a file lies where the folder would.
        """
        check_is_fitted(self)
        folder = Path(folder)
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{folder} is a file; the models go into a folder. Name a new one, or remove the file.")
        (folder / _LAST).unlink(missing_ok=True)
        for name, content in self._files().items():
            with whole(folder / name) as path:
                path.write_bytes(content)

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what `save` wrote, or the models folder of a run (runs/default/models).

        Raises
        ------
        InputError
            If no finished fit is there.
        """
        fitted = load(Path(folder), organelles=None)
        settings, note = fitted.settings, Path(folder) / _NOTE
        said = read_json(note) if note.is_file() else {"classes": settings.organelles, "binary": False}
        model = cls(
            settings.n_folds, settings.rounds, settings.members, settings.held_out, settings.seed,
            device=settings.device, folder=folder,
        )  # fmt: skip
        model.n_features_in_ = len(fitted.columns)
        if list(fitted.columns) != model._column_names():
            model.feature_names_in_ = np.array(fitted.columns, object)
        model._take(fitted, np.array(said["classes"]), said["binary"])
        return model

    def _settings(self, targets: Targets) -> FitSettings:
        _check_whole("n_folds", self.n_folds, FEWEST_FOLDS)
        _check_whole("rounds", self.rounds, 1)
        if not (isinstance(self.held_out, float | int) and 0 <= self.held_out < 1):
            raise ValueError(f"held_out is {self.held_out!r}; expected a share of the rows, from 0 to below 1.")
        state = self.random_state
        seed = int(state) if isinstance(state, int | np.integer) else int(check_random_state(state).randint(2**31 - 1))
        return FitSettings(
            n_folds=self.n_folds, seed=seed, rounds=self.rounds, members=tuple(self.members), held_out=self.held_out,
            organelles=targets.names, at_least_one=targets.at_least_one, device=self.device,
            workers=effective_n_jobs(self.n_jobs),
        )  # fmt: skip

    def _take(self, fitted: Fitted, classes: np.ndarray, binary: bool) -> None:
        self._fitted, self._binary = fitted, binary
        self.classes_ = classes
        self.thresholds_, self.evaluable_ = fitted.threshold, fitted.evaluable
        self.oof_probabilities_, self.leaderboard_ = fitted.probabilities, fitted.leaderboard.table

    def _warn_of_unlearnt(self, names: Sequence[str]) -> None:
        unlearnt = [name for name, able in zip(names, self.evaluable_) if not able]
        if unlearnt:
            warnings.warn(
                f"{len(unlearnt)} of {len(names)} labels have too few rows with or without them to be learnt, and get "
                f"their share of the rows as probability: {', '.join(unlearnt)}.",
                stacklevel=3,
            )

    def _predict(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        check_is_fitted(self)
        return self._fitted.predict(
            validate_data(self, X, reset=False, dtype=np.float32, ensure_all_finite="allow-nan")
        )

    def _column_names(self) -> list[str]:
        return list(getattr(self, "feature_names_in_", [f"x{j}" for j in range(self.n_features_in_)]))

    def _new_folder(self) -> Path:
        """A temporary folder that is removed with this object, or with its next fit."""
        if hasattr(self, "_removal"):
            self._removal()
        folder = tempfile.mkdtemp(prefix="organelles-")
        self._removal = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)

    def _files(self) -> dict[str, bytes]:
        """The files of the fit, fit.json last: a folder without it is no fit."""
        root = self._fitted.folder
        paths = sorted(
            (path for path in root.rglob("*") if path.is_file()), key=lambda path: (path.name == _LAST, path)
        )
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}

    def __getstate__(self) -> dict[str, Any]:
        """A copy in memory (for other processes, copy.deepcopy) brings the files along."""
        state = super().__getstate__()
        held = {"_fitted": self._files()} if hasattr(self, "_fitted") else {}
        return {name: value for name, value in state.items() if name != "_removal"} | held

    def __setstate__(self, state: dict[str, Any]) -> None:
        files = state.get("_fitted")
        super().__setstate__({name: value for name, value in state.items() if name != "_fitted"})
        if files is not None:
            folder = self._new_folder()
            for name, content in files.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content)
            self._fitted = load(folder, organelles=None)

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.multi_label = True
        tags.target_tags.multi_output = True
        return tags


def _check_whole(name: str, value: Any, least: int) -> None:
    if not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} is {value!r}; expected a whole number, {least} or more.")
