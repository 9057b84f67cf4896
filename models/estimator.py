"""A scikit-learn estimator of the whole model: folds, first level, stack, calibration and thresholds."""

import shutil
import tempfile
import warnings
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
import pandas as pd
from joblib import effective_n_jobs
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from engine.command_line import command_line
from engine.errors import InputError
from engine.files import read_json, write_json
from models.data.label_encoding import LabelEncoding, encode_labels, number_groups
from models.fit import fit
from models.fitted import Fitted
from models.saved_fit import load
from models.settings import FEWEST_FOLDS, FitSettings
from store.fit_folder import FitFolder
from store.stamp import stamp_of


class OrganelleClassifier(ClassifierMixin, BaseEstimator):
    """Calibrated probabilities and calls of one or several labels from a table of numbers.

    It fits as `python cli.py fit` does: the same matrix, labels and groups give the same models. Class weights, stack,
    calibration and thresholds are fitted within the training folds. NaN marks a missing value.

    Labels are either several (multilabel), `y` of shape (n_rows, n_labels) with 0 and 1, where a DataFrame gives the
    names: `predict_proba` and `predict` return one column a label. Or there is one label (binary), `y` of shape
    (n_rows,) with two classes: `predict_proba` returns one column a class, `predict` the classes. Multiclass labels are
    refused; `pandas.get_dummies(y)` turns them into several labels. If every row of `y` has at least one of several
    labels, every predicted row gets at least one too: the most probable label if no probability reaches its threshold.
    That does not hold if a label on most rows could not be learnt, as one on all rows: it is never called.
    If no row of `y` has two, no predicted row has: the label furthest above its threshold, in log-odds, is called.

    Thresholds are chosen for the best F1 of each label, so `predict` is not `predict_proba` thresholded at 0.5.

    Parameters
    ----------
    n_folds : int
        At least 3.
    rounds : int or None
        Trees of each booster; None chooses by the table's shape.
    members : sequence of str or None
        First-level models: "lightgbm", "xgboost", "linear", "kernel"; None chooses by the table's shape.
    held_out : float
        Share of the rows, in whole groups, kept out of training to test the final model; only with 200 groups or more.
    random_state : int, RandomState or None
        The same number gives the same models; None draws one.
    n_jobs : int or None
        Number of processes; results do not depend on it. None means one, -1 all cores.
    device : str
        "cpu" or "cuda[:N]", for XGBoost.
    folder : path or None
        Where the models are written; an interrupted fit continues there. None uses a temporary folder, which is deleted
        with the fitted object.
    verbose : bool
        Show progress.

    Attributes
    ----------
    classes_ : ndarray
        The two classes, or the names of the labels (numbers, if `y` had none).
    n_features_in_, feature_names_in_
        As in scikit-learn.
    thresholds_ : ndarray of float64, shape (n_labels,)
        Lowest probability at which a label is called; NaN for a label with too few rows to be learnt.
    trainable_ : ndarray of bool, shape (n_labels,)
        Labels that could be learnt; the others get their share of the rows as probability.
    oof_probabilities_ : ndarray of float32, shape (n_rows, n_labels)
        Cross-fitted probabilities of the training rows.
    leaderboard_ : DataFrame
        Scores of each label, step and way of splitting, on held-out rows.

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

    n_features_in_: int
    feature_names_in_: np.ndarray

    def __init__(
        self, n_folds: int = 5, rounds: int | None = None, members: Sequence[str] | None = None, held_out: float = 0.1,
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
        """Fit folds, first level, stack, calibration and thresholds.

        Parameters
        ----------
        X : array or DataFrame of numbers, shape (n_rows, n_features)
        y : array or DataFrame, shape (n_rows,) or (n_rows, n_labels)
        groups : array or None, shape (n_rows,)
            Rows with the same value (e.g. one antibody or plate) are not independent and stay in the same fold.

        Raises
        ------
        ValueError
            If there are fewer groups than folds, or X, y or a parameter cannot be used.
        """
        names = y.columns if isinstance(y, pd.DataFrame) else None
        X, y = validate_data(
            self, X, y,  # pyright: ignore[reportArgumentType]  # scikit-learn's annotation knows only y's default
            multi_output=True, dtype=np.float32, ensure_all_finite="allow-nan",
        )  # fmt: skip
        encoding = encode_labels(y, names)
        folder = self._new_folder() if self.folder is None else Path(self.folder)
        try:
            fitted = fit(
                tuple(map(str, range(len(X)))), X, pd.DataFrame({"name": self._column_names()}), encoding.matrix,
                number_groups(groups, len(X)), self._settings(encoding), folder, quiet=not self.verbose,
            )  # fmt: skip
        except InputError as error:
            raise ValueError(str(error)) from error
        note = {"stamp": fitted.stamp, "classes": encoding.classes.tolist(), "binary": encoding.binary}
        write_json(fitted.folder.estimator, note)
        self._take(fitted, encoding.classes, encoding.binary)
        self._warn_of_unlearnt(encoding.names)
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
        called = calls[:, 0] if self.trainable_[0] else probabilities[:, 0] >= 0.5
        return self.classes_[called.astype(np.int64)]

    def save(self, folder: str | Path) -> None:
        """Write the fitted models and tables to a folder as plain files, without pickle.

        Raises
        ------
        ValueError
            If a file lies where the folder would, or another fit has replaced the models.
        """
        check_is_fitted(self)
        folder = Path(folder)
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{folder} is a file; the models go into a folder. Name a new one, or remove the file.")
        self._check_own_models()
        if folder.resolve() == self._fitted.folder.root.resolve():
            return  # they are there already
        FitFolder(folder).write(self._fitted.folder.contents())

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Read what `save` wrote, or a run (runs/default).

        A run that was fitted with --normalise-by shows its leaderboard, but cannot predict rows: they have no plate.

        Raises
        ------
        InputError
            If no finished fit is there.
        """
        fitted = load(Path(folder))
        settings, note = fitted.settings, fitted.folder.estimator
        saved = read_json(note) if note.is_file() else {"classes": settings.organelles, "binary": False}
        if saved.get("stamp", fitted.stamp) != fitted.stamp:
            raise InputError(f"{note} is of another fit than the models beside it. Fit again into {folder}.")
        model = cls(
            settings.n_folds, settings.rounds, settings.members, settings.held_out, settings.seed,
            device=settings.device,  # no folder: another fit of this object or a clone would replace what was saved
        )  # fmt: skip
        model.n_features_in_ = len(fitted.columns)
        if list(fitted.columns) != model._column_names():
            model.feature_names_in_ = np.array(fitted.columns, object)
        model._take(fitted, np.array(saved["classes"]), saved["binary"])
        return model

    def _settings(self, encoding: LabelEncoding) -> FitSettings:
        _check_whole("n_folds", self.n_folds, FEWEST_FOLDS)
        if self.rounds is not None:
            _check_whole("rounds", self.rounds, 1)
        if not (isinstance(self.held_out, float | int) and 0 <= self.held_out < 1):
            raise ValueError(f"held_out is {self.held_out!r}; expected a share of the rows, from 0 to below 1.")
        if isinstance(self.members, str):
            raise ValueError(f'members is {self.members!r}; expected a sequence of names, such as ("{self.members}",).')
        state = self.random_state
        if isinstance(state, int | np.integer):
            _check_whole("random_state", state, 0)
        seed = int(state) if isinstance(state, int | np.integer) else int(check_random_state(state).randint(2**31 - 1))
        return FitSettings(
            n_folds=self.n_folds, seed=seed, rounds=self.rounds, held_out=self.held_out,
            members=tuple(self.members or ()),
            organelles=encoding.names, per_field=encoding.per_field, device=self.device,
            workers=effective_n_jobs(self.n_jobs),  # pyright: ignore[reportArgumentType]  # joblib takes None too
        )  # fmt: skip

    def _take(self, fitted: Fitted, classes: np.ndarray, binary: bool) -> None:
        self._fitted, self._binary = fitted, binary
        self.classes_ = classes
        self.thresholds_, self.trainable_ = fitted.threshold, fitted.trainable
        self.oof_probabilities_, self.leaderboard_ = fitted.probabilities, fitted.leaderboard.table

    def _warn_of_unlearnt(self, names: Sequence[str]) -> None:
        unlearnt = [name for name, able in zip(names, self.trainable_) if not able]
        if unlearnt:
            warnings.warn(
                f"{len(unlearnt)} of {len(names)} labels have too few rows with or without them to be learnt, and get "
                f"their share of the rows as probability: {', '.join(unlearnt)}.",
                stacklevel=3,
            )

    def _check_own_models(self) -> None:
        """Raise ValueError if another fit has replaced this one's files, as clones with the same `folder` do."""
        own = self._fitted
        if stamp_of(own.folder.fit_file) != own.stamp:
            raise ValueError(
                f"the models in {own.folder.root} are of another fit by now, or gone. Fit again, with a folder of its "
                "own for each estimator, or with none."
            )

    def _predict(self, X: Any) -> tuple[np.ndarray, np.ndarray]:
        check_is_fitted(self)
        self._check_own_models()
        if self._fitted.plates is not None:
            run, by = self._fitted.folder.root, self._fitted.settings.normalise_by
            raise InputError(
                f"the fit in {run} is on features normalised by {by}, and rows given here have none. Predict images "
                f"({command_line('predict', 'FOLDER', run=run)}), or fit without --normalise-by."
            )
        values = validate_data(self, X, reset=False, dtype=np.float32, ensure_all_finite="allow-nan")
        return self._fitted.predict(cast(np.ndarray, values))

    def _column_names(self) -> list[str]:
        return list(getattr(self, "feature_names_in_", [f"x{j}" for j in range(self.n_features_in_)]))

    def _new_folder(self) -> Path:
        """A temporary folder that is removed with this object, or with its next fit."""
        if hasattr(self, "_removal"):
            self._removal()
        folder = tempfile.mkdtemp(prefix="organelles-")
        self._removal = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)

    def __getstate__(self) -> dict[str, Any]:
        """Include the fit's files, so that copies (pickle, copy.deepcopy) are complete."""
        state = cast(dict[str, Any], super().__getstate__())
        held = {"_fitted": self._fitted.folder.contents()} if hasattr(self, "_fitted") else {}
        return {name: value for name, value in state.items() if name != "_removal"} | held

    def __setstate__(self, state: dict[str, Any]) -> None:
        files = state.get("_fitted")
        super().__setstate__({name: value for name, value in state.items() if name != "_fitted"})
        if files is not None:
            folder = self._new_folder()
            FitFolder(folder).write(files)
            self._fitted = load(folder)

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
