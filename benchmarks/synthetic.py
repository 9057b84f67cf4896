"""A field matrix with known difficulty under the real label table: what the fit benchmarks measure on.

Each organelle shifts some columns, by an amount of its own from hard to easy, in one of three patterns, half of the
shifts only where a further column is high. Antibodies have a style, shared nuisance factors run through all columns,
and part of the columns is bent or partly missing.
"""

import numpy as np

STRENGTHS = (0.5, 1.5)
PATTERNS = 3
COLUMNS_PER_PATTERN = 20


def antibody_groups(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Groups of 2 to 8 fields with equal labels, as fields of one antibody have.

    Returns
    -------
    ndarray of int64, shape (n_fields,)
    """
    groups = np.empty(len(labels), np.int64)
    n_groups = 0
    _, codes = np.unique(labels, axis=0, return_inverse=True)
    for code in range(codes.max() + 1):
        rows = rng.permutation(np.flatnonzero(codes == code))
        while len(rows):
            size = int(rng.integers(2, 9))
            groups[rows[:size]] = n_groups
            rows, n_groups = rows[size:], n_groups + 1
    return groups


def synthetic_matrix(labels: np.ndarray, groups: np.ndarray, n_columns: int, rng: np.random.Generator) -> np.ndarray:
    """Values = signal of varied exponent + antibody style + nuisance factors + noise.

    Parameters
    ----------
    labels : ndarray of bool, shape (n_fields, n_organelles)
    groups : ndarray of int, shape (n_fields,)
    n_columns : int

    Returns
    -------
    ndarray of float32, shape (n_fields, n_columns)
        2 % of the values of every tenth column are NaN.
    """
    n = len(labels)
    values = rng.standard_normal((n, n_columns), dtype=np.float32)
    values += rng.standard_normal((n, 12), dtype=np.float32) @ rng.normal(0, 0.3, (12, n_columns)).astype(np.float32)
    style = rng.normal(0, 1, (groups.max() + 1, 40)).astype(np.float32)
    values += 0.5 * style[groups] @ rng.normal(0, 0.15, (40, n_columns)).astype(np.float32)
    for j, exponent in enumerate(rng.permutation(np.linspace(*STRENGTHS, labels.shape[1]))):
        _show_organelle(values, labels[:, j], exponent, rng)
    bent = rng.random(n_columns) < 0.3
    values[:, bent] = np.exp(0.7 * values[:, bent])
    holes = values[:, ::10]
    holes[rng.random(holes.shape, dtype=np.float32) < 0.02] = np.nan
    return values


def _show_organelle(values: np.ndarray, labelled: np.ndarray, exponent: float, rng: np.random.Generator) -> None:
    """Shift columns, in place, where a field shows the organelle: in one of three patterns; some fields do not show it.

    Half of a pattern's columns are shifted always, the others only where a further column is high.
    """
    fields = np.flatnonzero(labelled & (rng.random(len(labelled)) < rng.uniform(0.7, 1.0)))
    pattern = rng.integers(0, PATTERNS, len(fields))
    for mine in (fields[pattern == k] for k in range(PATTERNS)):
        columns = rng.choice(values.shape[1], COLUMNS_PER_PATTERN + 1, replace=False)
        switch, columns = columns[0], columns[1:]
        half = COLUMNS_PER_PATTERN // 2
        shift = rng.exponential(exponent, COLUMNS_PER_PATTERN) * rng.choice([-1, 1], COLUMNS_PER_PATTERN)
        values[np.ix_(mine, columns[:half])] += shift[:half]
        high = mine[values[mine, switch] > 0]
        values[np.ix_(high, columns[half:])] += 1.5 * shift[half:]
