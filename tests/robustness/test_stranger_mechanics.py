"""A run folder from a stranger: nothing in it is followed out of it, and no file of it is believed without a look."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hostile_images import good_field, tiff
from hostile_runs import HOSTILE, copied, small_run

import pipeline
from engine.errors import InputError
from engine.running.lock import locked
from features.extraction.recorded import acquisition_record
from features.extraction.settings import ExtractSettings
from features.reading.fields import find_fields
from features.reading.scale import AS_STORED
from features.reading.survey import Acquisition
from models.first_level import lightgbm_file as lgb_file
from models.first_level import linear
from models.first_level import xgboost as xgb
from models.first_level import xgboost_file as xgb_file
from report.galleries import find_pictured, picture_settings, take_picture
from store.run_folder import RunFolder, open_run
from store.untrusted_input import read_array, read_table

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = ExtractSettings(None, "cpu").content() | {
    "code": "x", "acquisition": acquisition_record(Acquisition(AS_STORED, 0.0))
}  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, Path]:
    """Data and a finished run."""
    return small_run(tmp_path_factory.mktemp("made"))


@pytest.fixture
def run(made, tmp_path) -> Path:
    """A copy of the run to be spoilt."""
    return copied(made[1], tmp_path / "run")


def commands(data: Path, run: Path):
    """Every command that reads a run."""
    yield lambda: pipeline.submit(pipeline.Job(run, data, quiet=True))
    yield lambda: pipeline.importances(pipeline.Job(run, workers=1, quiet=True), top=1)
    yield lambda: pipeline.report(pipeline.Job(run, data, workers=1, quiet=True))


@pytest.mark.parametrize("inner", ["features", "models/.inputs", ".lock", "features/cells/train-00000.parquet"])
def test_a_link_inside_is_refused_and_what_it_leads_to_stays(made, run, tmp_path, inner):
    """`extract` removed stray tables and `fit` emptied models/.inputs, also through links to somebody's own folders."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "a.parquet").write_text("x")
    path = run / inner
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(precious if "." not in path.name or path.name == ".inputs" else precious / "a.parquet")
    for command in commands(made[0], run):
        with pytest.raises(InputError, match="is a link; a run folder holds only files and folders of its own"):
            command()
    assert (precious / "a.parquet").read_text() == "x"


def test_the_run_folder_itself_may_be_a_link(run, tmp_path):
    (tmp_path / "linked").symlink_to(run)
    assert open_run(tmp_path / "linked").root == tmp_path / "linked"
    assert open_run(tmp_path / "not there yet").root.name == "not there yet"


def test_a_link_in_place_of_the_lock_does_not_empty_what_it_leads_to(tmp_path):
    (tmp_path / "precious").write_text("x")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".lock").symlink_to(tmp_path / "precious")
    with pytest.raises(InputError, match="cannot be written"), locked(tmp_path / "run"):
        pass
    assert (tmp_path / "precious").read_text() == "x"


def test_the_masks_that_a_run_notes_are_not_read(run, tmp_path, caplog, monkeypatch):
    (run / "features" / "settings.json").write_text(json.dumps(SETTINGS | {"masks": str(tmp_path / "secret")}))
    good_field(tmp_path / "train")
    monkeypatch.setattr(
        "features.extraction.batches.read_masks", lambda *_: pytest.fail("a stranger's path was followed")
    )
    settings = picture_settings(RunFolder(run), None)
    assert "pictures without outlines" in caplog.messages[-1]
    assert take_picture(find_fields(tmp_path / "train"), "f1", settings)[1].startswith(b"\xff\xd8")


def test_masks_named_now_are_drawn(run, tmp_path):
    (run / "features" / "settings.json").write_text(json.dumps(SETTINGS | {"masks": "/elsewhere"}))
    good_field(tmp_path / "train")
    labels = np.zeros((64, 80), np.uint8)
    labels[8:40, 8:60] = 1
    for kind in ("cells", "nuclei"):
        (tmp_path / f"f1_{kind}.tif").write_bytes(tiff(labels))
    settings = picture_settings(RunFolder(run), tmp_path)
    drawn = take_picture(find_pictured(RunFolder(run), tmp_path, tmp_path)["train"], "f1", settings)[1]
    without = picture_settings(RunFolder(run), None)
    assert drawn != take_picture(find_pictured(RunFolder(run), tmp_path, None)["train"], "f1", without)[1]


def model_of(run: Path, name: str) -> Path:
    return sorted(run.glob(f"models/07_*/{name}_fold0.*"))[0]


SPOILT = {
    ("lightgbm", "a child outside"): ("right_child=", "99 ", "a branch leads out of its tree"),
    ("lightgbm", "a leaf outside"): ("left_child=", "-99 ", "a branch leads"),
    ("lightgbm", "a circle"): ("left_child=", "0 ", "a branch leads back"),
    ("lightgbm", "a column outside"): ("split_feature=", "99999 ", "a column that does not exist"),
    ("lightgbm", "NaN"): ("leaf_value=", "nan ", "not finite"),
    ("lightgbm", "a category"): ("decision_type=", "1 ", "of an unknown kind"),
    ("lightgbm", "two branches to one leaf"): ("right_child=", "-1 ", "two branches lead to one node"),
    ("xgboost", "two branches to one node"): ('"right_children":[', "1,", "two branches lead to one node"),
    ("xgboost", "a child outside"): ('"left_children":[', "99,", "a branch leads back or out"),
    ("xgboost", "a circle"): ('"left_children":[', "0,", "a branch leads back or out"),
    ("xgboost", "a column outside"): ('"split_indices":[', "99999,", "a column that does not exist"),
    ("xgboost", "half a leaf"): ('"right_children":[', "-1,", "half a leaf"),
    ("xgboost", "a number too large"): ('"split_conditions":[', "1E99,", "not finite"),
    ("xgboost", "another kind"): ('"split_type":[', "1,", "of an unknown kind"),
}


