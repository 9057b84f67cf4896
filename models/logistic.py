"""Logistic regression with few parameters that are pulled towards given values instead of zero; Newton's method."""

import numpy as np

STEPS = 50
TOLERANCE = 1e-6


def probability(log_odds: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)) without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * np.asarray(log_odds, np.float64)))


def log_odds(p: np.ndarray | float) -> np.ndarray:
    """ln(p / (1 - p)), with p kept 1e-7 away from 0 and 1."""
    p = np.clip(np.asarray(p, np.float64), 1e-7, 1 - 1e-7)
    return np.log(p) - np.log1p(-p)


def fit_towards(inputs: np.ndarray, labels: np.ndarray, centre: np.ndarray, pull: np.ndarray) -> np.ndarray:
    """Minimise sum of log loss + 1/2 sum of pull x (parameter - centre)^2.

    Parameters
    ----------
    inputs : ndarray of float64, shape (n, p)
        With a column of ones for the intercept.
    labels : ndarray of bool, shape (n,)
    centre : ndarray, shape (p,)
        Where the parameters are pulled to, and where the search starts.
    pull : ndarray, shape (p,)
        In units of information: a pull of 10 counts like 10 fields that say `centre` with certainty. Must be positive
        where the labels could be separable.

    Returns
    -------
    ndarray of float64, shape (p,)
    """

    def loss(parameters: np.ndarray) -> float:
        x = inputs @ parameters
        return float(np.sum(np.logaddexp(0, x)) - np.sum(x[labels]) + 0.5 * np.sum(pull * (parameters - centre) ** 2))

    parameters = np.array(centre, np.float64)
    now = loss(parameters)
    for _ in range(STEPS):
        p = probability(inputs @ parameters)
        slope = inputs.T @ (p - labels) + pull * (parameters - centre)
        curve = (inputs * (p * (1 - p))[:, None]).T @ inputs + np.diag(pull + 1e-9)
        step = np.linalg.solve(curve, slope)
        parameters, before, now = _descend(loss, parameters, step, now)
        if before - now <= TOLERANCE * max(abs(now), 1.0):
            break
    return parameters


def fit_shared(inputs: np.ndarray, labels: np.ndarray, pull: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """One set of weights for all organelles, with an intercept for each.

    Every organelle counts by the square root of its positives, so that the common ones do not decide alone.

    Parameters
    ----------
    inputs : ndarray of float64, shape (n, n_organelles, m)
    labels : ndarray of bool, shape (n, n_organelles)
    pull : float
        Of the weights towards their mean start 1 / m, and of the intercepts towards the labels' log-odds.

    Returns
    -------
    weights : ndarray of float64, shape (m,)
    intercepts : ndarray of float64, shape (n_organelles,)
    """
    n, _, m = inputs.shape
    importance = 1 / np.sqrt(np.maximum(labels.sum(0), 1))
    start = np.concatenate([np.full(m, 1 / m), log_odds((labels.sum(0) + 0.5) / (n + 1))])

    def loss(parameters: np.ndarray) -> float:
        x = inputs @ parameters[:m] + parameters[m:]
        fit = importance @ (np.logaddexp(0, x) - x * labels).sum(0)
        return float(fit + 0.5 * pull * np.sum((parameters - start) ** 2))

    parameters, now = start, loss(start)
    for _ in range(STEPS):
        p = probability(inputs @ parameters[:m] + parameters[m:])
        residual, bend = importance * (p - labels), importance * p * (1 - p)
        slope = np.concatenate([np.einsum("no,nom->m", residual, inputs), residual.sum(0)])
        slope += pull * (parameters - start)
        curve = np.diag(np.concatenate([np.zeros(m), bend.sum(0)]) + pull)
        curve[:m, :m] += np.einsum("nom,nok->mk", inputs * bend[:, :, None], inputs)
        curve[:m, m:] = np.einsum("no,nom->mo", bend, inputs)
        curve[m:, :m] = curve[:m, m:].T
        parameters, before, now = _descend(loss, parameters, np.linalg.solve(curve, slope), now)
        if before - now <= TOLERANCE * max(abs(now), 1.0):
            break
    return parameters[:m], parameters[m:]


def _descend(loss, parameters: np.ndarray, step: np.ndarray, now: float) -> tuple[np.ndarray, float, float]:
    """Go along the Newton step, halved until the loss falls; gives the new point, the old loss, the new loss."""
    for halving in range(12):
        trial = parameters - step * 0.5**halving
        value = loss(trial)
        if value < now:
            return trial, now, value
    return parameters, now, now
