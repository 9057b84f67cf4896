"""Which organelles a field could carry: a set that misses no more of the true ones than was asked for.

The set is what the field is called for and every other organelle whose probability reaches one cut. The cut is chosen
by conformal risk control (Angelopoulos, Bates, Fisch, Lei, Schuster 2022, "Conformal Risk Control"): the highest for
which n / (n + 1) R + 1 / (n + 1) <= 1 - coverage, where R is the mean over n groups of training fields of each group's
loss, and a group's loss the mean over its fields of the share of a field's true organelles that the set misses.

What is guaranteed: were the n groups and the new one exchangeable, and their probabilities made by the same models, the
expected loss of a new group's fields would be at most 1 - coverage. Groups (antibodies), not fields, are what is
exchangeable: fields of one antibody miss the same organelles together, and count once.

What is not: the probabilities of training fields come from models that have not seen them, those of new fields from the
mean over all folds' models, which is usually a little better, so the guarantee is an approximation here. It holds on
average over fields and organelles, not for each organelle: one that could not be learnt keeps its share of the training
fields as its probability, so it is in every set or (if rare) in none, and what that misses others make up for. New
fields of another microscope, stain or cell line are not exchangeable with the training groups.

MAPIE's `MultiLabelClassificationController` controls the same risk for rows that are exchangeable one by one, on a grid
of cuts; it knows neither groups nor calls that are always in. The tests hold this module against it where they agree.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np

_ROUNDING = 1e-12


@dataclass(frozen=True)
class PredictionSets:
    """How sets are made.

    Attributes
    ----------
    coverage : float
        What was asked for: the expected share of a field's true organelles that are in its set.
    cut : float
        An organelle is in the set where its probability is at least this; 0 for all of them, infinite for calls alone.
    n_groups : int
        Groups that it was chosen on.
    grouped : bool
        Whether groups stand for antibodies; otherwise nothing is known of these.
    """

    coverage: float
    cut: float
    n_groups: int
    grouped: bool

    @property
    def groups_needed(self) -> int:
        """The fewest groups on which the coverage can be promised by less than all organelles."""
        return ceil(1 / (1 - self.coverage) - 1 - _ROUNDING)

    @property
    def too_few(self) -> str:
        """A sentence where there are too few groups, else ""."""
        if self.n_groups >= self.groups_needed:
            return ""
        return (
            f"a coverage of {100 * self.coverage:g} % needs at least {self.groups_needed} groups of training fields; "
            f"this run has {self.n_groups}: each prediction set is all organelles. Ask for less with --coverage."
        )

    @property
    def promise(self) -> str:
        """What the sets say, in a sentence."""
        kept = f"at least {100 * self.coverage:g} % of the true organelles are in the set, on average"
        if self.grouped:
            return f"sets: of fields of a new antibody {kept} (chosen on {self.n_groups} groups of training fields)"
        return (
            f"sets: of new fields {kept} (chosen on {self.n_groups} training fields, near-identical ones as one). "
            "Which of them share an antibody is not known: of a new antibody's fields it may be less. Name groups with "
            "python cli.py fit --groups."
        )

    def of(self, probabilities: np.ndarray, calls: np.ndarray) -> np.ndarray:
        """The organelles in each field's set: bool, the shape (n_fields, n_organelles) of both."""
        return calls | (probabilities >= self.cut)


def fit_sets(
    probabilities: np.ndarray, labels: np.ndarray, calls: np.ndarray, groups: np.ndarray, coverage: float,
    grouped: bool = True,
) -> PredictionSets:  # fmt: skip
    """Choose the cut.

    Parameters
    ----------
    probabilities : ndarray of float, shape (n_fields, n_organelles)
        Of models that have not seen the field.
    labels, calls : ndarray of bool, shape (n_fields, n_organelles)
    groups : ndarray of int, shape (n_fields,)
        Fields that are no independent evidence share a number.
    coverage : float
        Between 0 and 1, both excluded.
    grouped : bool
        Whether groups stand for antibodies.

    Raises
    ------
    ValueError
        If the coverage is out of range.
    """
    if not 0 < coverage < 1:
        raise ValueError(f"coverage {coverage} is not between 0 and 1")
    n = len(np.unique(groups))
    allowed = ((n + 1) * (1 - coverage) - 1) / n + _ROUNDING
    if allowed < 0:
        return PredictionSets(coverage, 0.0, n, grouped)
    at_stake = labels & ~calls
    order = np.argsort(probabilities[at_stake], kind="stable")
    cuts, first = np.unique(probabilities[at_stake][order], return_index=True)
    missed = np.append(0.0, np.cumsum(_weights(labels, groups)[at_stake][order]))
    risk = np.append(missed[first], missed[-1])  # of each cut, and of calls alone
    cut = float(np.append(cuts, np.inf)[risk <= allowed][-1])
    return PredictionSets(coverage, cut, n, grouped)


def group_loss(sets: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> float:
    """The mean over groups of the mean over their fields of the share of true organelles that the sets miss."""
    return float((_weights(labels, groups) * (labels & ~sets)).sum())


def _weights(labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """What missing each label costs: all labels of a field, all fields of a group and all groups sum to 1."""
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    return labels / np.maximum(labels.sum(1, keepdims=True), 1) / sizes[group][:, None] / len(sizes)
