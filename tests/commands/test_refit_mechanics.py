"""fit --like-before: new fields join the folds of their groups, and the tables of the earlier fit are used again."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from random_run import make_run

import cli
from commands.job import Job
from commands.plates import new_scales
from commands.submit import read_test_fields
from engine.errors import InputError
from models.saved_fit import load
from store.matrix import read_fields
from store.places import Places, read_places

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
