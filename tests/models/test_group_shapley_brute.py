"""Shapley values of groups: the definition over all coalitions, and planted cases where sums of columns mislead."""

import numpy as np
import pytest
from shapley import by_definition

from models.explanation.group_shapley import group_shapley


def test_values_tend_to_those_of_the_definition(rng):
    members = np.eye(4, dtype=bool)[[0, 0, 1, 2, 3, 3]]
    members[3, 1] = True  # a column of two groups

    def score(rows):
        return rows[:, 0] * rows[:, 2] + np.maximum(rows[:, 3], rows[:, 4]) + rows[:, 1] * rows[:, 5] * rows[:, 3]

    background, field = rng.normal(size=(3, 6)), rng.normal(size=(1, 6))
    found = group_shapley(score, field, background, members, 20_000, rng)[0]
    np.testing.assert_allclose(found, by_definition(score, field, background, members), atol=0.05)


def test_two_groups_are_exact_from_one_pair_of_orders(rng):
    members = np.eye(2, dtype=bool)[[0, 1, 1]]
    fields, background = rng.normal(size=(5, 3)), rng.normal(size=(1, 3))
    found = group_shapley(lambda rows: rows.prod(1), fields, background, members, 1, rng)
    for field, values in zip(fields, found, strict=True):
        np.testing.assert_allclose(values, by_definition(lambda rows: rows.prod(1), field, background, members))


def test_a_row_sums_to_the_difference_from_its_background(rng):
    members = np.eye(3, dtype=bool)[[0, 1, 2, 2]]
    fields, background = rng.normal(size=(6, 4)), np.zeros((1, 4))
    found = group_shapley(lambda rows: np.exp(rows).prod(1), fields, background, members, 3, rng)
    np.testing.assert_allclose(found.sum(1), np.exp(fields).prod(1) - 1)


def test_many_columns_that_act_together_count_as_one_group_where_their_sums_mislead():
    """A bright nucleus (one column) AND a smooth texture (three near-copies, all needed): each group is half of it."""
    columns = np.eye(4, dtype=bool)
    groups = np.array([[True, False], [False, True], [False, True], [False, True]])
    field, background = np.ones((1, 4)), np.zeros((1, 4))
    rng = np.random.default_rng(0)
    single = group_shapley(lambda rows: rows.min(1), field, background, columns, 2000, rng)[0]
    assert single @ groups == pytest.approx([0.25, 0.75], abs=0.03)
    assert group_shapley(lambda rows: rows.min(1), field, background, groups, 1, rng)[0] == pytest.approx([0.5, 0.5])
