"""Shards when fields come and go: what was measured stays, and nothing is lost without a word."""

import shutil

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

import pipeline
from commands.predict import results_folder
from engine.errors import InputError
from simulate import simulate
from store import shards as storage
from store.flat_table import flat_table
from store.run_folder import RunFolder


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """Fourteen small fields, ten of them to train on."""
    data = tmp_path_factory.mktemp("simulated")
    simulate(data, fields=10, test_fields=4, size=96, seed=2)
    return data


@pytest.fixture
def data(simulated, tmp_path):
    return shutil.copytree(simulated, tmp_path / "data")


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(storage, "SMALLEST_SHARD", 4)


def extract(data, run):
    return pipeline.extract(pipeline.Job(run, data, "cpu", workers=1, quiet=True))


def measured_at(run):
    """When each training field's shard was written."""
    times = {}
    for path in (run / "features/fields").glob("train-*.parquet"):
        for one in pq.read_table(path)["Metadata_Id"].to_pylist():
            times[one] = path.stat().st_mtime_ns
    return times


def bytes_of(run):
    return {p.relative_to(run).as_posix(): p.read_bytes() for p in (run / "features").rglob("*.parquet")}


def remove(data, *names):
    for name in names:
        for path in (data / "train").glob(f"{name}_*"):
            path.unlink()


@pytest.mark.parametrize("n", [1, 7, 8, 9, 600, 1100, 5000])
def test_pieces_hold_all_fields_in_order_and_have_bounds(n):
    ids = tuple(f"{i:05d}" for i in range(n))
    pieces = list(storage.cut_ids(ids))
    assert tuple(one for piece in pieces for one in piece) == ids
    longest = max(map(len, pieces))
    assert longest <= min(64, max(4, n // 32)), "so that there is work for many workers"
    assert all(len(piece) >= longest // 2 for piece in pieces[:-1])


def test_a_field_more_or_less_moves_the_ends_of_few_pieces(rng):
    ids = sorted(f"{number:016x}" for number in rng.integers(0, 2**62, 5000))
    whole, again = set(storage.cut_ids(tuple(ids))), []
    for j in rng.integers(0, 5000, 20):
        fewer = set(storage.cut_ids((*ids[:j], *ids[j + 1 :])))
        again.append(sum(map(len, fewer - whole)))
    assert np.median(again) < 150
    assert max(again) < 600


FIRST_SHARD = tuple(f"sim-{i:05d}" for i in range(4))


@pytest.mark.parametrize("gone", [("sim-00000",), ("sim-00004",), ("sim-00009",), FIRST_SHARD])
def test_fields_beside_those_that_are_gone_are_not_measured_again(gone, data, tmp_path):
    run, fresh = tmp_path / "run", tmp_path / "fresh"
    extract(data, run)
    before = measured_at(run)
    remove(data, *gone)
    told = extract(data, run)
    after = measured_at(run)
    assert set(after) == set(before) - set(gone)
    kept = [one for one in after if after[one] == before[one]]
    assert len(kept) >= 4
    assert f"measured train fields that are no longer in {data / 'train'}, removed: {len(gone)}" in told.lines
    extract(data, fresh)
    assert bytes_of(run) == bytes_of(fresh)


def test_stopped_while_files_are_given_new_numbers_nothing_is_lost(data, tmp_path, monkeypatch):
    run = tmp_path / "run"
    extract(data, run)
    before = measured_at(run)
    remove(data, *FIRST_SHARD)
    replace, calls = type(run).replace, []

    def stop_at_the_second(path, target):
        if path.parent.name == "fields" and path.name.startswith("train-") and not path.name.endswith(".part"):
            calls.append(path)
            if len(calls) == 2:
                raise KeyboardInterrupt
        return replace(path, target)

    monkeypatch.setattr(type(run), "replace", stop_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        extract(data, run)
    monkeypatch.undo()
    monkeypatch.setattr(storage, "SMALLEST_SHARD", 4)
    extract(data, run)
    after = measured_at(run)
    assert [one for one in after if after[one] == before[one]] == list(after)
    extract(data, tmp_path / "fresh")
    assert bytes_of(run) == bytes_of(tmp_path / "fresh")


def test_a_run_of_other_images_is_refused_and_left_alone(data, tmp_path):
    run, others = tmp_path / "run", tmp_path / "others"
    extract(data, run)
    before = bytes_of(run)
    (others / "train").mkdir(parents=True)
    for path in (data / "train").glob("sim-00003_*"):
        shutil.copy(path, others / "train" / path.name.replace("sim", "mine"))
    with pytest.raises(InputError, match=r"holds 10 train fields of other images \(sim-00000 ...\).*has none of them"):
        extract(others, run)
    assert bytes_of(run) == before


def test_a_split_that_is_away_is_kept_and_told(data, tmp_path):
    run = tmp_path / "run"
    extract(data, run)
    before = bytes_of(run)
    (data / "test").rename(data / "elsewhere")
    assert "no test images found; measured test fields that are kept: 4" in extract(data, run).lines
    assert bytes_of(run) == before


def test_images_that_were_not_used_are_told(data, tmp_path):
    for k, path in enumerate(sorted((data / "train").glob("sim-00001_*"))):
        path.rename(path.with_name(f"w1_{k}.png"))
    for path in sorted((data / "train").glob("sim-00002_*")):
        path.rename(path.with_name(path.name.replace("_r", "_R").replace("_b", "_B")))
    (data / "train" / "sim-00003_blue_red_green.jpg").write_bytes(b"a composite")
    (data / "train" / "._sim-00003_red.png").write_bytes(b"hidden")
    told = extract(data, tmp_path / "run")
    (line,) = [line for line in told.lines if "not used" in line]
    assert line.startswith(f"6 files not used, see {tmp_path / 'run/features/unused.csv'}: 4 x has no name of the form")
    assert "1 x is a composite of several colours (sim-00003_blue_red_green.jpg)" in line
    listed = pd.read_csv(tmp_path / "run/features/unused.csv")
    assert len(listed) == 6
    assert listed["reason"].str.contains("hidden").sum() == 1
    assert told.facts["fields"] == 13
    assert told.n_failed == 0


def test_cells_that_are_gone_cannot_be_exported(data, tmp_path):
    run = tmp_path / "run"
    extract(data, run)
    for path in (run / "features/cells").iterdir():
        path.unlink()
    with pytest.raises(InputError, match="holds no cells any more"):
        flat_table(RunFolder(run), "cells", "both")


def test_results_of_a_prediction_do_not_go_into_a_run(data, tmp_path):
    run = tmp_path / "run"
    extract(data, run)
    before = bytes_of(run)
    with pytest.raises(InputError, match="is a run folder; expected a folder for predictions alone"):
        results_folder(run)
    assert results_folder(run / "predicted").root == run / "predicted"
    assert bytes_of(run) == before
