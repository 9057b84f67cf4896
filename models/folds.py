"""Stratified group folds for multilabel data: no group is split, and organelles are spread evenly over the folds.

Iterative stratification (Sechidis et al. 2011) over groups instead of fields: the rarest organelle first, its biggest
group first, each to the fold that lacks it most. Then groups are moved, and those of rare organelles swapped, as long
as that makes the spread more even.
"""

from dataclasses import dataclass

import numpy as np

from engine.counted import counted
from engine.errors import InputError
from engine.running.compiled import njit

PASSES = 20
LEAST_GAIN = 1e-9
MOST_CARRIERS = 300
"""Groups are swapped only for organelles with at most this many groups; for the others moves are enough."""


HELD_OUT, NEW = -1, -2
"""In place of a fold: a field that no model is trained on; one that was not in an earlier fit."""


@dataclass(frozen=True)
class Folds:
    """A fold for each field.

    Attributes
    ----------
    fold : ndarray of int8, shape (n_fields,)
        0 to n_folds - 1.
    n_folds : int
    """

    fold: np.ndarray
    n_folds: int


def make_folds(labels: np.ndarray, groups: np.ndarray, n_folds: int, seed: int) -> Folds:
    """Divide fields into folds.

    Parameters
    ----------
    labels : ndarray of bool, shape (n_fields, n_organelles)
    groups : ndarray of int, shape (n_fields,)
        Fields of one group share a fold. Give each field its own number for random folds.
    n_folds : int
    seed : int
        Breaks ties.

    Raises
    ------
    ValueError
        If there are fewer groups than folds.
    """
    return _divide(labels, groups, np.full(n_folds, 1 / n_folds), seed)


def keep_folds(earlier: np.ndarray, groups: np.ndarray, n_folds: int) -> np.ndarray:
    """The folds of an earlier fit, and folds for the groups that are new: each to the fold with the fewest fields.

    No group is split: one whose fields were in several folds goes to that with most of them. A fold that has no field
    left gets half of the groups of the fold with most.

    Parameters
    ----------
    earlier : ndarray of int, shape (n_fields,)
        0 to n_folds - 1, `HELD_OUT` or `NEW`.
    groups : ndarray of int, shape (n_fields,)
    n_folds : int

    Returns
    -------
    ndarray of int8, shape (n_fields,)

    Raises
    ------
    InputError
        If there are fewer groups than folds, beside those that are held out.
    """
    _, group = np.unique(groups, return_inverse=True)
    counts = np.zeros((int(group.max(initial=-1)) + 1, n_folds + 1), np.int64)
    known = earlier != NEW
    np.add.at(counts, (group[known], earlier[known] % (n_folds + 1)), 1)  # held out comes last
    of_group = np.where(counts.any(1), counts.argmax(1), NEW)
    sizes, filled = np.bincount(group), counts.sum(0)[:n_folds]
    for g in sorted(np.flatnonzero(of_group == NEW), key=lambda g: (-sizes[g], g)):
        of_group[g] = int(np.argmin(filled))
        filled[of_group[g]] += sizes[g]
    for k in range(n_folds):
        if not (of_group == k).any():
            fullest = np.flatnonzero(of_group == np.bincount(of_group, minlength=n_folds)[:n_folds].argmax())
            if len(fullest) < 2:
                raise InputError(
                    f"{counted(int((of_group < n_folds).sum()), 'group')} of fields that are not held out cannot fill "
                    f"the {n_folds} folds of the earlier fit. Label more fields, or fit without --like-before."
                )
            of_group[fullest[np.argsort(-sizes[fullest], kind="stable")][1::2]] = k
    return np.where(of_group == n_folds, HELD_OUT, of_group)[group].astype(np.int8)


