"""fit --like-before: new fields join the folds of their groups, and the tables of the earlier fit are used again."""

import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from random_run import make_run
from suggested import parsed

import cli
import pipeline
from commands.changed_labels import warn_of_changed_labels
from commands.earlier_fit import clear_earlier_fit
from commands.job import Job
from commands.plates import new_scales
from commands.submit import read_test_fields
from engine.command_line import program
from engine.errors import InputError
from models.fit_file import fit_again
from models.saved_fit import load
from store.matrix import read_fields
from store.places import Places, read_places
from store.run_folder import read_config

N = 48
IDS = [f"train-{k:03d}" for k in range(N)]
TEST = [f"test-{k:03d}" for k in range(24)]


@pytest.fixture
def lab(tmp_path):
    """48 fields of random features, two classes; every third field of an antibody has no label yet."""
    run = make_run(tmp_path / "run", np.random.default_rng(4), {"train": N, "test": len(TEST)})
    labels = pd.DataFrame({"Id": IDS, "Target": [("x", "y")[k // 3 % 2] for k in range(N)]})
    labels[labels.index % 3 != 2].to_csv(tmp_path / "train.csv", index=False)
    (tmp_path / "corrections.csv").write_text("Time,By,Entry,Id,Action,Value\n")
    groups = pd.DataFrame({"Id": IDS, "Group": [f"antibody {k // 3}" for k in range(N)]})
    plates = pd.DataFrame({"Id": IDS + TEST, "Plate": [f"p{k % 3}" for k in range(N + len(TEST))]})
    return SimpleNamespace(folder=tmp_path, run=run, labels=labels, groups=groups, plates=plates)


def fit(lab, *options):
    shared = ("--data", str(lab.folder), "--run", str(lab.run.root), "--quiet", "--workers", "1")
    chosen = () if "--like-before" in options else ("--folds", "3", "--members", "linear")
    assert cli.main(["fit", *shared, *chosen, *options]) == 0
    return load(lab.run.root)


def test_the_suggested_fit_repeats_the_options_that_the_fit_was_given(lab):
    """Pasted without them, it trained another model."""
    groups, plates, settings = (lab.folder / name for name in ("my groups.csv", "by_plate.csv", "fit.toml"))
    lab.groups.to_csv(groups, index=False)
    lab.plates.assign(Well=[f"A{k % 2:02d}" for k in range(len(lab.plates))]).to_csv(plates, index=False)
    settings.write_text("random_folds = 0\n")
    shared = {"data": str(lab.folder), "run": str(lab.run.root)}
    usual = shared | {"folds": 3, "members": "linear"}
    fit(lab)
    assert parsed(lab.run.command("fit")) == ("fit", usual)
    given = {
        "groups": str(groups), "fields": str(plates), "normalise_by": "Plate", "controls": "A00,A01", "rounds": 7,
        "settings": str(settings), "leave_out": "well", "seed": 2, "own_classes": True, "no_covariates": True,
    }  # fmt: skip
    words = [(f"--{name.replace('_', '-')}", *(() if one is True else (str(one),))) for name, one in given.items()]
    first = fit(lab, *(word for option in words for word in option))
    assert parsed(lab.run.command("fit")) == ("fit", usual | given)
    fit(lab, "--like-before")
    assert parsed(lab.run.command("fit")) == ("fit", usual | given), "the earlier fit's settings hold on"
    name, *pasted = shlex.split(lab.run.command("fit"))[len(program()) :]
    assert cli.main([name, *pasted, "--quiet", "--workers", "1"]) == 0
    assert load(lab.run.root).stamp == first.stamp


def test_shown_settings_are_fitted_with_the_options_that_their_file_cannot_hold(lab, capsys):
    lab.labels.to_csv(lab.folder / "train.csv", index=False)
    groups = lab.folder / "by_antibody.csv"
    lab.groups.to_csv(groups, index=False)
    shared = ("--data", str(lab.folder), "--run", str(lab.run.root), "--groups", str(groups), "--own-classes")
    assert cli.main(["fit", *shared, "--folds", "3", "--seed", "4", "--no-covariates", "--show-settings"]) == 0
    suggested = capsys.readouterr().out.splitlines()[-1].removeprefix("Next: ")
    assert parsed(suggested)[1] == {
        "data": str(lab.folder), "run": str(lab.run.root), "groups": str(groups), "own_classes": True, "seed": 4,
        "no_covariates": True, "settings": "fit.toml",
    }  # fmt: skip


def test_labels_that_changed_are_learnt_with_the_options_of_the_fit(lab, caplog):
    """Without --own-classes, classes named 1 and 2 would be Kaggle's numbers."""
    lab.labels["Target"] = lab.labels["Target"].map({"x": "1", "y": "2"})
    lab.labels.to_csv(lab.folder / "train.csv", index=False)
    fitted = fit(lab, "--own-classes")
    lab.labels.assign(Target=lab.labels["Target"].iloc[::-1].to_numpy()).to_csv(lab.folder / "train.csv", index=False)
    assert warn_of_changed_labels(lab.run, fitted, lab.folder) == N
    command = caplog.messages[-1].partition(": run ")[2].removesuffix(" to learn them")
    usual = {"data": str(lab.folder), "run": str(lab.run.root), "folds": 3, "members": "linear"}
    assert parsed(command) == ("fit", usual | {"own_classes": True})
    assert fit_again(lab.run.fit) == f"Run {command} again."


def test_other_groups_and_own_classes_are_named_first_and_commands_name_the_data_given(lab, caplog):
    fit(lab)
    lab.run.report.touch()
    other = replace(load(lab.run.root).settings, seed=1, rounds=2, n_resamples=3, random_folds=0, held_out=0)
    clear_earlier_fit(lab.run, pd.DataFrame(), other, Path("new"), {"groups": "groups.csv", "own_classes": True})
    first, second = caplog.messages[-2:]
    named = "groups: ids and near-identical fields -> groups.csv; own_classes: False -> True; "
    assert first.startswith(f"settings differ from the earlier fit ({named}")
    assert "report --data new --run" in second


def test_a_fit_that_notes_no_options_is_suggested_without(lab):
    """Runs of earlier versions, and what a stranger may have written."""
    lab.run.note("fit", {"data": "d", "n_folds": 3, "seed": 0, "normalise_by": "", "controls": []})
    plain = {"data": "d", "run": str(lab.run.root)}
    assert parsed(lab.run.command("fit"))[1] == plain
    odd = {"options": ["x"], "controls": 7, "groups_table": "g", "fields_table": {"path": []}}
    lab.run.note("fit", odd | {"data": "d"})
    assert parsed(lab.run.command("fit"))[1] == plain


def test_a_new_field_is_in_the_fold_of_its_antibody(lab):
    """Else a model would be trained on fields of the antibodies that it is scored on, and a leak shown as progress."""
    lab.groups.to_csv(lab.folder / "groups.csv", index=False)
    before = fit(lab)
    lab.labels.to_csv(lab.folder / "train.csv", index=False)
    now = fit(lab, "--like-before")
    assert len(before.ids) == 32
    assert len(now.ids) == N
    folds = pd.DataFrame({"antibody": lab.groups["Group"], "fold": pd.Series(now.fold, now.ids)[IDS].to_numpy()})
    assert len(folds.drop_duplicates()) == N // 3
    kept = pd.Series(now.fold, now.ids)[list(before.ids)]
    np.testing.assert_array_equal(kept.to_numpy(), before.fold)


def test_the_tables_of_the_fit_are_used_again_and_not_those_beside_the_images(lab):
    groups, plates = lab.folder / "by_antibody.csv", lab.folder / "by_plate.csv"
    lab.groups.to_csv(groups, index=False)
    lab.plates.to_csv(plates, index=False)
    other = lab.plates.assign(Plate=np.roll(lab.plates["Plate"], 1))
    other.to_csv(lab.folder / "fields.csv", index=False)
    before = fit(lab, "--groups", str(groups), "--fields", str(plates), "--normalise-by", "plate")
    assert before.plates.names.tolist() == [f"p{IDS.index(one) % 3}" for one in before.ids]
    again = fit(lab, "--like-before")
    assert again.plates.names.tolist() == before.plates.names.tolist()
    assert lab.run.noted_table("groups") == groups, "noted by the second fit, too"

    job = Job(lab.run.root, lab.folder, quiet=True)
    ids, found = read_test_fields(job, before)
    raw = read_fields(lab.run, "test").named(before.columns)
    of_table = Places("", {"Plate": tuple(lab.plates.set_index("Id")["Plate"][list(ids)])})
    np.testing.assert_array_equal(found, new_scales(job, before, of_table, ids, raw).apply(ids, raw))
    beside = read_places(lab.folder, [], ids)
    assert (found != new_scales(job, before, beside, ids, raw).apply(ids, raw)).any()


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_text(path.read_text() + "new,p1,A00\n")])
def test_a_table_that_is_gone_or_has_changed_is_named(lab, caplog, spoil):
    plates = lab.folder / "by_plate.csv"
    lab.plates.assign(Well=[f"A{k // 3:02d}" for k in range(len(lab.plates))]).to_csv(plates, index=False)
    fitted = fit(lab, "--fields", str(plates), "--normalise-by", "plate")
    spoil(plates)
    with pytest.raises(InputError, match=rf"was fitted with --fields {plates}, which is gone or has changed since\."):
        read_test_fields(Job(lab.run.root, lab.folder, quiet=True), fitted)
    options = ("--data", str(lab.folder), "--run", str(lab.run.root), "--workers", "1")
    assert cli.main(["fit", *options, "--quiet", "--like-before"]) == 4
    assert cli.main(["report", *options]) == 0
    assert "The report has no maps of plates." in caplog.text


@pytest.mark.parametrize("path", ["/proc/self/environ", "/dev/zero", "x" * 5000, "a\0b", "secret.csv", 7])
def test_a_strangers_run_opens_no_file_of_the_users(lab, path, monkeypatch):
    monkeypatch.chdir(lab.folder)
    size = (lab.folder / "secret.csv").write_text("Id,Plate\nmine,p1\n")
    noted = {"path": path, "size": size, "content": "0" * 64}
    lab.run.note("fit", {"fields_table": noted})
    if path == 7:
        assert lab.run.noted_table("fields") is None
        return
    with pytest.raises(InputError, match="gone or has changed since") as raised:
        lab.run.noted_table("fields")
    assert len(str(raised.value)) < 800
    assert "mine" not in str(raised.value)


def test_submit_and_export_refuse_a_fit_on_values_that_were_measured_again(lab):
    """Else a submission would be of models that learnt other values, and an export would hold both side by side."""
    pytest.importorskip("anndata")
    lab.labels.assign(Target=lab.labels["Target"].map({"x": "0", "y": "25"})).to_csv(
        lab.folder / "train.csv", index=False
    )
    fit(lab)
    job, fields = Job(lab.run.root, lab.folder, quiet=True), {"level": "fields", "split": "both"}
    pipeline.submit(job)
    pipeline.export(job, lab.folder / "before.h5ad", **fields)
    shutil.rmtree(lab.run.features)
    make_run(lab.run.root, np.random.default_rng(5), {"train": N, "test": len(TEST)})
    for command in (lambda: pipeline.submit(job), lambda: pipeline.export(job, lab.folder / "after.h5ad", **fields)):
        with pytest.raises(InputError, match=r"fitted on other values of these 48 fields.* --folds 3 .* again\."):
            command()
    assert not (lab.folder / "after.h5ad").exists()
    pipeline.export(job, lab.folder / "after.csv", **fields)


def test_submit_refuses_a_data_folder_that_is_not_there_and_needs_no_sample(lab):
    lab.labels.assign(Target=["0", "25"] * (N // 2)).to_csv(lab.folder / "train.csv", index=False)
    fit(lab)
    for data, found in ((lab.folder / "nowhere", "missing"), (lab.folder / "train.csv", "no folder")):
        with pytest.raises(InputError, match=rf"{data.name} is {found} \(expected the data folder"):
            pipeline.submit(Job(lab.run.root, data, quiet=True))
    assert "submit" not in read_config(lab.run.config)
    assert "sample_submission.csv is missing" in "".join(pipeline.submit(Job(lab.run.root, lab.folder)).lines)
