"""The estimator against scikit-learn's own checks, the command line's fit, and the ways people use an estimator."""

import copy
import doctest
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from field_ids import field_ids
from scipy import sparse
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.metrics import f1_score
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import models.estimator
from engine.errors import InputError
from models.estimator import OrganelleClassifier
from models.fit import fit
from models.fitted import PlatesOfFit
from models.settings import FitSettings
from store.classes import ORGANELLES

TINY = {"n_folds": 3, "rounds": 2, "members": ("linear",)}
BEST_F1 = "predict calls at the threshold of the best F1, not where the probability passes one half"
MISFITS = {"check_classifiers_train": BEST_F1, "check_classifier_multioutput": BEST_F1}


@parametrize_with_checks([OrganelleClassifier(**TINY)], legacy=True, expected_failed_checks=lambda estimator: MISFITS)
@pytest.mark.filterwarnings("ignore:.*too few rows:UserWarning", "ignore:::sklearn", "ignore:A column-vector y")
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


def table(rng, n=240):
    """Three labels that three of five columns tell, in groups of two rows; some values are missing."""
    X = pd.DataFrame(rng.normal(size=(n, 5)), columns=[f"Cells_Texture_F{j}" for j in range(5)])
    Y = pd.DataFrame({"a": X.iloc[:, 0] > 0.3, "Rods & rings": X.iloc[:, 1] > 0.5, "x/y z": X.iloc[:, 2] > 0})
    X.iloc[::7, 3] = np.nan
    return X, Y.astype(int), np.repeat(np.arange(n // 2), 2)


@pytest.fixture(scope="module")
def fitted():
    X, Y, groups = table(np.random.default_rng(5))
    return OrganelleClassifier(**TINY).fit(X, Y, groups), X, Y


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_docstring_examples():
    tried = doctest.testmod(models.estimator)
    assert tried.attempted > 8
    assert tried.failed == 0


def test_it_gives_the_bytes_of_the_plain_fit(tmp_path):
    """28 organelles under their names, groups, all members: as pipeline.fit does it."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(210, 6)).astype(np.float32)
    Y = np.zeros((210, 28), bool)
    Y[:, 7], Y[:, 27] = X[:, 0] > 0.5, X[:, 1] > 0.7
    Y[~Y.any(1), 25] = True
    groups = rng.permutation(np.repeat(np.arange(105), 2))
    names = pd.DataFrame({"name": [f"c{j}" for j in range(6)]})
    groups = pd.factorize(groups)[0]
    fit(field_ids(X), X, names, Y, groups, FitSettings(n_folds=3, rounds=3, seed=4), tmp_path / "fit", quiet=True)
    model = OrganelleClassifier(n_folds=3, rounds=3, random_state=4, folder=tmp_path / "estimator")
    with pytest.warns(UserWarning, match="25 of 28 labels have too few rows"):
        model.fit(
            pd.DataFrame(X, columns=names["name"]), pd.DataFrame(Y, columns=ORGANELLES), [f"g{g}" for g in groups]
        )
    made = files(tmp_path / "estimator")
    assert made.pop("estimator.json")
    assert made == files(tmp_path / "fit")
    again = OrganelleClassifier.load(tmp_path / "fit")
    np.testing.assert_array_equal(
        again.predict_proba(pd.DataFrame(X, columns=names["name"])),
        model.predict_proba(pd.DataFrame(X, columns=names["name"])),
    )
    assert again.predict(pd.DataFrame(X, columns=names["name"])).any(1).all()


def test_labels_have_their_own_names_and_fields_may_carry_none(fitted):
    model, X, Y = fitted
    assert model.classes_.tolist() == list(Y.columns)
    assert model.feature_names_in_.tolist() == list(X.columns)
    board = model.leaderboard_.set_index("name")
    assert (board.loc[list(Y.columns), "ap"] > 0.9).all()
    calls = model.predict(X)
    assert (calls == (model.predict_proba(X) >= model.thresholds_)).all()
    assert 0 < calls.any(1).mean() < 1
    assert (calls == Y).to_numpy().mean() > 0.9
    # The leaderboard judges what predict does: F1 of thresholds alone, not of a call forced on every row.
    step = board[board.index.str.startswith("own thresholds")]["f1"].item()
    assert step == pytest.approx(board.loc[list(Y.columns), "f1"].mean(), abs=1e-6)
    assert step > 0.9
    at_half = f1_score(Y, model.oof_probabilities_ >= 0.5, average="macro")
    assert board.loc["threshold 0.5", "f1"] == pytest.approx(at_half, abs=1e-6)


@pytest.mark.parametrize("kind", ["several", "one"])
def test_saved_loaded_and_copied_it_says_the_same(kind, fitted, tmp_path):
    model, X, Y = fitted
    if kind == "one":
        model = OrganelleClassifier(**TINY).fit(X.to_numpy(), np.where(Y["a"], "yes", "no"))
        X = X.to_numpy()
    model.save(tmp_path)
    assert {Path(name).suffix for name in files(tmp_path)} <= {".json", ".npy", ".csv", ".parquet"}
    for other in (OrganelleClassifier.load(tmp_path), copy.deepcopy(model)):
        np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))
        np.testing.assert_array_equal(other.predict(X), model.predict(X))
        assert other.classes_.tolist() == model.classes_.tolist()
    assert OrganelleClassifier.load(tmp_path).get_params()["rounds"] == 2


@pytest.mark.parametrize(("name", "value", "expected"), [
    ("n_folds", "3", "n_folds is '3'; expected a whole number, 3 or more"),
    ("n_folds", 2, "n_folds is 2; expected a whole number, 3 or more"),
    ("rounds", 0, "rounds is 0; expected a whole number, 1 or more"),
    ("rounds", 2.5, r"rounds is 2\.5; expected a whole number"),
    ("held_out", 1, "held_out is 1; expected a share of the rows"),
    ("held_out", "some", "held_out is 'some'; expected a share of the rows"),
    ("random_state", -1, "random_state is -1; expected a whole number, 0 or more"),
    ("members", "linear", r"members is 'linear'; expected a sequence of names, such as \(\"linear\",\)"),
])  # fmt: skip
def test_a_parameter_that_cannot_be_is_said_in_a_sentence(name, value, expected):
    X, Y, groups = table(np.random.default_rng(0), 60)
    with pytest.raises(ValueError, match=expected):
        OrganelleClassifier(**TINY | {name: value}).fit(X, Y, groups)


def test_a_run_is_opened_by_its_folder_and_not_by_its_models(fitted, tmp_path):
    """Opened runs bring only the files of the fit along: the features of a run are gigabytes."""
    model, X, _ = fitted
    model.save(tmp_path)
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "train.parquet").write_text("large")
    opened = OrganelleClassifier.load(tmp_path)
    opened.save(tmp_path / "copy")
    assert {"fit.json", "folds.parquet"} <= {path.name for path in (tmp_path / "copy").rglob("*")}
    assert not (tmp_path / "copy" / "features").exists()
    np.testing.assert_array_equal(OrganelleClassifier.load(tmp_path / "copy").predict(X), model.predict(X))
    with pytest.raises(InputError, match=r"models holds only the models of a fit\. Name the folder that it lies in\."):
        OrganelleClassifier.load(tmp_path / "models")


def test_a_run_on_features_normalised_by_plate_predicts_no_rows_but_shows_its_leaderboard(tmp_path):
    """Rows have no plate, so their probabilities would silently be wrong."""
    X, Y, groups = table(np.random.default_rng(5))
    values, names = X.to_numpy(np.float32), pd.DataFrame({"name": X.columns})
    plates = PlatesOfFit(np.repeat(["P1", "P2"], 120), np.ones(240, bool))
    settings = FitSettings(
        n_folds=3, members=("linear",), normalise_by="Plate", organelles=("a", "b", "c"), per_field="any"
    )
    matrix, labels = plates.normalise(values), Y.to_numpy(bool)
    fit(field_ids(X), matrix, names, labels, groups, settings, tmp_path, quiet=True, plates=plates)
    opened = OrganelleClassifier.load(tmp_path)
    assert set(opened.leaderboard_["name"]) >= {"a", "b", "c"}
    for ask in (opened.predict, opened.predict_proba):
        with pytest.raises(InputError, match=f"the fit in {tmp_path} is on features normalised by Plate, and rows"):
            ask(X)


def test_saving_into_its_own_folder_keeps_the_model(fitted, tmp_path):
    model, X, _ = fitted
    model.save(tmp_path)
    opened = OrganelleClassifier.load(tmp_path)
    before = files(tmp_path)
    opened.save(tmp_path)
    assert files(tmp_path) == before
    np.testing.assert_array_equal(opened.predict(X), model.predict(X))


def test_a_clone_of_a_loaded_model_leaves_what_was_saved(fitted, tmp_path):
    model, X, Y = fitted
    model.save(tmp_path)
    opened = OrganelleClassifier.load(tmp_path)
    clone(opened).set_params(members=("linear",)).fit(X, Y[::-1].to_numpy())
    np.testing.assert_array_equal(opened.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(OrganelleClassifier.load(tmp_path).predict_proba(X), model.predict_proba(X))


def test_a_model_whose_folder_holds_another_fit_is_refused(fitted, tmp_path):
    """As of clones in a cross-validation with `folder`: they would all predict with the last fit."""
    _, X, Y = fitted
    first = OrganelleClassifier(**TINY, folder=tmp_path).fit(X, Y)
    clone(first).fit(X, Y[::-1].to_numpy())
    for ask in (lambda: first.predict(X), lambda: first.save(tmp_path / "copy")):
        with pytest.raises(ValueError, match=f"the models in {tmp_path} are of another fit by now"):
            ask()


def test_names_of_another_fit_in_its_folder_are_not_taken(fitted, tmp_path):
    _, X, Y = fitted
    OrganelleClassifier(**TINY, folder=tmp_path).fit(X, np.where(Y["a"], "yes", "no"))
    note = (tmp_path / "estimator.json").read_bytes()
    settings = FitSettings(n_folds=3, members=("linear",), organelles=("a", "b", "c"), per_field="any")
    names = pd.DataFrame({"name": X.columns})
    fit(field_ids(X), X.to_numpy(np.float32), names, Y.to_numpy(bool), None, settings, tmp_path, quiet=True)
    assert OrganelleClassifier.load(tmp_path).classes_.tolist() == ["a", "b", "c"]
    (tmp_path / "estimator.json").write_bytes(note)
    with pytest.raises(InputError, match=r"estimator\.json is of another fit than the models beside it"):
        OrganelleClassifier.load(tmp_path)


def test_classes_that_json_cannot_hold_are_refused_before_the_fit(tmp_path):
    X, Y, _ = table(np.random.default_rng(0), 60)
    days = np.where(Y["a"], np.datetime64("2020-01-01"), np.datetime64("2021-01-01"))
    with pytest.raises(ValueError, match=r"class datetime\.date\(2020, 1, 1\) is neither text nor a number"):
        OrganelleClassifier(**TINY, folder=tmp_path / "fit").fit(X, days)
    assert not (tmp_path / "fit").exists()


def test_a_label_on_every_row_is_never_called_and_makes_nothing_else_called(fitted):
    """Every row has a label, but many only the one that every row has."""
    _, X, Y = fitted
    with pytest.warns(UserWarning, match=r"probability: every\."):
        model = OrganelleClassifier(**TINY).fit(X, Y.assign(every=1)[["every", "a"]])
    calls, passed = model.predict(X), model.predict_proba(X) >= np.nan_to_num(model.thresholds_, nan=2)
    np.testing.assert_array_equal(calls, passed)
    assert not calls[:, 0].any() and 0.1 < calls[:, 1].mean() < 0.9


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\u200bb", "Metadata_Id"])
def test_a_label_that_no_table_can_hold_is_refused_before_the_fit(name):
    X, Y, _ = table(np.random.default_rng(0), 60)
    with pytest.raises(ValueError, match="cannot be used in the tables of a fit"):
        OrganelleClassifier(**TINY).fit(X, Y.rename(columns={"a": name}))


def test_models_are_not_saved_over_a_file(fitted, tmp_path):
    file = tmp_path / "model"
    file.write_text("mine")
    with pytest.raises(ValueError, match=r"model is a file; the models go into a folder"):
        fitted[0].save(file)
    assert file.read_text() == "mine"


def test_its_temporary_folder_goes_with_it(fitted):
    X, Y, _ = table(np.random.default_rng(0), 60)
    model = OrganelleClassifier(**TINY).fit(X, Y)
    first = model._fitted.folder.root
    model.fit(X, Y)
    second = model._fitted.folder.root
    assert second.is_dir()
    assert not first.exists()
    del model
    assert not second.exists()


def test_in_a_pipeline_and_cross_validated(fitted):
    X, Y, groups = table(np.random.default_rng(1), 90)
    pipeline = make_pipeline(SimpleImputer(), OrganelleClassifier(**TINY))
    p = cross_val_predict(clone(pipeline), X, Y, cv=2, method="predict_proba")
    assert p.shape == Y.shape
    assert (np.where(Y["a"], p[:, 0], np.nan)[Y["a"] == 1] > p[Y["a"] == 0, 0].mean()).mean() > 0.9
    one = cross_val_predict(pipeline, X, Y["a"], cv=2, method="predict_proba")
    np.testing.assert_allclose(one.sum(1), 1, rtol=1e-6)
    assert one[Y["a"] == 1, 1].mean() > 0.6 > 0.4 > one[Y["a"] == 0, 1].mean()
    pipeline.fit(X, Y, organelleclassifier__groups=groups)
    assert set(pipeline[-1].leaderboard_["name"]) >= {"grouped folds"}


def test_misfits_are_said():
    X, Y, groups = table(np.random.default_rng(2), 60)
    model = OrganelleClassifier(**TINY)
    for y, words in (
        (np.arange(60) % 3, "Only binary classification"),
        (sparse.csr_matrix(Y.to_numpy()), "sparse matrix"),
        (2 * Y, "expected a matrix of 0 and 1"),
        (Y.set_axis([1, "1", "b"], axis=1), "not unique"),
        (np.ones(60), "one class only"),
    ):
        with pytest.raises(ValueError, match=words):
            model.fit(X, y)
    with pytest.raises(TypeError, match="dense data is required"):
        model.fit(sparse.csr_matrix(X.fillna(0).to_numpy()), Y)
    with pytest.raises(ValueError, match="2 groups of fields cannot fill 3 folds"):
        model.fit(X, Y, groups % 2)
    with pytest.raises(ValueError, match="groups name 59 of 60 rows"):
        model.fit(X, Y, [None, *groups[1:].astype(str)])
