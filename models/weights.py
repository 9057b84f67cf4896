"""How much a rare organelle's positives weigh, and how that is chosen without looking at the fold it is scored on.

Full weighting ruins the ranking of the rare organelles, the square root helps them in one library and hurts the common
ones: so the strength is chosen for each member, fold and class of organelle by a pilot inside the fold's training part.
"""

from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from engine.errors import InputError
from engine.files import read_json
from models.folds import split_off
from models.metrics import average_precision, macro
from models.settings import FitSettings
from models.units import Training

BOUND = 10.0
RARE_SHARE = 0.015
CLASSES = ("rare", "common")
PILOT_FIELDS = 1000
PILOT_ORGANELLES = 6
PILOT_ROUNDS = 0.25
PILOT_TEST_SHARE = 1 / 3


@dataclass(frozen=True)
class Strengths:
    """Chosen strengths of weights.

    Attributes
    ----------
    rare, common : float
        For organelles below and above 1.5 % of the fields.
    pilot : dict of str to dict of str to float
        What the choice was made on: class -> strength -> macro average precision; empty without a pilot.
    """

    rare: float
    common: float
    pilot: dict[str, dict[str, float]]

    def of(self, labels: np.ndarray) -> float:
        """The strength for an organelle with these labels."""
        return self.rare if labels.mean() < RARE_SHARE else self.common


def read_strengths(path: Path) -> Strengths:
    """Read a choice from its JSON file; raises InputError if it is none."""
    content = read_json(path)
    try:
        chosen = content["strengths"]
        pilot = {
            name: {str(float(strength)): float(score) for strength, score in scores.items()}
            for name, scores in chosen["pilot"].items()
            if name in CLASSES
        }
        strengths = Strengths(float(chosen["rare"]), float(chosen["common"]), pilot)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} holds no choice of weights ({error}). Remove it, and fit again.") from error
    if not (0 <= strengths.rare <= 1 and 0 <= strengths.common <= 1):
        raise InputError(f"{path} holds strengths that are not from 0 to 1. Remove it, and fit again.")
    return strengths


def row_weights(labels: np.ndarray, strength: float) -> np.ndarray:
    """Weights of the fields in the training of one organelle.

    Parameters
    ----------
    labels : ndarray of bool, shape (n,)
    strength : float
        A positive weighs (negatives / positives) ** strength, at most 10: 0 no weighting, 0.5 the square root.

    Returns
    -------
    ndarray of float32, shape (n,)
    """
    n_positive = max(int(labels.sum()), 1)
    weight = min((max(len(labels) - n_positive, 1) / n_positive) ** strength, BOUND)
    return np.where(labels, weight, 1.0).astype(np.float32)


def choose_strengths(kind: ModuleType, training: Training, seen: np.ndarray, settings: FitSettings) -> Strengths:
    """Try a member's strengths on a split of the training part that keeps groups whole.

    Parameters
    ----------
    kind : module
        The member; its RARE_STRENGTHS and COMMON_STRENGTHS are tried, the first of each is what small data get.
    training : Training
    seen : ndarray of int
        The fields that the fold's models may see.
    """
    tried = {"rare": kind.RARE_STRENGTHS, "common": kind.COMMON_STRENGTHS}
    first = {name: strengths[0] for name, strengths in tried.items()}
    if len(seen) < PILOT_FIELDS or all(len(strengths) == 1 for strengths in tried.values()):
        return Strengths(**first, pilot={})
    labels, groups = np.asarray(training.labels[seen]), np.asarray(training.groups[seen])
    tests = split_off(labels, groups, PILOT_TEST_SHARE, settings.seed)
    prepared = kind.prepare(training.of(seen[~tests]), settings.device)
    unseen = training.values[seen[tests]]
    rounds = max(round(PILOT_ROUNDS * settings.rounds), 1)
    pilot: dict[str, dict[str, float]] = {}
    for name, organelles in _pilot_organelles(labels[~tests], labels[tests]).items():
        for strength in tried[name] if organelles else ():
            scores = []
            for j in organelles:
                mine = labels[~tests, j]
                model = kind.train(prepared, mine, row_weights(mine, strength), rounds, settings.seed)
                scores.append(average_precision(labels[tests, j], kind.score(model, unseen)))
            pilot.setdefault(name, {})[str(strength)] = macro(np.array(scores))
    best = {name: float(max(scores, key=lambda s, of=scores: of[s])) for name, scores in pilot.items()}
    return Strengths(**first | best, pilot=pilot)


def _pilot_organelles(learnt: np.ndarray, tested: np.ndarray) -> dict[str, list[int]]:
    """Of each class the organelles with most positives, as long as both sides have some."""
    counts = learnt.sum(0)
    usable = np.flatnonzero((counts >= 3) & (tested.sum(0) >= 2))
    rare = learnt.mean(0) < RARE_SHARE
    by_class = {"rare": usable[rare[usable]], "common": usable[~rare[usable]]}
    # The rare ones nearest to the line say most; of the common ones the least common, where weights matter at all.
    order = {"rare": -counts, "common": counts}
    return {name: mine[np.argsort(order[name][mine])][:PILOT_ORGANELLES].tolist() for name, mine in by_class.items()}
