"""Prediction sets by conformal risk control: sets of organelles that contain the true ones with a given coverage.

A field's set holds its calls and every other organelle whose probability reaches the conformal threshold. The threshold
is chosen by conformal risk control (Angelopoulos, Bates, Fisch, Lei, Schuster 2022, "Conformal Risk Control"): the
highest for which n / (n + 1) R + 1 / (n + 1) <= 1 - coverage, where R is the mean over n groups of training fields of
each group's loss, and a group's loss the mean over its fields of the share of a field's true organelles that the set
misses. Fields without a true organelle have nothing to miss, and do not count.

Guarantee: if the n groups and a new one are exchangeable, and their probabilities come from the same models, the
expected loss of a new group's fields is at most 1 - coverage. Groups (antibodies, or wells), not fields, are
exchangeable: the sets of one antibody's fields tend to miss the same organelles, so they count once.

Limits: the probabilities of training fields come from models that have not seen them, those of new fields from the mean
over all folds' models, which is usually a little better, so the guarantee is an approximation here. It holds on average
over fields and organelles, not for each organelle: one that is not trainable has its share of the training fields as
probability, so it is in every set or (if rare) in none, and the others compensate. New fields of another microscope,
stain or cell line are not exchangeable with the training groups.

MAPIE's `MultiLabelClassificationController` controls the same risk for rows that are exchangeable one by one, on a grid
of thresholds, without groups or calls that are always included. The tests compare the two where they should agree.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np

from engine.command_line import command_line

_ROUNDING = 1e-12


@dataclass(frozen=True)
class PredictionSets:
    """A fitted rule for prediction sets.

    Attributes
    ----------
    coverage : float
        The requested coverage: the expected share of a field's true organelles that are in its set.
    threshold : float
        The conformal threshold: an organelle is in the set if its probability is at least this. 0 gives sets of all
        organelles, infinity sets of the calls alone.
    n_groups : int
        Number of groups it was chosen on: those with a field that has an organelle.
    grouped : bool
        Whether it is known which fields belong together, e.g. are of one antibody or well.
    """

    coverage: float
    threshold: float
    n_groups: int
    grouped: bool

    @property
    def groups_needed(self) -> int:
        """The fewest groups for which sets smaller than all organelles can guarantee the coverage."""
        return ceil(1 / (1 - self.coverage) - 1 - _ROUNDING)

    @property
    def too_few(self) -> str:
        """A warning if there are too few groups, else ""."""
        if self.n_groups >= self.groups_needed:
            return ""
        return (
            f"a coverage of {100 * self.coverage:g} % needs at least {self.groups_needed} groups of training fields; "
            f"this run has {self.n_groups}: each prediction set is all organelles. Ask for less with --coverage."
        )

    @property
    def promise(self) -> str:
        """The guarantee of the sets, in a sentence."""
        kept = f"sets contain on average at least about {100 * self.coverage:g} % of the true organelles of"
        if self.grouped:
            return f"{kept} fields of a new antibody, well or other group (chosen on {self.n_groups} training groups)"
        return (
            f"{kept} new fields (chosen on {self.n_groups} training fields, near-identical ones as one). "
            "Which of them share an antibody or well is not known: of a new one's fields it may be less. Name groups "
            f"with {command_line('fit')} --groups."
        )

    def of(self, probabilities: np.ndarray, calls: np.ndarray) -> np.ndarray:
        """The organelles in each field's set: bool, the shape (n_fields, n_organelles) of both."""
        return calls | (probabilities >= self.threshold)


def fit_sets(
    probabilities: np.ndarray, labels: np.ndarray, calls: np.ndarray, groups: np.ndarray, coverage: float,
    grouped: bool = True,
) -> PredictionSets:  # fmt: skip
    """Choose the conformal threshold.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n_fields, n_organelles)
        Held-out probabilities.
    labels, calls : ndarray of bool, shape (n_fields, n_organelles)
    groups : ndarray of int, shape (n_fields,)
        Fields that are not independent share a number.
    coverage : float
        Between 0 and 1, both excluded.
    grouped : bool
        Whether it is known which fields belong together.

    Raises
    ------
    ValueError
        If the coverage is out of range.
    """
    if not 0 < coverage < 1:
        raise ValueError(f"coverage {coverage} is not between 0 and 1")
    n = len(np.unique(groups[labels.any(1)]))
    allowed = ((n + 1) * (1 - coverage) - 1) / max(n, 1) + _ROUNDING
    if allowed < 0:
        return PredictionSets(coverage, 0.0, n, grouped)
    at_stake = labels & ~calls
    order = np.argsort(probabilities[at_stake], kind="stable")
    candidates, first = np.unique(probabilities[at_stake][order], return_index=True)
    missed = np.append(0.0, np.cumsum(_weights(labels, groups)[at_stake][order]))
    risk = np.append(missed[first], missed[-1])  # of each candidate, and of the calls alone
    threshold = float(np.append(candidates, np.inf)[risk <= allowed][-1])
    return PredictionSets(coverage, threshold, n, grouped)


def group_loss(sets: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> float:
    """Share of a field's true organelles that its set misses, averaged over fields that have any, then over groups."""
    return float((_weights(labels, groups) * (labels & ~sets)).sum())


def _weights(labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Loss of missing each label: labels of a field, fields of a group, and groups count equally; all sum to 1."""
    some = labels.any(1)
    _, group, sizes = np.unique(groups[some], return_inverse=True, return_counts=True)
    weights = np.zeros(labels.shape)
    weights[some] = labels[some] / labels[some].sum(1, keepdims=True) / sizes[group][:, None] / len(sizes)
    return weights
