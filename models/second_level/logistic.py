"""Logistic regression with few parameters and an L2 penalty towards given values (a normal prior).

It uses its own Newton's method: SciPy's minimize (trust-exact, its fastest method here, with the same derivatives)
finds the same minimum but takes 2 to 4 times as long, and a fit calls this hundreds of times in each fold
(docs/benchmarks.md, "What is our own where a library has it").
"""

from collections.abc import Callable

import numpy as np
from scipy.special import logit

STEPS = 50
HALVINGS = 12
TOLERANCE = 1e-6
Derivatives = Callable[[], tuple[np.ndarray, np.ndarray]]
"""Gives the gradient, shape (p,), and the Hessian matrix, shape (p, p)."""


def log_odds(p: np.ndarray | float) -> np.ndarray:
    """ln(p / (1 - p)), with p kept 1e-7 away from 0 and 1."""
    return logit(np.clip(np.asarray(p, np.float64), 1e-7, 1 - 1e-7))


def fit_with_prior(inputs: np.ndarray, labels: np.ndarray, prior_mean: np.ndarray, l2: np.ndarray) -> np.ndarray:
    """Minimise sum of log loss + 1/2 sum of l2 x (parameter - prior mean)^2.

    Parameters
    ----------
    inputs : ndarray of float64, shape (n, p)
        With a column of ones for the intercept.
    labels : ndarray of bool, shape (n,)
    prior_mean : ndarray, shape (p,)
        The parameters' values without data; the search starts there.
    l2 : ndarray, shape (p,)
        Penalties: the inverse variances of a normal prior. Must be positive where the labels could be separable.

    Returns
    -------
    ndarray of float64, shape (p,)
    """

    def evaluate(parameters: np.ndarray) -> tuple[float, Derivatives]:
        x = inputs @ parameters
        small, away = np.exp(-np.abs(x)), parameters - prior_mean

        def derivatives() -> tuple[np.ndarray, np.ndarray]:
            p = _sigmoid(x, small)
            hessian = (inputs * (p * (1 - p))[:, None]).T @ inputs + np.diag(l2 + 1e-9)
            return inputs.T @ (p - labels) + l2 * away, hessian

        return float(_softplus(x, small).sum() - x[labels].sum() + 0.5 * np.sum(l2 * away**2)), derivatives

    return _minimum(evaluate, np.array(prior_mean, np.float64))


def fit_shared(inputs: np.ndarray, labels: np.ndarray, l2: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """One set of weights for all organelles, with an intercept for each.

    Every organelle is weighted so that it counts like the square root of its positives: common ones do not dominate.

    Parameters
    ----------
    inputs : ndarray of float64, shape (n, n_organelles, m)
    labels : ndarray of bool, shape (n, n_organelles)
    l2 : float
        Penalty of the weights, whose prior mean is 1 / m, and of the intercepts, whose prior mean is the labels'
        log-odds.

    Returns
    -------
    weights : ndarray of float64, shape (m,)
    intercepts : ndarray of float64, shape (n_organelles,)
    """
    n, _, m = inputs.shape
    flat = inputs.reshape(-1, m)
    importance = 1 / np.sqrt(np.maximum(labels.sum(0), 1))
    prior_mean = np.concatenate([np.full(m, 1 / m), log_odds((labels.sum(0) + 0.5) / (n + 1))])

    def evaluate(parameters: np.ndarray) -> tuple[float, Derivatives]:
        x = inputs @ parameters[:m] + parameters[m:]
        small, away = np.exp(-np.abs(x)), parameters - prior_mean

        def derivatives() -> tuple[np.ndarray, np.ndarray]:
            p = _sigmoid(x, small)
            residual, bend = importance * (p - labels), importance * p * (1 - p)
            bent = inputs * bend[:, :, None]
            gradient = np.concatenate([residual.ravel() @ flat, residual.sum(0)])
            hessian = np.diag(np.concatenate([np.zeros(m), bend.sum(0)]) + l2)
            hessian[:m, :m] += bent.reshape(-1, m).T @ flat
            hessian[:m, m:] = bent.sum(0).T
            hessian[m:, :m] = hessian[:m, m:].T
            return gradient + l2 * away, hessian

        fit = importance @ (_softplus(x, small) - x * labels).sum(0)
        return float(fit + 0.5 * l2 * np.sum(away**2)), derivatives

    parameters = _minimum(evaluate, prior_mean)
    return parameters[:m], parameters[m:]


def _softplus(x: np.ndarray, small: np.ndarray) -> np.ndarray:
    """ln(1 + exp(x)), where `small` is exp(-abs(x)), which the sigmoid uses too; a third of the time of logaddexp."""
    out = np.log1p(small)
    out += np.maximum(x, 0)
    return out


def _sigmoid(x: np.ndarray, small: np.ndarray) -> np.ndarray:
    """1 / (1 + exp(-x)), where `small` is exp(-abs(x))."""
    out = np.where(x < 0, small, 1)
    out /= 1 + small
    return out


def _minimum(evaluate: Callable[[np.ndarray], tuple[float, Derivatives]], start: np.ndarray) -> np.ndarray:
    """Newton's method, each step halved until the loss falls; stops where it hardly falls any more.

    Parameters
    ----------
    evaluate
        The loss at some parameters, and a function that gives the derivatives there.
    start : ndarray, shape (p,)
    """
    parameters, (now, derivatives) = start, evaluate(start)
    for _ in range(STEPS):
        gradient, hessian = derivatives()
        step = np.linalg.solve(hessian, gradient)
        before = now
        for halving in range(HALVINGS):
            trial = parameters - step * 0.5**halving
            value, at_trial = evaluate(trial)
            if value < now:
                parameters, now, derivatives = trial, value, at_trial
                break
        if before - now <= TOLERANCE * max(abs(now), 1.0):
            break
    return parameters
