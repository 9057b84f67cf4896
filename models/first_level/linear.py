"""The linear kind: ridge regression on standardised values, fast because all organelles share one linear system.

Regressing a 0/1 label is Fisher's discriminant up to scale (Hastie, Tibshirani, Friedman, "The Elements of Statistical
Learning", 4.3 and exercise 4.2); the stack and the calibration correct the scale.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from models.first_level.standard import clipped, moments, standardised
from models.first_level.tree_checks import read_model, unusable
from models.row_sums import row_sums

if TYPE_CHECKING:
    from models.first_level.fold_model import Rows

SUFFIX = ".json"
VERSION = "ridge 4"
_ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class Prepared:
    """Standardised values and their factorised system.

    Attributes
    ----------
    mean, scale : ndarray of float32, shape (n_columns,)
    standard : ndarray of float32, shape (n, n_columns)
    shrinkage : ndarray of float64, shape (n_columns,)
        D, the diagonal of the ridge.
    factor : tuple
        Cholesky factor of the smaller of two systems: S'S / n + D, or, with fewer rows than columns, n I + S D^-1 S'.
    """

    mean: np.ndarray
    scale: np.ndarray
    standard: np.ndarray
    shrinkage: np.ndarray
    factor: tuple

    def solve(self, right: np.ndarray) -> np.ndarray:
        """The w of (S'S / n + D) w = right, both float64, shape (n_columns,).

        With fewer rows than columns by Woodbury's identity (Golub and Van Loan, "Matrix Computations", 2.1.4).
        """
        if len(self.standard) >= len(right):
            return cho_solve(self.factor, right)
        alone = right / self.shrinkage
        rows = cho_solve(self.factor, (self.standard @ alone.astype(np.float32)).astype(np.float64))
        return alone - (rows.astype(np.float32) @ self.standard) / self.shrinkage


@dataclass(frozen=True)
class Line:
    """One organelle's model: score = clip((values - mean) / scale) @ weight; a missing value counts as the mean."""

    mean: np.ndarray
    scale: np.ndarray
    weight: np.ndarray


def prepare(values: "np.ndarray | Rows", parameters: dict[str, Any], device: str) -> Prepared:
    """Standardise and factorise once for all organelles; always on the CPU.

    The shrinkage grows with columns / rows where there are more columns than rows. If sets of columns are to count
    equally, a column of a larger set is shrunk more: the sets' kernels then have equal traces.
    """
    mean, scale = moments(values)
    standard = standardised(values, mean, scale)
    n, n_columns = standard.shape
    shrinkage = parameters["shrinkage"] * max(1.0, n_columns / max(n, 1)) * _relative(values, n_columns)
    if n < n_columns:
        system = ((standard / shrinkage.astype(np.float32)) @ standard.T).astype(np.float64)
        system[np.diag_indices_from(system)] += n
    else:
        system = (standard.T @ standard).astype(np.float64) / max(n, 1)
        system[np.diag_indices_from(system)] += shrinkage
    return Prepared(mean, scale, standard, shrinkage, cho_factor(system, overwrite_a=True))


def _relative(values: "np.ndarray | Rows", n_columns: int) -> np.ndarray:
    """How much each column is shrunk relative to sets of one size: as its set has more columns than the mean set."""
    sets = getattr(values, "sets", None)
    if sets is None:
        return np.ones(n_columns)
    numbers, of_column, sizes = np.unique(sets, return_inverse=True, return_counts=True)
    return sizes[of_column] * len(numbers) / len(sets)


def train(prepared: Prepared, labels: np.ndarray, weights: np.ndarray, parameters: dict[str, Any], seed: int) -> Line:
    """Solve for one organelle; parameters and seed are not used.

    Parameters
    ----------
    labels : ndarray of bool, shape (n,)
    weights : ndarray of float, shape (n,)
        Not used: weighting would need a separate system for each organelle.
    """
    weight = prepared.solve(correlations(prepared, labels))
    return Line(prepared.mean, prepared.scale, weight.astype(np.float32))


def correlations(prepared: Prepared, labels: np.ndarray) -> np.ndarray:
    """Correlation of each standardised column with a label: float64, shape (n_columns,).

    In units of the label's spread, so that scores of rare and common organelles have similar sizes.
    """
    target = (labels - labels.mean()).astype(np.float32)
    return (prepared.standard.T @ target).astype(np.float64) / len(target) / max(float(target.std()), 1e-6)


def score(model: Line, values: np.ndarray) -> np.ndarray:
    """Discriminant score: float32, shape (n,)."""
    return score_several([model], values)[0]


def score_several(models: Sequence[Line], values: np.ndarray) -> list[np.ndarray]:
    """The scores of models of one fold, for which the values are standardised once."""
    mean, scale = models[0].mean, models[0].scale
    if any(not (np.array_equal(m.mean, mean) and np.array_equal(m.scale, scale)) for m in models):
        raise ValueError("linear models of different folds cannot be scored together")
    scores = [np.empty(len(values), np.float32) for _ in models]
    for start in range(0, len(values), _ROWS_AT_ONCE):  # to save memory
        rows = slice(start, start + _ROWS_AT_ONCE)
        standard = clipped(values[rows], mean, scale)
        for mine, model in zip(scores, models, strict=True):
            mine[rows] = row_sums(standard, model.weight)
    return scores


def terms(model: Line, values: np.ndarray) -> np.ndarray:
    """What each column adds to the score: float32, shape (n, n_columns)."""
    return clipped(values, model.mean, model.scale) * model.weight


def save(model: Line, path: Path, names: Sequence[str]) -> None:
    """Write JSON with the columns' names; a constant column has the scale null."""
    scale = [float(s) if np.isfinite(s) else None for s in model.scale]
    numbers = {"mean": model.mean.tolist(), "scale": scale, "weight": model.weight.tolist()}
    path.write_text(json.dumps({"columns": list(names)} | numbers))


def load(path: Path, n_columns: int) -> Line:
    """Read what `save` wrote; raises InputError if it is damaged."""
    try:
        content = json.loads(read_model(path))
        parts = [np.array(content[name], np.float64) for name in ("mean", "scale", "weight")]  # null becomes NaN
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise unusable(path, f"cannot be used ({error})") from error
    if any(part.shape != (n_columns,) for part in parts):
        raise unusable(path, f"has not one number for each of {n_columns} columns")
    mean, scale, weight = parts
    scale = np.where(np.isnan(scale), 1.0, scale)
    if not all((abs(part) <= np.finfo(np.float32).max).all() for part in (mean, scale, weight)) or (scale <= 0).any():
        raise unusable(path, "holds a number that is not finite, or a scale that is not positive")
    scale = np.where(np.isnan(parts[1]), np.inf, scale)
    return Line(*(part.astype(np.float32) for part in (mean, scale, weight)))
