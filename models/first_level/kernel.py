"""The kernel kind: ridge regression on similarities to training fields (radial basis functions).

The score is a weighted sum of similarities exp(-gamma d^2) to the landmarks: all training fields of a small table, a
random part of a larger one (Nystroem's approximation: Williams & Seeger 2001, "Using the Nystroem method to speed up
kernel machines"). The shrinkage is each organelle's own, by the leave-one-out error, which has a closed form (Hastie,
Tibshirani, Friedman, "The Elements of Statistical Learning", 5.5).
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.linalg import eigh, solve_triangular

from engine.files import write_array
from models.first_level.standard import clipped, moments, standardised
from models.first_level.tree_checks import Remedy, read_model, unusable
from models.row_sums import row_sums
from store.untrusted_input import read_array

if TYPE_CHECKING:
    from models.first_level.fold_model import Rows

SUFFIX = ".json"
VERSION = "kernel ridge 1"
SHRINKAGES = np.geomspace(0.01, 100, 13)
_JITTER = 1e-8  # keeps the factorisation possible where two landmarks are equal
_ROWS_AT_ONCE = 64
_PATH = np.polynomial.legendre.leggauss(16)
_SMALLEST = 1e-10
"""Directions with less than this share of the largest eigenvalue are noise of the arithmetic."""


@dataclass(frozen=True)
class Landmarks:
    """Training fields that new fields are compared with.

    Attributes
    ----------
    mean, scale : ndarray of float32, shape (n_columns,)
    points : ndarray of float32, shape (n_landmarks, n_columns)
        Standardised.
    gamma : float
    """

    mean: np.ndarray
    scale: np.ndarray
    points: np.ndarray
    gamma: float

    def similarity(self, standard: np.ndarray) -> np.ndarray:
        """Similarity of standardised values to each landmark: float64, shape (n, n_landmarks)."""
        points = self.points.astype(np.float64)

        def block_similarity(block: np.ndarray) -> np.ndarray:
            return np.exp(-self.gamma * np.maximum(_squared_distances(block, points), 0))

        return _in_blocks(block_similarity, standard, len(points))


def _squared_distances(rows: np.ndarray, points: np.ndarray) -> np.ndarray:
    return (rows**2).sum(1)[:, None] + (points**2).sum(1) - 2 * (rows @ points.T)


def _in_blocks(compute: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, n_columns: int) -> np.ndarray:
    """Apply a function to blocks of equal size, the last one filled up with zeros.

    A matrix product adds in another order for another number of rows; so a row's last bits depend on no other row.
    """
    out = np.empty((len(rows), n_columns))
    block = np.zeros((_ROWS_AT_ONCE, rows.shape[1]))
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        some = rows[start : start + _ROWS_AT_ONCE]
        block[: len(some)] = some
        out[start : start + len(some)] = compute(block)[: len(some)]
    return out


@dataclass(frozen=True)
class Prepared:
    """Landmarks and the training fields' similarities in orthogonal directions.

    Attributes
    ----------
    landmarks : Landmarks
    directions : ndarray of float64, shape (n, rank)
        Orthonormal.
    variance : ndarray of float64, shape (rank,)
    back : ndarray of float64, shape (n_landmarks, rank)
        Weights of the landmarks that give each direction times its root of variance.
    shares : ndarray of float64, shape (rank, n_shrinkages)
        What each shrinkage leaves of a direction.
    leverage : ndarray of float64, shape (n, n_shrinkages)
        How far each training field's own target moves its score.
    """

    landmarks: Landmarks
    directions: np.ndarray
    variance: np.ndarray
    back: np.ndarray
    shares: np.ndarray
    leverage: np.ndarray


@dataclass(frozen=True)
class Similarities:
    """One organelle's model: the weights of the landmarks, float64, shape (n_landmarks,)."""

    landmarks: Landmarks
    weight: np.ndarray


def prepare(values: "np.ndarray | Rows", parameters: dict[str, Any], device: str) -> Prepared:
    """Choose landmarks and decompose the similarities; always on the CPU.

    `gamma` is in units of 1 / the median squared distance of the landmarks.
    """
    mean, scale = moments(values)
    standard = standardised(values, mean, scale)
    n, n_landmarks = len(standard), parameters["landmarks"]
    chosen = np.sort(np.random.default_rng(n).permutation(n)[:n_landmarks])
    points = standard[chosen]
    distances = _squared_distances(points.astype(np.float64), points.astype(np.float64))
    apart = np.median(distances[np.triu_indices(len(points), 1)]) if len(points) > 1 else 1.0
    landmarks = Landmarks(mean, scale, points, float(parameters["gamma"] / max(apart, 1e-9)))
    factor = np.linalg.cholesky(landmarks.similarity(points) + _JITTER * np.eye(len(points)))
    features = solve_triangular(factor, landmarks.similarity(standard).T, lower=True).T
    features -= features.mean(0)
    variance, turned = eigh(features.T @ features)
    used = variance > _SMALLEST * max(variance[-1], 1e-300)
    variance, turned = variance[used], turned[:, used]
    directions = features @ turned / np.sqrt(variance)
    shares = variance[:, None] / (variance[:, None] + SHRINKAGES)
    leverage = directions**2 @ shares + 1 / n
    return Prepared(landmarks, directions, variance, solve_triangular(factor.T, turned), shares, leverage)


