"""Extraction as a run: resumable, equal for any number of workers, and never stopped by one bad image."""

import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from suggested import parsed

import cli
import pipeline
from engine.files import read_json, write_json
from features import columns
from simulate import simulate
from store.matrix import read_hashes
from store.run_folder import RunFolder

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def simulated(tmp_path_factory) -> Path:
    """Nine small simulated fields, six to train on and three to test."""
    data = tmp_path_factory.mktemp("simulated")
    simulate(data, fields=6, test_fields=3, size=192, seed=1)
    return data


@pytest.fixture
def data(simulated, tmp_path) -> Path:
    """A copy of the simulated fields that a test may spoil (modification times kept)."""
    return shutil.copytree(simulated, tmp_path / "data")


def extract(data: Path, run: Path, workers: int = 1, no_er: bool = False, masks: Path | None = None):
    reading = pipeline.ReadingOptions(no_er=no_er)
    return pipeline.extract(pipeline.Job(run, data, "cpu", workers, quiet=True), reading=reading, masks=masks)


def tables(run: Path) -> dict[str, bytes]:
    return {
        p.relative_to(run).as_posix(): p.read_bytes() for p in sorted((run / "features").rglob("*.*")) if p.is_file()
    }


@pytest.fixture(scope="session")
def undisturbed(simulated, tmp_path_factory) -> Path:
    run = tmp_path_factory.mktemp("undisturbed")
    extract(simulated, run)
    return run


def test_tables_hold_every_cell_of_every_field(simulated, undisturbed):
    cells = pd.concat(pq.read_table(p).to_pandas() for p in sorted((undisturbed / "features/cells").iterdir()))
    columns = pq.read_table(undisturbed / "features/columns.parquet").to_pandas()
    of_cells = columns.loc[columns["compartment"] != "Image", "name"]
    assert set(cells["Metadata_Id"]) == {f"sim-{i:05d}" for i in range(9)}
    assert list(cells.columns[-len(of_cells) :]) == list(of_cells)
    assert (cells[list(of_cells)].dtypes == np.float32).all()
    train = pq.read_table(undisturbed / "features/train.parquet").to_pandas()
    assert list(train["Metadata_Id"]) == [f"sim-{i:05d}" for i in range(6)]
    area = "Nuclei_AreaShape_Area"
    pooled = cells[cells["Metadata_Split"] == "train"].groupby("Metadata_Id")[area].mean()
    np.testing.assert_allclose(train[f"{area}_mean"], pooled, rtol=1e-6)


def test_rows_are_sorted_by_field_then_cell(undisturbed):
    for path in (undisturbed / "features/cells").iterdir():
        rows = pq.read_table(path, columns=["Metadata_Id", "Metadata_Cell"]).to_pandas()
        assert rows.equals(rows.sort_values(["Metadata_Id", "Metadata_Cell"], ignore_index=True))


def test_any_number_of_workers_gives_the_same_bytes(simulated, undisturbed, tmp_path):
    extract(simulated, tmp_path, workers=2)
    assert tables(tmp_path) == tables(undisturbed)


def test_workers_start_before_the_command_is_ready_only_where_nothing_was_measured(simulated, tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr("commands.job.start_workers", lambda *of: started.append(of))
    command = ["extract", "--data", str(simulated), "--run", str(tmp_path), "--quiet", "--no-embedding", "--workers"]
    assert cli.main([*command, "1"]) == 0
    assert started == []
    shutil.rmtree(tmp_path / "features")
    for _ in range(2):
        assert cli.main([*command, "2"]) == 0
        assert started == [(2, "commands.measuring", "get_ready")]


def test_a_finished_run_is_left_alone(simulated, undisturbed):
    before = {path: path.stat().st_mtime_ns for path in (undisturbed / "features").rglob("*.parquet")}
    extract(simulated, undisturbed)
    after = {path: path.stat().st_mtime_ns for path in before}
    assert {k: v for k, v in after.items() if k.name != "columns.parquet"} == {
        k: v for k, v in before.items() if k.name != "columns.parquet"
    }


def test_the_places_for_review_are_kept_at_the_end_and_no_table_is_read_for_them_again(
    simulated, tmp_path, monkeypatch
):
    monkeypatch.setattr("commands.keep_places.FEWEST", 9)
    extract(simulated, tmp_path)
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "review").iterdir()}
    assert sorted(path.name.partition("-")[0] for path in kept) == ["cells", "fields", "map"]
    extract(simulated, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "review").iterdir()} == kept


def test_killed_and_started_again_gives_the_same_bytes(simulated, undisturbed, tmp_path):
    command = [sys.executable, "cli.py", "extract", "--data", str(simulated), "--run", str(tmp_path), "--workers", "2"]
    running = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, process_group=0)
    time.sleep(3.0)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    extract(simulated, tmp_path)
    assert tables(tmp_path) == tables(undisturbed)