@pytest.mark.parametrize(("member", "what"), SPOILT)
def test_a_hostile_tree_is_refused_before_its_library_sees_it(run, member, what):
    mark, value, words = SPOILT[member, what]
    path = model_of(run, member)
    text = path.read_text()
    start = re.search(re.escape(mark) + r"(?=[-\d])", text).end()
    end = next(k for k in range(start, len(text)) if text[k] in " ,\n]")
    spoilt = text[:start] + value.rstrip(" ,") + text[end:]
    if member == "lightgbm":  # the length of the tree, so that only the check of its branches can notice
        head, rest = spoilt.split("tree_sizes=")
        sizes, rest = rest.split("\n", 1)
        lengths = list(map(int, sizes.split()))
        lengths[text.count("\nTree=", 0, start) - 1] += len(spoilt) - len(text)
        spoilt = f"{head}tree_sizes={' '.join(map(str, lengths))}\n{rest}"
    path.write_text(spoilt)
    read_checked = {"lightgbm": lgb_file.read_checked, "xgboost": xgb_file.read_checked}[member]
    n_columns = len(json.loads((run / "models/fit.json").read_text())["columns"])
    with pytest.raises(InputError, match=words) as caught:
        read_checked(path, n_columns)
    assert path.name in str(caught.value)


def test_a_model_that_was_changed_is_noticed_though_its_form_is_right(made, run):
    path = model_of(run, "linear")
    content = json.loads(path.read_text())
    content["weight"][0] += 1
    path.write_text(json.dumps(content))
    linear.load(path, len(content["weight"]))
    with pytest.raises(InputError, match="has changed since it was fitted") as caught:
        pipeline.submit(pipeline.Job(run, made[0], quiet=True))
    assert str(caught.value).endswith(f"run python cli.py fit --data {made[0]} --run {run} again.")


@pytest.mark.parametrize("twice", ['{"version":[3,2,0],', '{"learner":{},'])
def test_a_name_that_comes_twice_is_refused(run, twice):
    path = model_of(run, "xgboost")
    path.write_text(twice + path.read_text()[1:])
    with pytest.raises(InputError, match="a name comes twice"):
        xgb.load(path, 7)


def test_a_table_that_claims_billions_of_rows_is_refused(tmp_path):
    flat = pa.table({"x": pa.DictionaryArray.from_arrays(pa.array(np.zeros(30_000_000, np.int8)), ["a"])})
    pq.write_table(flat, tmp_path / "t.parquet", compression="zstd")
    assert (tmp_path / "t.parquet").stat().st_size < 100_000
    with pytest.raises(InputError, match="says it has 30,000,000 rows"):
        read_table(tmp_path / "t.parquet", {"x": "text"})


def test_what_a_table_says_of_itself_to_pandas_is_not_believed(tmp_path):
    said = {"columns": [{"name": "x", "pandas_type": "unicode", "numpy_type": "qtr", "metadata": None}]}
    said |= {"index_columns": [], "column_indexes": []}
    told = pa.table({"x": ["a"]}).replace_schema_metadata({"pandas": json.dumps(said)})
    pq.write_table(told, tmp_path / "t.parquet")
    assert read_table(tmp_path / "t.parquet", {"x": "text"}).to_pandas()["x"].tolist() == ["a"]


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\x00\x10\x00(((((((((((((((\n", b"PK"])
def test_an_array_that_is_none_is_refused(tmp_path, content):
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(InputError, match="no array"):
        read_array(tmp_path / "a.npy", np.float32, (None,))


def test_an_array_with_objects_is_not_unpickled(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(InputError, match="no array"):
        read_array(tmp_path / "a.npy", np.float32, (None,))


def test_a_hostile_id_in_a_matrix_reaches_no_table(made, run):
    table = pq.read_table(run / "features/test.parquet")
    ids = ["=1+1", *table.column("Metadata_Id").to_pylist()[1:]]
    at = table.column_names.index("Metadata_Id")
    pq.write_table(table.set_column(at, "Metadata_Id", pa.array(ids)), run / "features/test.parquet")
    with pytest.raises(InputError, match="a spreadsheet runs as a formula"):
        pipeline.submit(pipeline.Job(run, made[0], quiet=True))


def test_a_hostile_column_is_refused(made, run):
    frame = pd.read_parquet(run / "features/columns.parquet")
    frame.loc[0, "family"] = HOSTILE
    frame.to_parquet(run / "features/columns.parquet")
    with pytest.raises(InputError, match="does not hold columns of features"):
        pipeline.submit(pipeline.Job(run, made[0], quiet=True))


@pytest.mark.parametrize("name", ["metrics.json", "config.json", "models/fit.json"])
@pytest.mark.parametrize("content", ["", "null", "[" * 100_000, '{"fit": 1}'])
def test_a_json_file_that_is_none_of_ours_gives_its_sentence(made, run, name, content):
    (run / name).write_text(content)
    submit, _, report = commands(made[0], run)
    with pytest.raises(InputError) as caught:
        (report if name == "metrics.json" else submit)()
    assert name in str(caught.value)
    assert str(caught.value).endswith(".")


def test_models_and_run_folders_mutated_in_a_child_with_limits(made):
    command = [sys.executable, "-m", "benchmarks.bad_input", "--only", "models", "runs", "--fuzz", "20", "--seed", "3"]
    command += ["--folder", str(made[0].parent)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "| BAD |" in ended.stdout
