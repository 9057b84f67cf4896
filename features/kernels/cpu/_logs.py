"""A table of c log2 c, from which entropies of counts are summed: a logarithm for each count takes far longer."""

from functools import cache

import numpy as np

_TABLE = 65536  # beyond, c log c is computed


@cache
def log_table() -> np.ndarray:
    """c log2 c for c = 0, 1, 2 ... as far as a table is worth it; float64."""
    c = np.arange(_TABLE)
    return c * np.log2(np.maximum(c, 1))
