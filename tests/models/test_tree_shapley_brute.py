"""Exact Shapley values of groups in trees: the libraries' own scores, and the definition over all coalitions."""

import lightgbm
import numpy as np
import pytest
import xgboost
from shapley import by_definition

from models.explanation.group_shapley import group_shapley
from models.explanation.shap_values import group_contributions
from models.explanation.tree_paths import TreePaths, tree_group_shapley
from models.first_level.fold_model import TrainedModel


@pytest.fixture(params=["lightgbm", "lightgbm without NaN", "xgboost"])
def booster(request, rng):
    """Trees of six columns, with missing values in training or without, and rows with missing values."""
    values = rng.normal(size=(300, 6)).astype(np.float32)
    labels = (values[:, 0] * values[:, 1] + values[:, 2] > 0) | (values[:, 3] * values[:, 4] > 1)
    rows = values.copy()
    rows[rng.random(rows.shape) < 0.1] = np.nan
    trained = values if request.param == "lightgbm without NaN" else rows
    if request.param == "xgboost":
        model = xgboost.train({"max_depth": 4, "objective": "binary:logistic"}, xgboost.DMatrix(trained, labels), 12)
    else:
        settings = {"objective": "binary", "num_leaves": 12, "min_data_in_leaf": 3, "verbosity": -1}
        model = lightgbm.train(settings, lightgbm.Dataset(trained, labels.astype(float)), 12)
    return TrainedModel(request.param.split()[0], model, None, 6), rows


def test_the_leaves_that_are_reached_add_up_to_the_librarys_score(booster):
    model, rows = booster
    paths = TreePaths.of(model)
    reached = np.ones((len(rows), len(paths.value)), bool)
    np.logical_and.at(reached, (slice(None), paths.leaf), paths.passes(rows))
    assert (reached.sum(1) == 12).all(), "one leaf of each tree"
    constant = model.score(rows) - reached @ paths.value
    np.testing.assert_allclose(constant, constant[0], atol=1e-5)


@pytest.mark.parametrize("group", [[0, 0, 1, 2, 3, 3], [0, 1, 2, 3, 4, 5], [0, 0, -1, 1, 1, -1]])
def test_values_are_those_of_the_definition(booster, group):
    model, rows = booster
    group = np.array(group)
    fields, background = rows[:4], rows[10:15]
    members = group[:, None] == np.arange(group.max() + 1)
    found = tree_group_shapley(TreePaths.of(model), fields, background[None], group, members.shape[1])
    for field, values in zip(fields, found, strict=True):

        def score(some, field=field):
            return model.score(np.where(group < 0, field, some).astype(np.float32)).astype(np.float64)

        np.testing.assert_allclose(values, by_definition(score, field, background, members), atol=1e-5)


def test_each_field_against_background_fields_of_its_own(booster):
    model, rows = booster
    paths, group = TreePaths.of(model), np.array([0, 0, 1, 2, 3, 3])
    together = tree_group_shapley(paths, rows[:3], rows[3:12].reshape(3, 3, 6), group, 4)
    alone = [tree_group_shapley(paths, rows[[i]], rows[None, 3 + 3 * i : 6 + 3 * i], group, 4)[0] for i in range(3)]
    np.testing.assert_array_equal(together, alone)


def test_drawn_orders_of_two_groups_give_the_same(booster, rng):
    model, rows = booster
    groups = np.eye(2, dtype=bool)[[0, 0, 1, 1, 1, 0]]
    exact = group_contributions(model, rows[:5], rows[[20]], groups, rng, 1)
    np.testing.assert_allclose(exact, group_shapley(model.score, rows[:5], rows[[20]], groups, 1, rng), atol=1e-5)


def test_trees_without_a_split_add_nothing():
    labels = np.array([0.0, 1.0] * 10)
    model = lightgbm.train({"objective": "binary", "verbosity": -1}, lightgbm.Dataset(np.zeros((20, 2)), labels), 2)
    paths = TreePaths.of(TrainedModel("lightgbm", model, None, 2))
    assert not tree_group_shapley(paths, np.zeros((3, 2)), np.zeros((1, 4, 2)), np.array([0, 1]), 2).any()