def spoil(data: Path) -> dict[str, tuple[str, ...]]:
    """Break five training fields in five ways; gives the words that each one's sentence must have."""
    path = {c: [data / f"train/sim-{i:05d}_{c}.png" for i in range(6)] for c in ("red", "green", "blue", "yellow")}
    path["green"][0].write_bytes(path["green"][0].read_bytes()[:300])
    path["yellow"][1].unlink()
    for colour in path:
        cv2.imwrite(str(path[colour][2]), np.zeros((192, 192), np.uint8))
    cv2.imwrite(str(path["blue"][3]), np.zeros((192, 192), np.uint8))
    cv2.imwrite(str(path["red"][4]), np.zeros((100, 192), np.uint8))
    return {
        "sim-00000": ("sim-00000_green.png",),
        "sim-00001": ("channel ER is missing", "sim-00001_yellow.png", "found red, green, blue", "--no-er"),
        "sim-00002": ("black",),
        "sim-00003": ("no nuclei",),
        "sim-00004": ("sim-00004_", "192 x 100 px", "192 x 192 px"),
    }


def test_where_all_fields_failed_the_input_was_unusable(tmp_path, capsys):
    (tmp_path / "train").mkdir()
    for colour in ("red", "green", "blue", "yellow"):
        cv2.imwrite(str(tmp_path / f"train/black_{colour}.png"), np.zeros((64, 64), np.uint8))
    arguments = ["extract", "--data", str(tmp_path), "--run", str(tmp_path / "run"), "--workers", "1"]
    assert cli.main([*arguments, "--no-embedding"]) == 4
    said = capsys.readouterr()
    assert "1 of 1 field failed" in said.err
    assert "Next" not in said.out


