"""Re-weighting probabilities for fields in which the organelles are not as frequent as in training: off by default.

An assumption, not a measurement: it never enters a reported score. Fields of an organelle are taken to look the same in
both sets, only their share differs.
"""

import numpy as np

from models.logistic import log_odds, probability

STEPS = 200
TOLERANCE = 1e-6


def adjust(probabilities: np.ndarray, prior: np.ndarray, new_prior: np.ndarray) -> np.ndarray:
    """Probabilities as they would be under other shares: the log-odds move by those of the shares (Elkan 2001).

    Parameters
    ----------
    probabilities : ndarray of float, shape (n_fields, n_organelles)
    prior, new_prior : ndarray of float, shape (n_organelles,)
        Shares in training, and where the probabilities are used.

    Returns
    -------
    ndarray of float32, shape (n_fields, n_organelles)
        Each organelle's ranking is unchanged.
    """
    return probability(log_odds(probabilities) + log_odds(new_prior) - log_odds(prior)).astype(np.float32)


def estimate_prior(probabilities: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Shares of the organelles among unlabelled fields, by expectation maximisation (Saerens et al. 2002).

    Parameters
    ----------
    probabilities : ndarray of float, shape (n_fields, n_organelles)
        Calibrated for the training shares; at least one field.
    prior : ndarray of float, shape (n_organelles,)

    Returns
    -------
    ndarray of float64, shape (n_organelles,)
    """
    share = np.array(prior, np.float64)
    for _ in range(STEPS):
        before, share = share, adjust(probabilities, prior, share).mean(0, dtype=np.float64)
        if abs(share - before).max() < TOLERANCE:
            break
    return share
