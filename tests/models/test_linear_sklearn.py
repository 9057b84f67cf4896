"""The linear kind against scikit-learn's ridge, and its smaller system against the larger one."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from models.first_level import linear
from models.first_level.fold_model import Rows
from models.first_level.standard import moments

SHAPES = [(400, 30), (60, 300), (80, 80), (79, 80), (3, 5)]


@pytest.mark.parametrize("shape", SHAPES)
def test_scores_are_those_of_ridge(shape, rng):
    """Also with fewer rows than columns, where a system of the rows is solved instead."""
    n, n_columns = shape
    values = rng.normal(size=shape).astype(np.float32)
    labels = values[:, 0] + 0.5 * rng.normal(size=n) > 0
    labels[:2] = False, True
    parameters = {"shrinkage": 0.3}
    found = linear.score(linear.train(linear.prepare(values, parameters, "cpu"), labels, np.ones(n), {}, 0), values)
    standard = np.clip((values - values.mean(0)) / values.std(0), -4, 4)
    alpha = n * 0.3 * max(1.0, n_columns / n)
    target = (labels - labels.mean()) / labels.std()
    expected = Ridge(alpha=alpha, fit_intercept=False).fit(standard, target).predict(standard)
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_a_column_far_from_0_is_used_as_far_as_float32_tells_its_values_apart(rng):
    labels = np.arange(200) % 2 == 0
    steps = (labels + rng.normal(size=200) / 10).astype(np.float32)
    for far, n_used in ((0, 2), (1e6, 2), (3e7, 1)):
        mean, scale = moments(np.column_stack([steps + np.float32(far), rng.normal(size=200)]).astype(np.float32))
        assert np.isfinite(scale).sum() == n_used, (far, mean)


@pytest.mark.parametrize("shape", SHAPES)
def test_both_systems_have_one_solution(shape, rng):
    n, n_columns = shape
    values = rng.normal(size=shape).astype(np.float32)
    sets = rng.integers(0, 2, n_columns).astype(np.int8)
    rows = Rows(values, np.arange(n), np.arange(n_columns), sets)
    prepared = linear.prepare(rows, {"shrinkage": 0.1}, "cpu")
    right = rng.normal(size=n_columns)
    standard = prepared.standard.astype(np.float64)
    expected = np.linalg.solve(standard.T @ standard / n + np.diag(prepared.shrinkage), right)
    np.testing.assert_allclose(prepared.solve(right), expected, rtol=1e-4, atol=1e-4)
