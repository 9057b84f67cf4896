"""Corrections reach the training set: other labels, fields left out, and labels where there was no train.csv."""

from dataclasses import replace

import pytest
from random_run import make_run

from commands.fit_outcome import corrections_lines
from engine.errors import InputError
from models.data.corrected_labels import read_corrected_labels
from models.data.training_set import read_training_set
from store.classes import ORGANELLES
from store.corrections import Correction, Journal

ROW = Correction("2026-11-29T08:00:00Z", "a", "e", "train-000", "add", "")


@pytest.fixture
def run(tmp_path, rng):
    (tmp_path / "train.csv").write_text("Id,Target\n" + "".join(f"train-{k:03d},0 25\n" for k in range(6)))
    return make_run(tmp_path / "run", rng, {"train": 6})


def correct(data, *steps: tuple[str, str, str]) -> None:
    rows = [
        replace(ROW, entry=f"e{k}", field=f"train-{i}", action=what, value=value)
        for k, (i, what, value) in enumerate(steps)
    ]
    Journal(data / "corrections.csv").append(rows)


def test_a_fit_learns_the_labels_as_they_stand_and_says_how_many_changed(run, tmp_path):
    plain = read_training_set(tmp_path, run, None, covariates=True)
    assert (plain.n_corrected, plain.n_unusable, plain.n_unlabelled) == (0, 0, 0)
    correct(tmp_path, ("000", "add", "Centrosome"), ("001", "unusable", ""), ("002", "remove", "Cytosol"))
    training = read_training_set(tmp_path, run, None, covariates=True)
    assert training.matrix.ids == tuple(f"train-{k:03d}" for k in (0, 2, 3, 4, 5))
    named = [{ORGANELLES[j] for j in row.nonzero()[0]} for row in training.labels]
    assert named[:2] == [{"Nucleoplasm", "Cytosol", "Centrosome"}, {"Nucleoplasm"}]
    assert (training.n_corrected, training.n_unusable, training.n_unlabelled) == (2, 1, 0)
    assert len(training.groups) == len(training.matrix.metadata) == 5


def test_an_undone_correction_changes_nothing(run, tmp_path):
    correct(tmp_path, ("000", "add", "Centrosome"), ("000", "undo", "e0"))
    training = read_training_set(tmp_path, run, None, covariates=True)
    assert training.n_corrected == 0
    assert training.labels.sum() == 12


def test_first_labels_need_no_train_csv_and_the_rest_is_left_out(run, tmp_path):
    (tmp_path / "train.csv").unlink()
    with pytest.raises(InputError, match=r"train\.csv does not exist"):
        read_training_set(tmp_path, run, None, covariates=True)
    correct(tmp_path, ("000", "set", "Nucleoli|Cytosol"), ("003", "set", ""))
    training = read_training_set(tmp_path, run, None, covariates=True)
    assert training.matrix.ids == ("train-000", "train-003")
    assert training.labels.sum(1).tolist() == [2, 0]
    assert training.n_unlabelled == 4


def test_nothing_labelled_at_all_is_said(run, tmp_path):
    (tmp_path / "train.csv").unlink()
    correct(tmp_path, ("000", "note", "dim"))
    with pytest.raises(InputError, match="none of the 6 measured fields has a label"):
        read_training_set(tmp_path, run, None, covariates=True)


def test_an_unknown_class_is_named(run, tmp_path):
    correct(tmp_path, ("000", "add", "Flagellum"))
    with pytest.raises(InputError, match="train-000 as 'Flagellum'"):
        read_corrected_labels(tmp_path)


def test_corrections_of_test_fields_and_of_unknown_ids_are_counted_apart(tmp_path, rng):
    (tmp_path / "train.csv").write_text("Id,Target\n" + "".join(f"train-{k:03d},0 25\n" for k in range(7)))
    run = make_run(tmp_path / "run", rng, {"train": 6, "test": 3})
    steps = [("test-000", "set", "Cytosol"), ("test-001", "unusable", ""), ("test-002", "note", "dim")]
    steps += [("typo", "add", "Cytosol"), ("undone", "add", "Cytosol"), ("undone", "undo", "e4")]
    Journal(tmp_path / "corrections.csv").append(
        replace(ROW, entry=f"e{k}", field=field, action=what, value=value)
        for k, (field, what, value) in enumerate(steps)
    )
    training = read_training_set(tmp_path, run, None, covariates=True)
    assert (training.n_unmeasured, training.n_of_test, training.n_unknown) == (1, 2, 1)
    assert corrections_lines(training) == [
        "corrections.csv names 2 test fields: test fields are not learnt from",
        "corrections.csv names 1 id that no measured field has: mistyped, or the images failed",
    ]


def test_the_counts_of_own_classes_are_those_that_are_learnt(tmp_path, rng):
    rows = "".join(f"train-{k:03d},{'spots' if k < 2 else 'nuc'}\n" for k in range(7))
    (tmp_path / "train.csv").write_text(f"Id,Target\n{rows}")
    run = make_run(tmp_path / "run", rng, {"train": 6})
    correct(tmp_path, ("000", "set", "nuc"), ("005", "unusable", ""), ("004", "set", ""))
    assert read_training_set(tmp_path, run, None, covariates=True).remarks == (
        "2 classes of your own: nuc (3 fields), spots (1 field)",
        "without a class: 1 field of 5",
    )


def test_a_last_line_without_its_line_break_is_ignored_with_a_warning(run, tmp_path, caplog):
    correct(tmp_path, ("000", "add", "Centrosome"))
    read_training_set(tmp_path, run, None, covariates=True)
    assert not caplog.messages
    with (tmp_path / "corrections.csv").open("a") as file:
        file.write("2026-11-29T08:00:00Z,me,mine,train-001,unusable,")
    training = read_training_set(tmp_path, run, None, covariates=True)
    assert (training.n_corrected, training.n_unusable) == (1, 0)
    assert len(caplog.messages) == 1
    assert "the last line (2026-11-29T08:00:00Z,me,mine,train-001" in caplog.messages[0]
    assert "has no line break at its end and is ignored" in caplog.messages[0]
