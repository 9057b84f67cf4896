"""docs/own_images.md by commands alone: MetaXpress layout, 16 bit, three stains, plates, six own classes."""

import re
import shlex
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pyarrow.parquet as pq
import pytest
from lab_plates import CLASSES, write_plates

import cli
from models.saved_fit import load

DOC = Path(__file__).parents[2] / "docs" / "own_images.md"


def commands() -> list[list[str]]:
    """The commands of the walk-through, as they stand there."""
    return [
        shlex.split(line)[1:] for line in re.findall(r"^    (hpa-boost .*)$", DOC.read_text(encoding="utf-8"), re.M)
    ]


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("walk")
    write_plates(folder / "lab", {"Plate1": 1.0, "Plate2": 0.6})
    ids = write_plates(folder / "new", {"Plate3": 0.8}, wells=2, labels=False)
    codes = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, *rest in commands():
            quick = ["--folds", "3", "--rounds", "5", "--members", "lightgbm,linear"] if name == "fit" else []
            workers = ["--workers", "1", "--quiet"] if name not in ("inspect", "export") else []
            codes[name] = cli.main([name, *rest, *quick, *workers])
    return SimpleNamespace(run=folder / "runs" / "lab", ids=ids, codes=codes, folder=folder)


def test_every_command_of_the_walk_through_ends_well(walked):
    assert set(walked.codes) == {"inspect", "extract", "fit", "importances", "report", "predict"}
    assert set(walked.codes.values()) == {0}


def test_the_classes_wells_and_plates_are_the_labs(walked):
    fitted = load(walked.run)
    assert fitted.classes.names == tuple(sorted(CLASSES))
    assert fitted.trainable.all()
    assert sorted(set(fitted.plates.names)) == ["Plate1", "Plate2"]
    assert any(name.startswith("Plates left out".lower()) for name in fitted.leaderboard.of("split")["name"])


def test_the_new_plate_gets_calls_reasons_and_pictures(walked):
    predictions = pd.read_csv(walked.run / "predicted" / "predictions.csv")
    assert predictions["Id"].tolist() == sorted(walked.ids)
    assert set(CLASSES) <= set(predictions.columns)
    for name in ("predictions", "cells", "why", "neighbours"):
        table = pd.read_csv(walked.run / "predicted" / f"{name}.csv", dtype={"Site": str})
        assert table.columns[:4].tolist() == ["Id", "Plate", "Well", "Site"], name
        assert (table["Id"] == table["Plate"] + "_" + table["Well"] + "_s" + table["Site"]).all(), name
    why = pd.read_csv(walked.run / "predicted" / "why.csv")
    assert set(why["Organelle"]) <= set(CLASSES)
    assert len(why) > 0
    assert len(list((walked.folder / "overlays").glob("*.png"))) == len(walked.ids)


def test_a_stain_that_the_images_do_not_have_is_no_reason(walked, monkeypatch, capsys):
    monkeypatch.chdir(walked.folder)
    assert cli.main(["importances", "nuclear spots", "--run", "runs/lab"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.endswith("  microtubules") for line in lines)
    assert not any(line.endswith("  ER") for line in lines)


def test_the_report_speaks_of_the_labs_classes(walked):
    page = (walked.run / "report.html").read_text(encoding="utf-8")
    assert "Which of 6 classes" in page
    assert 'id="plates"' in page
    n_cells = sum(pq.read_metadata(path).num_rows for path in (walked.run / "features/cells").glob("train-*.parquet"))
    assert f"<dt>cells</dt><dd>{n_cells}</dd>" in page, "counts are not normalised by plates"
    assert all(name in page for name in CLASSES)
