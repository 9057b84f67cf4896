"""What is said of a field does not depend, to the last bit, on the fields beside it."""

import numpy as np
import pandas as pd
import pytest

from models.estimator import OrganelleClassifier
from models.explanation.local_explanations import Background, explain
from models.first_level import kernel, linear
from models.first_level.members import KINDS
from models.second_level.calibration import PIECES, Calibration
from models.second_level.stacking import Stack
from models.trust.neighbours import fit_space
from store.classes import ORGANELLES

ROWS = 41


def assert_rows_are_told_alone(tell, values):
    """`tell` gives a row of numbers for each row of `values`: the same bits alone, reordered, in part, in any order."""
    whole = tell(values)
    order = np.random.default_rng(0).permutation(len(values))
    half = len(values) // 2
    np.testing.assert_array_equal(np.concatenate([tell(values[i : i + 1]) for i in range(len(values))]), whole)
    np.testing.assert_array_equal(tell(values[order]), whole[order])
    np.testing.assert_array_equal(tell(values[::-1])[::-1], whole)
    np.testing.assert_array_equal(tell(values[half:]), whole[half:])
    np.testing.assert_array_equal(tell(np.asfortranarray(values)), whole)


@pytest.mark.parametrize("columns", [2, 37, 9001])
def test_a_linear_score(columns, rng):
    weight, ones = rng.normal(size=columns).astype(np.float32), np.ones(columns, np.float32)
    line = linear.Line(ones, ones, weight)
    values = rng.normal(size=(ROWS, columns)).astype(np.float32)
    assert_rows_are_told_alone(lambda rows: linear.score(line, rows), values)


@pytest.mark.parametrize(("landmarks", "columns"), [(3, 2), (301, 37), (60, 3613)])
def test_a_kernel_score(landmarks, columns, rng):
    ones = np.ones(columns, np.float32)
    points = kernel.Landmarks(ones, ones, rng.normal(size=(landmarks, columns)).astype(np.float32), 0.5 / columns)
    model = kernel.Similarities(points, rng.normal(size=landmarks))
    values = rng.normal(size=(3 * ROWS, columns)).astype(np.float32)
    assert_rows_are_told_alone(lambda rows: kernel.score(model, rows), values)


@pytest.mark.parametrize("organelles", [1, 28])
def test_a_stacked_and_calibrated_probability(organelles, rng):
    size = (organelles, 3)
    stack = Stack("shared", rng.normal(size=size), rng.uniform(0.5, 2, size), rng.normal(size=size))
    knots = np.sort(rng.normal(size=(organelles, PIECES - 1)))
    slope, rise = rng.uniform(0.5, 2, organelles), rng.uniform(0.1, 2, (organelles, PIECES))
    curves = Calibration("bent", slope, rng.normal(size=organelles), knots, rise, rng.normal(size=organelles))
    members = rng.normal(size=(ROWS, *size)).astype(np.float32)
    assert_rows_are_told_alone(lambda rows: curves.apply(stack.score(rows)), members)


@pytest.mark.parametrize("columns", [12, 300])
def test_distances_to_training_fields(columns, rng):
    rows = [("Cells", "Texture", ("Protein",), False)] * columns
    described = pd.DataFrame(rows, columns=["compartment", "family", "channels", "covariate"])
    space = fit_space(rng.normal(size=(60, columns)).astype(np.float32), described)
    assert_rows_are_told_alone(space.distances, rng.normal(size=(ROWS, columns)).astype(np.float32))


def test_probabilities_and_reasons_of_a_whole_fit(rng, tmp_path):
    X = rng.normal(size=(90, 7)).astype(np.float32)
    X[::9, 4] = np.nan
    Y = np.zeros((90, len(ORGANELLES)), int)
    Y[:, 7], Y[:, 25] = X[:, 0] + rng.normal(0, 0.5, 90) > 0.3, X[:, 1] > 0.2
    names = [f"c{j}" for j in range(7)]
    model = OrganelleClassifier(n_folds=3, rounds=4, members=KINDS, folder=tmp_path)
    with pytest.warns(UserWarning, match="26 of 28 labels have too few rows"):
        model.fit(pd.DataFrame(X, columns=names), pd.DataFrame(Y, columns=ORGANELLES))
    rows = np.vstack([X[:9], rng.normal(size=(ROWS - 9, 7)).astype(np.float32)])
    assert_rows_are_told_alone(lambda rows: model.predict_proba(pd.DataFrame(rows, columns=names)), rows)
    assert len(np.unique(model.predict_proba(pd.DataFrame(rows, columns=names))[:, 7])) > ROWS // 2
    blocks, background = list("aabbccc"), Background.of(model._fitted, X)
    assert_rows_are_told_alone(lambda rows: explain(model._fitted, 7, rows, blocks, background).added, rows)
    assert_rows_are_told_alone(lambda rows: explain(model._fitted, 7, rows, blocks, background).leading, rows)
