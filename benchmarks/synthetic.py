"""A field matrix with known difficulty under the real label table: what the fit benchmarks measure on.

Each organelle shifts a share of the columns by an amount of its own (from easy to hard, some shifts only in half of its
fields, some only through a product of columns); antibodies have a style, shared nuisance factors run through all
columns, and part of the columns is bent or partly missing.
"""

import numpy as np


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
    """Values = signal of varied strength + antibody style + nuisance factors + noise.

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
    per_organelle = max(6, n_columns // 25)
    for j, strength in enumerate(rng.permutation(np.linspace(0.35, 1.1, labels.shape[1]))):
        mine = rng.choice(n_columns, per_organelle, replace=False)
        shown = labels[:, j] * (rng.random(n) < rng.uniform(0.5, 1.0)).astype(np.float32)
        values[:, mine] += np.outer(
            shown, rng.exponential(strength, per_organelle) * rng.choice([-1, 1], per_organelle)
        )
        a, b = mine[:2]
        values[:, a] = np.where(labels[:, j] & (values[:, b] > 0), values[:, a] + 2 * strength, values[:, a])
    bent = rng.random(n_columns) < 0.3
    values[:, bent] = np.exp(0.7 * values[:, bent])
    holes = values[:, ::10]
    holes[rng.random(holes.shape, dtype=np.float32) < 0.02] = np.nan
    return values