def split_off(labels: np.ndarray, groups: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Choose whole groups as a hold-out, stratified as folds are.

    Parameters
    ----------
    share : float
        Share of the fields, between 0 and 1.

    Returns
    -------
    ndarray of bool, shape (n_fields,)
        True for the fields held out.
    """
    return _divide(labels, groups, np.array([1 - share, share]), seed).fold == 1


def _divide(labels: np.ndarray, groups: np.ndarray, shares: np.ndarray, seed: int) -> Folds:
    codes = np.unique(groups, return_inverse=True)[1]
    n_groups = int(codes.max()) + 1 if len(codes) else 0
    if n_groups < len(shares):
        raise ValueError(f"{n_groups} groups cannot fill {len(shares)} folds")
    # The last column counts fields, so that folds also come out equal in size.
    counts = np.zeros((n_groups, labels.shape[1] + 1), np.int64)
    np.add.at(counts, codes, np.column_stack([labels, np.ones(len(labels), bool)]).astype(np.int64))
    tie = np.random.default_rng(seed).permutation(n_groups)
    fold_of_group = _stratify(counts, shares, tie)
    _even_out(counts, fold_of_group, shares, tie)
    return Folds(fold_of_group[codes].astype(np.int8), len(shares))


def _stratify(counts: np.ndarray, shares: np.ndarray, tie: np.ndarray) -> np.ndarray:
    """Fold of each group: repeatedly the organelle with fewest fields left, its biggest group first."""
    fold = np.full(len(counts), -1, np.int64)
    wanted = counts.sum(0)[:, None] * shares
    left = counts.sum(0).astype(np.float64)
    queue = {j: iter(np.lexsort((tie, -counts[:, j]))) for j in range(counts.shape[1])}
    while (left > 0).any():
        j = int(np.argmin(np.where(left > 0, left, np.inf)))
        group = next(g for g in queue[j] if fold[g] < 0)
        lack = wanted[j]
        most = np.flatnonzero(lack >= lack.max() - 1e-9)
        fold[group] = most[np.argmax(wanted[-1, most])]
        wanted[:, fold[group]] -= counts[group]
        left -= counts[group]
    return fold


@njit()
def _even_out(counts, fold, shares, order):
    """Move and swap groups, in place, while that lowers the sum over organelles and folds of excess^2 / wanted.

    First single groups, to any fold; where none helps any more, two groups that carry one of the rarer organelles.
    """
    n_columns = counts.shape[1]
    excess = np.zeros((n_columns, len(shares)))
    scale = np.zeros(n_columns)
    for j in range(n_columns):
        total = counts[:, j].sum()
        excess[j] = -total * shares
        scale[j] = 1.0 / max(total, 1)
    for g in range(len(counts)):
        excess[:, fold[g]] += counts[g]
    for _ in range(PASSES):
        if not (_move_groups(counts, fold, shares, order, excess, scale)
                or _swap_groups(counts, fold, shares, order, excess, scale)):  # fmt: skip
            return


@njit()
def _move_groups(counts, fold, shares, order, excess, scale):
    """Move each group to the fold where it lowers the sum most; returns whether any moved."""
    moved = False
    for g in order:
        best, most = fold[g], LEAST_GAIN
        for k in range(len(shares)):
            if k != fold[g]:
                gain = _gain(counts[g], fold[g], k, excess, scale, shares)
                if gain > most:
                    best, most = k, gain
        if best != fold[g]:
            excess[:, fold[g]] -= counts[g]
            excess[:, best] += counts[g]
            fold[g] = best
            moved = True
    return moved


@njit()
def _swap_groups(counts, fold, shares, order, excess, scale):
    """Swap groups of one organelle where that lowers the sum; returns whether any were swapped."""
    swapped = False
    for j in range(counts.shape[1]):
        carriers = order[counts[order, j] > 0]
        if len(carriers) > MOST_CARRIERS:
            continue
        for i in range(len(carriers)):
            for h in carriers[:i]:
                g = carriers[i]
                a, b = fold[g], fold[h]
                difference = counts[g] - counts[h]
                if a != b and _gain(difference, a, b, excess, scale, shares) > LEAST_GAIN:
                    excess[:, a] -= difference
                    excess[:, b] += difference
                    fold[g], fold[h] = b, a
                    swapped = True
    return swapped


@njit()
def _gain(counts, a, b, excess, scale, shares):
    """How much the sum falls if these counts go from fold a to fold b."""
    gain = 0.0
    for j in range(len(counts)):
        c = counts[j]
        if c:
            gain += scale[j] * (c * (2 * excess[j, a] - c) / shares[a] - c * (2 * excess[j, b] + c) / shares[b])
    return gain
