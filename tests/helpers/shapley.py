"""Shapley values by their definition."""

from itertools import combinations
from math import factorial

import numpy as np


def by_definition(score, field, background, members):
    """The mean over background fields of the sum over all coalitions (Shapley 1953)."""
    n = members.shape[1]

    def worth(coalition):
        missing = members[:, [g for g in range(n) if g not in coalition]].any(1)
        return score(np.where(missing, background, field)).mean()

    values = np.zeros(n)
    for g in range(n):
        others = [k for k in range(n) if k != g]
        for size in range(n):
            weight = factorial(size) * factorial(n - size - 1) / factorial(n)
            values[g] += weight * sum(worth({*some, g}) - worth(set(some)) for some in combinations(others, size))
    return values
