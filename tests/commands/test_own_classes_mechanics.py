"""Own classes with names that are hostile to files, csv and html, through all commands that need no image."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from random_run import make_run

import cli
from models.estimator import OrganelleClassifier
from models.saved_fit import load
from store.corrections import Correction, Journal
from store.run_folder import RunFolder

NAMES = ('<script>alert("x")</script>', "[red]a/b, $c$", "plain", "漢字 é")


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """Random features of 48 fields, the last class on every third, some with none; fitted by the command."""
    folder = tmp_path_factory.mktemp("own")
    rng = np.random.default_rng(3)
    make_run(folder / "run", rng, {"train": 48, "test": 4})
    rows = ["|".join({NAMES[k % 4], *(NAMES[3:] if k % 3 == 0 else ())}) if k % 11 else "" for k in range(48)]
    table = pd.DataFrame({"Id": [f"train-{k:03d}" for k in range(48)], "Target": rows})
    table.to_csv(folder / "train.csv", index=False, encoding="utf-8")
    options = ("--data", str(folder), "--run", str(folder / "run"), "--quiet", "--workers", "1")
    code = cli.main(["fit", *options, "--folds", "3", "--rounds", "5", "--members", "lightgbm,linear"])
    return SimpleNamespace(folder=folder, run=folder / "run", options=options, code=code)


def run(own, *arguments, capsys):
    code = cli.main(list(arguments))
    return code, capsys.readouterr()


def test_the_fit_carries_its_classes_wherever_it_is_read(own):
    assert own.code == 0
    fitted = load(own.run)
    assert fitted.classes.names == tuple(sorted(NAMES))
    assert fitted.settings.per_field == "any"
    assert OrganelleClassifier.load(own.run).classes_.tolist() == sorted(NAMES)
    assert json.loads((own.run / "config.json").read_text(encoding="utf-8"))["fit"]["organelles"] == sorted(NAMES)
    board = pd.read_csv(own.run / "leaderboard.csv", encoding="utf-8")
    assert board.loc[board["kind"] == "organelle", "name"].tolist() == sorted(NAMES)
    assert pq.read_schema(own.run / "oof" / "labels.parquet").names[1:] == sorted(NAMES)
    assert all(path.name.isascii() for path in (own.run / "models").iterdir())


def test_importances_of_one_class_and_of_all(own, capsys):
    code, said = run(own, "importances", *own.options[2:], capsys=capsys)
    assert code == 0
    assert all(any(line.startswith(name) for line in said.out.splitlines()) for name in NAMES)
    picture = own.folder / "p.png"
    code, said = run(own, "importances", "script", *own.options[2:], "--plot", str(picture), capsys=capsys)
    assert (code, said.out.splitlines()[0].startswith(NAMES[0])) == (0, True)
    code, said = run(own, "importances", "Golgi", *own.options[2:], capsys=capsys)
    assert code == 2
    assert "not a class of this run" in said.err


def test_the_report_escapes_the_names_and_speaks_of_classes(own, capsys):
    assert run(own, "report", *own.options, capsys=capsys)[0] == 0
    page = (own.run / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert "Which of 4 classes" in page
    assert "28" not in page.split("</header>")[0].split("</style>")[1]


def test_labels_that_changed_since_the_fit_are_counted(own, capsys, caplog, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    shutil.copy(own.folder / "train.csv", data)
    options = ("report", "--data", str(data), "--run", str(own.run), "--quiet", "--workers", "1")
    assert run(own, *options, capsys=capsys)[0] == 0
    assert not any("changed since the fit" in line for line in caplog.messages)
    at = "2026-01-01T00:00:00Z"
    changes = [
        Correction(at, "me", "e1", "train-001", "add", "plain"),
        Correction(at, "me", "e2", "train-002", "unusable"),
        Correction(at, "me", "e3", "train-002", "remove", "漢字 é"),  # which it does not have
    ]
    Journal(data / "corrections.csv").append(changes)
    assert run(own, *options, capsys=capsys)[0] == 0
    (said,) = [line for line in caplog.messages if "changed since the fit" in line]
    assert said.startswith("labels of 2 fields have changed since the fit: run ") and f"fit --data {data}" in said
    assert "2 fields have other labels by now than at this fit" in (own.run / "report.html").read_text(encoding="utf-8")


def test_an_export_has_the_labels_of_the_classes(own, capsys):
    anndata = pytest.importorskip("anndata")
    file = own.folder / "fields.h5ad"
    assert run(own, "export", str(file), "--level", "fields", "--run", str(own.run), capsys=capsys)[0] == 0
    data = anndata.read_h5ad(file)
    labels = data.obsm["labels"]
    assert set(labels.columns) == {name.replace("/", "_") for name in NAMES}
    assert data.uns["classes"].tolist() == sorted(NAMES)
    assert [name.replace("/", "_") for name in data.uns["classes"]] == labels.columns.tolist()
    assert labels["plain"].sum() > 0


def test_a_submission_is_refused_in_a_sentence(own, capsys):
    code, said = run(own, "submit", *own.options[:4], capsys=capsys)
    assert code == 4
    assert "numbers of the 28 organelles" in said.err
    assert "predict FOLDER" in said.err
    assert not RunFolder(own.run).submission.exists()
