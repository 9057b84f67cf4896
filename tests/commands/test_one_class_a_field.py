"""Classes of which each field has exactly one, e.g. phenotypes: calls keep to that, and say so."""

import numpy as np
import pandas as pd
import pytest
from random_run import make_run

import cli
from models.saved_fit import load
from review.answers import run_facts
from review.state import Review
from store.run_folder import RunFolder

CLASSES = ("fibre", "smooth", "spotted")
SAID = "each field is called for one class: no label names two"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lab")
    make_run(folder / "run", np.random.default_rng(5), {"train": 48, "test": 4})
    return folder


def fit(lab, *options, second=()):
    """Fit with one class a field, and a second one for some."""
    rows = ["|".join([CLASSES[k % 3], *(CLASSES[2:] if k in second else ())]) for k in range(48)]
    table = pd.DataFrame({"Id": [f"train-{k:03d}" for k in range(48)], "Target": rows})
    table.to_csv(lab / "train.csv", index=False)
    given = ("--data", str(lab), "--run", str(lab / "run"), "--quiet", "--workers", "1", *options)
    assert (
        cli.main(["fit", *given, *(() if "--like-before" in options else ("--folds", "3", "--members", "linear"))]) == 0
    )
    return load(lab / "run")


def test_each_field_is_called_for_one_class_until_a_label_names_two(lab, capsys):
    fitted = fit(lab)
    assert SAID in capsys.readouterr().out
    assert (fitted.calls.sum(1) == 1).all()
    new = np.random.default_rng(6).normal(size=(200, len(fitted.columns))).astype(np.float32)
    assert (fitted.predict(new)[1].sum(1) == 1).all()

    assert run_facts(Review(RunFolder(lab / "run"), lab, None, lambda: None))["one_call"]

    (lab / "fit.toml").write_text('calls_per_field = "any"\n')
    several = fit(lab, "--settings", str(lab / "fit.toml"))
    assert SAID not in capsys.readouterr().out
    np.testing.assert_array_equal(several.probabilities, fitted.probabilities)
    assert set(several.calls.sum(1)) > {1}

    assert fit(lab).settings.per_field == "one"
    assert fit(lab, "--like-before").settings.per_field == "one"
    assert SAID in capsys.readouterr().out
    assert fit(lab, "--like-before", second=(0, 9)).settings.per_field == "at least one"
    assert SAID not in capsys.readouterr().out
