"""Reading fit.json, with every value checked before use."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import InputError
from engine.files import read_json
from engine.ids import shown
from models.data.labels_per_field import PER_FIELD
from models.first_level.defaults import default_parameters
from models.first_level.members import COLUMN_SETS
from models.second_level import calibration, stacking, thresholds
from models.second_level.second_level import SecondLevel
from models.second_level.standardisation import FoldStandardisation
from models.settings import FitSettings, check_member
from store.fit_folder import FitFolder
from store.run_folder import RunFolder

_MOST_FOLDS, _MOST_COLUMNS = 100, 1_000_000


@dataclass(frozen=True)
class FitFile:
    """The contents of fit.json; see `models.fitted.Fitted`."""

    stamp: str
    values: str
    settings: FitSettings
    folds: str
    trainable: np.ndarray
    prior: np.ndarray
    standardisation: FoldStandardisation
    second_level: SecondLevel
    columns: tuple[str, ...]


def fit_again(folder: FitFolder) -> str:
    """What to do about a damaged or outdated fit: the command, with the fit's own folder, data and options."""
    return f"Run {RunFolder(folder.root).command('fit')} again."


def read_fit_file(folder: FitFolder) -> FitFile:
    """Read fit.json.

    Raises
    ------
    InputError
        If there is none, or a part of it is missing or impossible.
    """
    path = folder.fit_file
    if not path.is_file():
        if (folder.root / path.name).is_file():
            raise InputError(f"{folder.root} holds only the models of a fit. Name the folder that it lies in.")
        command = RunFolder(folder.root).command("fit")
        raise InputError(f"no finished fit in {folder.root} (models/fit.json is missing). Run: {command}")
    content = read_json(path, fit_again(folder))
    try:
        return _parsed(content)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        reason = shown(str(error), 200)
        raise InputError(f"{path} is not as fit wrote it ({reason}). {fit_again(folder)}") from error


def _parsed(content: dict[str, Any]) -> FitFile:
    settings = _settings(content["settings"])
    n_labels = len(settings.organelles)
    trainable = _array(content, "trainable", (n_labels,), 0, 1).astype(bool)
    prior = _array(content, "prior", (n_labels,), 0, 1)
    able, members = int(trainable.sum()), len(settings.members)
    folds, columns = content["folds"], content["columns"]
    if folds not in ("grouped", "random"):
        raise ValueError("folds are grouped or random")
    if not 1 <= len(columns) <= _MOST_COLUMNS or len({_text(name) for name in columns}) != len(columns):
        raise ValueError("columns are names, each once")
    shape = (settings.n_folds, able, members)
    standardisation = FoldStandardisation(
        _array(content["standardisation"], "centre", shape), _array(content["standardisation"], "spread", shape, 1e-12)
    )
    second_level = _second_level(content["second_level"], able, members)
    return FitFile(
        _text(content["stamp"]), _text(content["values"]), settings, folds, trainable, prior, standardisation,
        second_level, tuple(columns),
    )  # fmt: skip


def _settings(content: dict[str, Any]) -> FitSettings:
    names = tuple(_text(name) for name in content["organelles"])
    listed = {"members": tuple(content["members"]), "organelles": names}
    listed["controls"] = tuple(_text(well) for well in content.get("controls", ()))
    settings = FitSettings(**content | listed)
    _text(settings.normalise_by)
    whole = (settings.n_folds, settings.seed, settings.random_folds, settings.n_resamples, settings.rounds or 0)
    if not all(type(value) is int and value >= 0 for value in whole) or settings.n_folds > _MOST_FOLDS:
        raise ValueError("settings are whole numbers from 0")
    if set(settings.parameters) != set(settings.members):
        raise ValueError("parameters are those of the members")
    for name, given in settings.parameters.items():
        check_member(name, given, default_parameters(name, 0, 0), COLUMN_SETS)
    if "workers" in content or len(settings.parameters) != len(settings.members):
        raise ValueError("settings of another kind")
    if settings.per_field not in PER_FIELD or len(set(names)) != len(names) or not names:
        raise ValueError("organelles are names, each once")
    if any(shown(name, len(name) + 1) != name for name in names):
        raise ValueError("a name of an organelle holds a character that is not printed")
    _text(settings.device)
    return settings


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 1000:
        raise ValueError("expected a text")
    return value


def _array(
    content: dict[str, Any], name: str, shape: tuple[int, ...], least: float = -np.inf, most: float = np.inf
) -> np.ndarray:
    """Finite numbers of this shape within these bounds, float64."""
    array = np.array(content[name])
    if 0 in shape and array.size == 0:  # cross-fitted lists without an inner length
        return np.empty(shape)
    if array.shape != shape or array.dtype.kind not in "bif":
        raise ValueError(f"{name} should have {' x '.join(map(str, shape))} numbers")
    if not (np.isfinite(array) & (array >= least) & (array <= most)).all():
        raise ValueError(f"{name} holds a number that cannot be")
    return array.astype(np.float64)


def _second_level(content: dict[str, Any], able: int, members: int) -> SecondLevel:
    ways = {"stack": stacking.WAYS, "calibration": calibration.WAYS, "thresholds": thresholds.WAYS}
    for name, known in ways.items():
        if content[name]["way"] not in known:
            raise ValueError(f"{name} is none of {', '.join(known)}")
    second, curves = content["stack"], content["calibration"]
    knots = _array(curves, "knots", (able, calibration.PIECES - 1))
    if (np.diff(knots) < 0).any():
        raise ValueError("knots do not rise")
    return SecondLevel(
        stacking.Stack(
            second["way"], _array(second, "centre", (able, members)),
            _array(second, "spread", (able, members), 1e-12), _array(second, "weight", (able, members)),
        ),
        calibration.Calibration(
            curves["way"], _array(curves, "slope", (able,), 0), _array(curves, "intercept", (able,)), knots,
            _array(curves, "rise", (able, calibration.PIECES), 0), _array(curves, "level", (able,)),
        ),
        thresholds.Thresholds(
            content["thresholds"]["way"], _array(content["thresholds"], "threshold", (able,), 0, 1)
        ),
    )  # fmt: skip