def test_bad_images_are_recorded_and_the_rest_is_measured(undisturbed, data, tmp_path):
    words = spoil(data)
    command = [sys.executable, "cli.py", "extract", "--data", str(data), "--run", str(tmp_path / "run"), "--quiet"]
    ended = subprocess.run([*command, "--workers", "1"], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 3, ended.stderr
    assert ended.stderr.startswith(
        f"5 of 9 fields failed (see {tmp_path / 'run/features/failures.csv'}). The first one"
    )
    assert "Next" not in ended.stdout
    failures = pd.read_csv(tmp_path / "run/features/failures.csv").set_index("Id")
    assert list(failures.index) == sorted(words)
    for field, expected in words.items():
        assert all(word in failures.loc[field, "error"] for word in (field, *expected)), failures.loc[field, "error"]
    assert set(failures["stage"]) == {"read", "segment"}
    usable, all_of_them = (read_hashes(run / "features/train.parquet") for run in (tmp_path / "run", undisturbed))
    assert usable["Metadata_Id"].tolist() == ["sim-00005"]
    assert usable.iloc[0].tolist() == all_of_them.iloc[5].tolist()
    assert pq.read_metadata(tmp_path / "run/features/test.parquet").num_rows == 3


@pytest.mark.parametrize("lost", ["red", "train"])
def test_without_training_cells_no_fit_is_suggested(lost, data, tmp_path):
    run = tmp_path / "a run"
    assert parsed(extract(data, run).next_command) == ("fit", {"data": str(data), "run": str(run)})
    if lost == "train":
        shutil.rmtree(data / "train")
    for path in data.glob(f"train/*_{lost}.png"):
        path.unlink()
    ended = extract(data, run)
    assert ended.next_command == ""
    assert ended.failure.startswith("6 of 9 fields failed" if lost == "red" else "")


def test_a_forgotten_layout_is_thought_of(data, tmp_path):
    """Every file was a field of one channel, and what to do about it was not said."""
    reading = pipeline.ReadingOptions(stains="nucleus=1,protein=2")
    ended = pipeline.extract(pipeline.Job(tmp_path / "run", data, "cpu", 1, quiet=True), reading=reading)
    assert ended.n_failed == 36
    (said,) = [line for line in ended.lines if "If each stain has a file of its own" in line]
    assert f"inspect {data} finds it" in said


def test_a_repaired_image_is_measured_on_the_next_run(simulated, undisturbed, data, tmp_path):
    spoil(data)
    run = tmp_path / "run"
    ended = extract(data, run)
    assert ended.n_failed == 5
    assert "failures.csv). The first one: field sim-00000: sim-00000_green.png is damaged" in ended.failure
    shutil.rmtree(data)
    shutil.copytree(simulated, data)
    assert extract(data, run).n_failed == 0
    assert tables(run) == tables(undisturbed)


def test_zips_are_read_in_place(simulated, undisturbed, tmp_path):
    (tmp_path / "data").mkdir()
    for split in ("train", "test"):
        with zipfile.ZipFile(tmp_path / f"data/{split}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted((simulated / split).iterdir()):
                archive.write(path, path.name)
    extract(tmp_path / "data", tmp_path / "run")
    for split in ("train", "test"):
        ours, theirs = (
            pq.read_table(run / f"features/{split}.parquet").to_pandas() for run in (tmp_path / "run", undisturbed)
        )
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


def test_without_er_what_needs_it_is_nan(data, tmp_path):
    for path in (data / "train").glob("*_yellow.png"):
        path.unlink()
    shutil.rmtree(data / "test")
    assert extract(data, tmp_path / "a").failure.endswith("Add it, or run with --no-er.")
    assert extract(data, tmp_path / "b", no_er=True).n_failed == 0
    columns = pq.read_table(tmp_path / "b/features/columns.parquet").to_pandas()
    columns = columns[columns["compartment"] != "Image"]
    er = columns["channels"].map(lambda channels: "ER" in channels).to_numpy()
    cells = pq.read_table(next((tmp_path / "b/features/cells").iterdir())).to_pandas()[columns["name"]].to_numpy()
    assert np.isnan(cells[:, er]).all()
    assert np.isfinite(cells[:, ~er]).any(axis=0).mean() > 0.9


def test_masks_made_elsewhere_replace_ours(data, tmp_path):
    shutil.rmtree(data / "test")
    masks = tmp_path / "masks"
    masks.mkdir()
    nuclei, cells = np.zeros((2, 192, 192), np.uint16)
    cells[10:90, 10:90], nuclei[30:60, 30:60] = 7, 3
    for i in range(6):
        cv2.imwrite(str(masks / f"sim-{i:05d}_cells.png"), cells)
        cv2.imwrite(str(masks / f"sim-{i:05d}_nuclei.png"), nuclei)
    assert extract(data, tmp_path / "run", masks=masks).n_failed == 0
    table = pq.read_table(tmp_path / "run/features/train.parquet").to_pandas()
    assert (table["Cells_AreaShape_Area_mean"] == 80 * 80).all()
    assert (table["Nuclei_AreaShape_Area_mean"] == 30 * 30).all()
    cells_table = pq.read_table(next((tmp_path / "run/features/cells").glob("train-*.parquet")))
    assert set(cells_table["Metadata_MaskId"].to_pylist()) == {7}
    cells[10:100, 10:90] = 7
    cv2.imwrite(str(masks / "sim-00002_cells.png"), cells)
    assert extract(data, tmp_path / "run", masks=masks).n_failed == 0
    area = pq.read_table(tmp_path / "run/features/train.parquet").to_pandas()["Cells_AreaShape_Area_mean"]
    assert area.tolist() == [80 * 80] * 2 + [90 * 80] + [80 * 80] * 3, "an edited mask went unnoticed"


def test_other_settings_are_named(data, tmp_path, caplog):
    extract(data, tmp_path / "run")
    extract(data, tmp_path / "run", no_er=True)
    colours = "microtubules=red,protein=green,nucleus=blue"
    assert f"(stains: {colours},er=yellow -> {colours}): measuring again" in caplog.messages[-1]
    write_json(tmp_path / "run/models/fit.json", {})
    RunFolder(tmp_path / "run").note("fit", {"data": "of the earlier fit"})
    extract(data, tmp_path / "run")
    refit = f"then run python cli.py fit --data {data} --run {tmp_path / 'run'} again"
    assert caplog.messages[-1].endswith(f"(stains: {colours} -> {colours},er=yellow): measuring again; {refit}")


def test_all_columns_are_measured_if_asked_for_and_the_others_stay(data, tmp_path, capsys):
    import cli

    shutil.rmtree(data / "test")
    tables = []
    for option in ([], ["--all-columns"]):
        given = ["extract", "--data", str(data), "--run", str(tmp_path / "run"), "--no-embedding", *option]
        assert cli.main([*given, "--device", "cpu", "--workers", "1"]) == 0
        tables.append(pq.read_table(tmp_path / "run/features/train.parquet").to_pandas())
    fewer, every = tables
    said = capsys.readouterr()
    assert "(all_columns: False -> True): measuring again" in said.err
    assert f"{len(columns())} features a cell" in said.out.replace(",", "")
    assert f"{len(columns(all_columns=True))} features a cell" in said.out.replace(",", "")
    assert "Cells_Texture_Contrast_ER_1_mean_32_mean" in set(every) - set(fewer)
    assert every[list(fewer)].equals(fewer)
    assert read_json(tmp_path / "run/config.json")["extract"]["all_columns"] is True


def test_a_run_folder_in_use_is_refused(simulated, tmp_path):
    from engine.errors import InputError
    from engine.running.lock import locked

    with locked(tmp_path), pytest.raises(InputError, match="in use"):
        extract(simulated, tmp_path)


def test_a_run_folder_that_is_not_the_runs_own_is_refused_with_the_option_that_named_it(tmp_path):
    from engine.errors import InputError
    from engine.running.lock import locked

    job = pipeline.Job(tmp_path / "run", workers=1, quiet=True)
    refused = pytest.raises(InputError, match="name another folder with --out DIR")
    with locked(tmp_path / "out"), refused, job.at_work(on=tmp_path / "out"):
        pass
