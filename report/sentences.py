"""The sentences of a card: which features drive an organelle, in which cells, and how often calls are right."""

from collections.abc import Sequence

import numpy as np

_POOLS = {
    "mean": "the average of a field's cells",
    "top": "the cells with the highest values",
    "sd": "how much the cells of a field differ",
    "mass": "the average of a field's cells, weighted by their protein",
    "whole field": "the field as a whole",
}
_LEAST_SHARE, _LEAST_DROP = 0.1, 0.015  # of the contributions, and of average precision; smaller ones are left out


def why(blocks: Sequence[tuple[str, float]]) -> str:
    """Name the blocks with most of the contributions; (words, share) each, the largest first."""
    named = [f"{words} ({percent(share)} of the contributions)" for words, share in blocks[:3] if share > 0]
    return f"The models rely mostly on {listed(named)}." if named else ""


def cost(groups: Sequence[tuple[str, float]], precision: float) -> str:
    """Name the groups, two at most, whose permutation costs most; (words, drop of average precision) each."""
    known = sorted((group for group in groups if group[1] >= _LEAST_DROP), key=lambda group: -group[1])[:2]
    losses = [f"by {drop:.2f} without {words}" for words, drop in known]
    return f"Its average precision of {precision:.2f} would fall {listed(losses)}." if losses else ""


def cells(pools: Sequence[tuple[str, float]]) -> str:
    """Say how the features are pooled over cells; (pool, share of the contributions) each, the largest first."""
    large = [(_POOLS.get(pool, pool), share) for pool, share in pools if share >= _LEAST_SHARE]
    parts = [f"{percent(share)} comes from {words}" for words, share in large]
    return f"Of the contributions {listed(parts)}." if parts else ""


def sureness(labels: np.ndarray, calls: np.ndarray) -> str:
    """Say how many calls are right, and how many labelled fields are found (bool, shape (n_fields,))."""
    n_calls, n_labels, right = int(calls.sum()), int(labels.sum()), int((labels & calls).sum())
    if not n_calls:
        return f"No field is called, though {n_labels} carry the label."
    sure = f"Of {n_calls} calls {right} are right ({percent(right / n_calls)})"
    return f"{sure}; of {n_labels} fields that carry the label {right} are found ({percent(right / n_labels)})."


def caution(ap_low: float, chance: float, n_positive: int) -> str:
    """Warn of scores no better than chance or based on few fields; else ""."""
    if ap_low <= chance:
        return "Predicted hardly better than by chance in this run: what follows says little."
    if n_positive < 15:
        return f"Only {int(n_positive)} fields carry the label: scores and importances may change with a few more."
    return ""


def percent(share: float) -> str:
    """E.g. "43 %", with a space that does not break."""
    return f"{share:.0%}".replace("%", "\u00a0%")


def listed(parts: Sequence[str]) -> str:
    """E.g. "a, b and c"."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)
