"""The demo in small, as a user types it: every command on the way, and every file that the README promises."""

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from store.classes import ORGANELLES

ROOT = Path(__file__).resolve().parents[2]


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "cli.py", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=280)


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> tuple[Path, subprocess.CompletedProcess]:
    folder = tmp_path_factory.mktemp("demo")
    return folder, run("demo", "--folder", str(folder), "--fields", "36", "--test-fields", "4", "--json")


def test_demo_ends_well_and_says_what_to_type_next(demo):
    _, ended = demo
    assert ended.returncode == 0, ended.stderr
    assert "simulated fields, grouped folds" in ended.stdout
    suggested = next(line for line in ended.stdout.splitlines() if line.startswith("Next: "))
    assert run(*shlex.split(suggested)[3:]).returncode == 0
    facts = json.loads(ended.stdout.strip().splitlines()[-1])
    assert facts["fit"]["simulated"] is True
    assert facts["extract"]["fields"] == 40
    assert facts["predict"]["fields"] == facts["submit"]["rows"] == 4


def test_submission_has_exactly_the_test_ids(demo):
    folder, _ = demo
    submission = pd.read_csv(folder / "run/submission.csv", dtype=str)
    sample = pd.read_csv(folder / "data/sample_submission.csv", dtype=str)
    assert list(submission.columns) == ["Id", "Predicted"]
    assert list(submission["Id"]) == list(sample["Id"])
    assert all({int(j) for j in row.split()} <= set(range(28)) and row for row in submission["Predicted"])


def test_test_fields_are_predicted_with_reasons_and_pictures(demo):
    folder, _ = demo
    submission = pd.read_csv(folder / "run/submission.csv", dtype=str)
    predictions = pd.read_csv(folder / "run/predicted/predictions.csv", dtype=str)
    called = [{ORGANELLES.index(name) for name in row.split("; ")} for row in predictions["Called"]]
    assert list(predictions["Id"]) == sorted(submission["Id"])
    by_id = dict(zip(submission["Id"], submission["Predicted"], strict=True))
    assert called == [{int(j) for j in by_id[field].split()} for field in predictions["Id"]]
    assert len(list((folder / "run/overlays").glob("*.png"))) == len(predictions)
    assert {"cells.csv", "why.csv", "neighbours.csv"} <= {path.name for path in (folder / "run/predicted").iterdir()}


def test_prior_shift_changes_the_predictions_and_no_score(demo):
    """Not the calls here: one class is learnt from so few fields, and each field has at least one call."""
    folder, _ = demo
    paths = [folder / "run" / name for name in ("metrics.json", "leaderboard.csv", "oof/probabilities.parquet")]
    plain, scores = (folder / "run/submission.csv").read_bytes(), [path.read_bytes() for path in paths]
    submissions, probabilities = {}, {}
    for way in ("em", "match", "none"):
        ended = run("submit", "--data", str(folder / "data"), "--run", str(folder / "run"), "--prior-shift", way)
        assert ended.returncode == 0, ended.stderr
        assert ("no reported score holds" in ended.stdout) == (way != "none")
        assert json.loads((folder / "run/config.json").read_text())["submit"]["prior_shift"] == way
        submissions[way] = (folder / "run/submission.csv").read_bytes()
        probabilities[way] = pq.read_table(folder / "run/predictions.parquet").column(ORGANELLES[0]).to_numpy()
        assert submissions[way].count(b"\n") == 5
        assert [path.read_bytes() for path in paths] == scores
    assert submissions["none"] == plain
    assert (probabilities["em"] != probabilities["none"]).all()
    assert (probabilities["match"] == probabilities["none"]).all(), "match changes calls alone"


def test_an_unknown_prior_shift_ends_with_2():
    ended = run("submit", "--prior-shift", "guess")
    assert ended.returncode == 2
    assert "match" in ended.stderr


