"""Class weights of rare organelles: their exponent is chosen by a pilot fit within each fold's training part.

Full weighting ruins the ranking of the rare organelles. The square root helps them in one library and hurts the common
ones. So the exponent is chosen for each member and fold, for rare and common organelles separately.
"""

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from engine.errors import InputError
from engine.files import read_json
from models.evaluation.metrics import average_precision, macro
from models.first_level.fold_model import Training
from models.folds import split_off
from models.settings import FitSettings

BOUND = 10.0
RARE_SHARE = 0.015
CLASSES = ("rare", "common")
PILOT_FIELDS = 1000
PILOT_ORGANELLES = 6
PILOT_ROUNDS = 0.25
PILOT_TEST_SHARE = 1 / 3


@dataclass(frozen=True)
class WeightExponents:
    """Chosen class-weight exponents.

    Attributes
    ----------
    rare, common : float
        For organelles below and above 1.5 % of the fields.
    pilot : dict of str to dict of str to float
        Scores of the pilot: class -> exponent -> macro average precision; empty without a pilot.
    """

    rare: float
    common: float
    pilot: dict[str, dict[str, float]]

    def of(self, labels: np.ndarray) -> float:
        """The exponent for an organelle with these labels."""
        return self.rare if labels.mean() < RARE_SHARE else self.common


def read_exponents(path: Path) -> WeightExponents:
    """Read the exponents from their JSON file; raises InputError if it is damaged."""
    content = read_json(path)
    try:
        chosen = content["exponents"]
        pilot = {
            name: {str(float(exponent)): float(score) for exponent, score in scores.items()}
            for name, scores in chosen["pilot"].items()
            if name in CLASSES
        }
        exponents = WeightExponents(float(chosen["rare"]), float(chosen["common"]), pilot)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} holds no class-weight exponents ({error}). Remove it, and fit again.") from error
    if not (0 <= exponents.rare <= 1 and 0 <= exponents.common <= 1):
        raise InputError(f"{path} holds exponents that are not from 0 to 1. Remove it, and fit again.")
    return exponents


def row_weights(labels: np.ndarray, exponent: float) -> np.ndarray:
    """Training weights of the fields for one organelle.

    Parameters
    ----------
    labels : ndarray of bool, shape (n,)
    exponent : float
        A positive weighs (negatives / positives) ** exponent, at most 10: 0 no weighting, 0.5 the square root.

    Returns
    -------
    ndarray of float32, shape (n,)
    """
    n_positive = max(int(labels.sum()), 1)
    weight = min((max(len(labels) - n_positive, 1) / n_positive) ** exponent, BOUND)
    return np.where(labels, weight, 1.0).astype(np.float32)


def choose_exponents(kind: ModuleType, training: Training, seen: np.ndarray, settings: FitSettings) -> WeightExponents:
    """Choose a member's exponents by a pilot fit on a group-wise split of the training part.

    Parameters
    ----------
    kind : module
        The member; its RARE_EXPONENTS and COMMON_EXPONENTS are tried. Small data sets use the first of each.
    training : Training
    seen : ndarray of int
        The fields in the fold's training part.
    """
    tried = {"rare": kind.RARE_EXPONENTS, "common": kind.COMMON_EXPONENTS}
    first = {name: exponents[0] for name, exponents in tried.items()}
    if len(seen) < PILOT_FIELDS or all(len(exponents) == 1 for exponents in tried.values()):
        return WeightExponents(**first, pilot={})
    labels, groups = np.asarray(training.labels[seen]), np.asarray(training.groups[seen])
    tests = split_off(labels, groups, PILOT_TEST_SHARE, settings.seed)
    prepared = kind.prepare(training.of(seen[~tests]), settings.device)
    unseen = training.values[seen[tests]]
    rounds = max(round(PILOT_ROUNDS * settings.rounds), 1)
    pilot: dict[str, dict[str, float]] = {}
    for name, organelles in _pilot_organelles(labels[~tests], labels[tests]).items():
        for exponent in tried[name] if organelles else ():
            scores = []
            for j in organelles:
                mine = labels[~tests, j]
                model = kind.train(prepared, mine, row_weights(mine, exponent), rounds, settings.seed)
                scores.append(average_precision(labels[tests, j], kind.score(model, unseen)))
            pilot.setdefault(name, {})[str(exponent)] = macro(np.array(scores))
    best = {name: float(max(scores, key=lambda s, of=scores: of[s])) for name, scores in pilot.items()}
    return WeightExponents(**first | best, pilot=pilot)


def _pilot_organelles(learnt: np.ndarray, tested: np.ndarray) -> dict[str, list[int]]:
    """The organelles of the pilot: some rare and some common ones with positives on both sides of the split."""
    counts = learnt.sum(0)
    usable = np.flatnonzero((counts >= 3) & (tested.sum(0) >= 2))
    rare = learnt.mean(0) < RARE_SHARE
    by_class = {"rare": usable[rare[usable]], "common": usable[~rare[usable]]}
    # The most frequent rare ones have the least noisy scores; weights matter most for the least frequent common ones.
    order = {"rare": -counts, "common": counts}
    return {name: mine[np.argsort(order[name][mine])][:PILOT_ORGANELLES].tolist() for name, mine in by_class.items()}
