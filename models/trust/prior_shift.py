"""Prior shift: adapts probabilities and calls to new fields whose class shares may differ from training.

Off by default. It rests on an assumption, so it never enters a reported score. "em" assumes that the shares differ but
an organelle's fields look the same in both sets: it estimates the shares from the probabilities and adjusts these.
"match" assumes equal shares and calls the same share of fields as in training.
"""

import numpy as np
from scipy.special import expit

from models.data.labels_per_field import AT_LEAST_ONE
from models.second_level.logistic import log_odds
from models.second_level.thresholds import best_threshold, call

WAYS: tuple[str, ...] = ("none", "em", "match")

STEPS = 200
TOLERANCE = 1e-6


def adjust(probabilities: np.ndarray, prior: np.ndarray, new_prior: np.ndarray) -> np.ndarray:
    """Probabilities under other shares: the log-odds shift by the difference of the shares' log-odds (Elkan 2001).

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
    return expit(log_odds(probabilities) + log_odds(new_prior) - log_odds(prior)).astype(np.float32)


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


def shift(
    way: str, probabilities: np.ndarray, calls: np.ndarray, prior: np.ndarray, trainable: np.ndarray,
    per_field: str = AT_LEAST_ONE,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Probabilities and calls adapted to the organelles' shares in new fields.

    Parameters
    ----------
    way : str
        "none" changes nothing; "em" adjusts the probabilities to the estimated shares and chooses new thresholds by
        expected F1; "match" calls the most probable fields of each organelle, as large a share as in training.
    probabilities : ndarray of float, shape (n_fields, n_organelles)
        Calibrated for the training shares.
    calls : ndarray of bool, shape (n_fields, n_organelles)
    prior : ndarray of float, shape (n_organelles,)
        Shares in training.
    trainable : ndarray of bool, shape (n_organelles,)
        The others are never called.
    per_field : str
        How many classes a field can be called for, see `models.second_level.thresholds.call`.

    Returns
    -------
    probabilities : ndarray of float32, shape (n_fields, n_organelles)
    calls : ndarray of bool, shape (n_fields, n_organelles)
    """
    if way not in WAYS:
        raise ValueError(f"way {way!r} is not one of {', '.join(WAYS)}")
    if way == "none" or not len(probabilities):
        return probabilities, calls
    threshold = np.full(len(prior), np.nan)
    if way == "em":
        probabilities = adjust(probabilities, prior, estimate_prior(probabilities, prior))
    for j in np.flatnonzero(trainable):
        mine = probabilities[:, j].astype(np.float64)
        threshold[j] = best_threshold(mine, mine) if way == "em" else _threshold_for_share(mine, prior[j])
    return probabilities, call(probabilities, threshold, per_field)


def _threshold_for_share(probabilities: np.ndarray, share: float) -> float:
    """The probability of the last field to be called; NaN where the share is less than half a field."""
    n_called = round(share * len(probabilities))
    return float(np.sort(probabilities)[-n_called]) if n_called else float("nan")