def test_run_folder_holds_what_the_readme_promises(demo):
    run_folder = demo[0] / "run"
    promised = (
        "config.json", "features/columns.parquet", "features/train.parquet", "features/test.parquet",
        "features/failures.csv", "folds.parquet", "oof/labels.parquet",
        "oof/probabilities.parquet", "oof/calls.parquet", "leaderboard.csv", "metrics.json",
        "duplicates.csv", "label_errors.csv", "importance.parquet", "report.html", "predictions.parquet",
        "submission.csv",
    )  # fmt: skip
    assert [name for name in promised if not (run_folder / name).is_file()] == []
    assert {"extract", "fit", "submit"} <= set(json.loads((run_folder / "config.json").read_text()))


def test_metrics_name_every_organelle_and_how_the_folds_were_made(demo):
    metrics = json.loads((demo[0] / "run/metrics.json").read_text())
    assert metrics["folds"] == "grouped"
    assert set(metrics["organelles"]) == set(ORGANELLES)
    learnt = set(ORGANELLES) - set(metrics["not_trainable"])
    assert 0 < metrics["macro"]["n_organelles"] == len(learnt)
    assert all(metrics["organelles"][name]["ap"] is not None for name in learnt)


def test_no_group_is_split_between_folds(demo):
    folds = pq.read_table(demo[0] / "run/folds.parquet").to_pandas()
    assert len(folds) > 0
    assert not folds[["group", "fold"]].drop_duplicates()["group"].duplicated().any()


def test_importances_of_a_learnt_organelle_and_of_one_that_was_not(demo):
    folder, _ = demo
    metrics = json.loads((folder / "run/metrics.json").read_text())
    learnt = next(name for name in ORGANELLES if name not in metrics["not_trainable"])
    ended = run("importances", learnt, "--run", str(folder / "run"), "--plot", str(folder / "why.png"))
    assert ended.returncode == 0, ended.stderr
    assert "by family:" in ended.stdout
    assert f"\n{learnt} in short: " in ended.stdout.split("by channel:")[1]
    assert f"Next: python cli.py report --data {folder / 'data'} --run {folder / 'run'}" in ended.stdout
    assert (folder / "why.png").stat().st_size > 1000
    ended = run("importances", metrics["not_trainable"][0], "--run", str(folder / "run"))
    assert ended.returncode == 4
    assert "was not learnt in this run: too few fields or groups" in ended.stderr


def test_a_report_without_the_images_or_test_fields_says_so(demo, tmp_path):
    copy = shutil.copytree(demo[0] / "run", tmp_path / "run")
    (copy / "features/test.parquet").unlink()
    ended = run("report", "--data", str(tmp_path), "--run", str(copy))
    assert ended.returncode == 0, ended.stderr
    assert f"report without pictures: {tmp_path} holds no images of these fields" in ended.stderr
    assert f"python cli.py predict FOLDER --run {copy}" in ended.stdout
    assert "Next:" not in ended.stdout
    ended = run("submit", "--data", str(demo[0] / "data"), "--run", str(copy))
    assert ended.returncode == 4
    extract = f"python cli.py extract --data {demo[0] / 'data'} --run {copy}"
    assert f"no test fields have been extracted. Run {extract} first, with test/ or test.zip" in ended.stderr


def test_fit_again_gives_the_same_bytes_and_trains_nothing(demo):
    folder, _ = demo
    paths = [folder / "run" / name for name in ("oof/probabilities.parquet", "leaderboard.csv", "metrics.json")]
    models = {path: path.stat().st_mtime_ns for path in (folder / "run/models").rglob("*_fold*")}
    before = [path.read_bytes() for path in paths]
    ended = run("fit", "--data", str(folder / "data"), "--run", str(folder / "run"), "--folds", "3", "--rounds", "60")
    assert ended.returncode == 0, ended.stderr
    assert [path.read_bytes() for path in paths] == before
    assert {path: path.stat().st_mtime_ns for path in models} == models


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Id,Target\nsim-00000,0\nsim-00000,1\n", ("sim-00000", "more than once")),
        ("Id,Target\nsim-00000,99\n", ("unknown label '99'", "0", "27")),
    ],
)
def test_unusable_labels_end_with_4_and_a_sentence(demo, tmp_path, text, words):
    (tmp_path / "train.csv").write_text(text)
    ended = run("fit", "--data", str(tmp_path), "--run", str(demo[0] / "run"))
    assert ended.returncode == 4
    assert "Traceback" not in ended.stderr
    assert all(word in ended.stderr for word in words), ended.stderr