def train(
    prepared: Prepared, labels: np.ndarray, weights: np.ndarray, parameters: dict[str, Any], seed: int
) -> Similarities:
    """Solve for one organelle; weights and seed are not used.

    Parameters
    ----------
    labels : ndarray of bool, shape (n,)
    """
    target = (labels - labels.mean()) / max(float(labels.std()), 1e-6)
    along = prepared.directions.T @ target
    share = prepared.shares[:, np.argmin(left_out_errors(prepared, target, along))]
    return Similarities(prepared.landmarks, prepared.back @ (share * along / np.sqrt(prepared.variance)))


def left_out_errors(prepared: Prepared, target: np.ndarray, along: np.ndarray) -> np.ndarray:
    """Mean squared error of each field as predicted by the others, for each shrinkage: float64, shape (n_shrinkages,).

    Parameters
    ----------
    prepared : Prepared
    target : ndarray of float64, shape (n,)
        Standardised.
    along : ndarray of float64, shape (rank,)
        The target in the directions.
    """
    fitted = prepared.directions @ (prepared.shares * along[:, None])
    residual = (target[:, None] - fitted) / np.maximum(1 - prepared.leverage, 1e-6)
    return np.mean(residual**2, axis=0)


def score(model: Similarities, values: np.ndarray) -> np.ndarray:
    """Discriminant score: float32, shape (n,)."""
    return score_several([model], values)[0]


def score_several(models: Sequence[Similarities], values: np.ndarray) -> list[np.ndarray]:
    """The scores of models with the same landmarks, which are compared with the values once."""
    landmarks = models[0].landmarks
    similarity = landmarks.similarity(clipped(values, landmarks.mean, landmarks.scale))
    return [row_sums(similarity, model.weight).astype(np.float32) for model in models]


def contributions(model: Similarities, values: np.ndarray) -> np.ndarray:
    """What each column adds to the score, from the mean field to each field: float64, shape (n, n_columns).

    Integrated gradients on the straight line between the two, which add up to the difference of the scores
    (Sundararajan, Taly & Yan 2017, "Axiomatic attribution for deep networks").
    """
    landmarks = model.landmarks
    points = landmarks.points.astype(np.float64)

    def block_contributions(standard: np.ndarray) -> np.ndarray:
        slope = np.zeros(standard.shape)
        for place, share in zip(*_PATH, strict=True):
            at = standard * (place + 1) / 2
            pull = landmarks.similarity(at) * model.weight
            slope += share * landmarks.gamma * (pull @ points - at * pull.sum(1, keepdims=True))
        return standard * slope

    return _in_blocks(block_contributions, clipped(values, landmarks.mean, landmarks.scale), points.shape[1])


def save(model: Similarities, path: Path, names: Sequence[str]) -> None:
    """Write the weights of the landmarks as JSON; the landmarks lie in the file that `save_shared` wrote."""
    path.write_text(json.dumps({"gamma": model.landmarks.gamma, "weight": model.weight.tolist()}))


def save_shared(prepared: Prepared, path: Path) -> None:
    """Write the landmarks, which the organelles share, as .npy: mean, scale (0 for a constant column), points."""
    landmarks = prepared.landmarks
    scale = np.where(np.isfinite(landmarks.scale), landmarks.scale, 0)
    write_array(path, np.vstack([landmarks.mean, scale, landmarks.points]).astype(np.float32))


def load_shared(path: Path, n_columns: int) -> np.ndarray:
    """Read what `save_shared` wrote; raises InputError if it is damaged."""
    table = read_array(path, np.float32, (None, n_columns), Remedy(path))
    if len(table) < 3 or not np.isfinite(table).all() or (table[1] < 0).any():
        raise unusable(path, "holds a number that is not finite, or a scale that is not positive")
    return table


def load(path: Path, n_columns: int, shared: np.ndarray) -> Similarities:
    """Read what `save` wrote; raises InputError if it is damaged."""
    try:
        content = json.loads(read_model(path))
        gamma, weight = float(content["gamma"]), np.array(content["weight"], np.float64)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise unusable(path, f"cannot be used ({error})") from error
    if weight.shape != (len(shared) - 2,) or not np.isfinite(weight).all() or not 0 < gamma < np.inf:
        raise unusable(path, f"has not one finite weight for each of {len(shared) - 2} landmarks")
    scale = np.where(shared[1] == 0, np.inf, shared[1]).astype(np.float32)
    return Similarities(Landmarks(shared[0], scale, shared[2:], gamma), weight)
