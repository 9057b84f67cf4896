"""How many classes a field can have: read off the labels, and kept to by the calls."""

import numpy as np

ANY, AT_LEAST_ONE, AT_MOST_ONE, ONE = PER_FIELD = ("any", "at least one", "at most one", "one")
EXCLUSIVE = (AT_MOST_ONE, ONE)
"""Classes that exclude each other."""


def per_field_of(labels: np.ndarray) -> str:
    """The narrowest of `PER_FIELD` that some labels, bool (n_fields, n_classes), keep to."""
    return next(per_field for per_field in (ONE, AT_MOST_ONE, AT_LEAST_ONE, ANY) if keeps_to(labels, per_field))


def keeps_to(labels: np.ndarray, per_field: str) -> bool:
    """Whether each field has as many labels, bool (n_fields, n_classes), as it can have by one of `PER_FIELD`."""
    counts = labels.sum(1)
    enough = per_field in (ANY, AT_MOST_ONE) or bool((counts >= 1).all())
    return enough and (per_field not in EXCLUSIVE or bool((counts <= 1).all()))
