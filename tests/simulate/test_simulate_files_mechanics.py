"""What `simulate` leaves on disk: layout, tables, the same bytes every time, nobody's data overwritten."""

import json

import cv2
import numpy as np
import pandas as pd
import pytest

from engine.errors import InputError, UsageError
from simulate import simulate

COLOURS = ("red", "green", "blue", "yellow")
SMALL = {"fields": 9, "test_fields": 4, "size": 96, "seed": 4}


def contents(folder):
    """Bytes of every file, by relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "made" / "here"
    simulate(folder, **SMALL)
    return folder


def test_layout_is_kaggles(written):
    train, test = pd.read_csv(written / "train.csv"), pd.read_csv(written / "sample_submission.csv")
    assert list(train) == ["Id", "Target"]
    assert list(test) == ["Id", "Predicted"]
    assert list(train.Id) == [f"sim-{i:05d}" for i in range(9)]
    assert list(test.Id) == [f"sim-{i:05d}" for i in range(9, 13)]
    assert (test.Predicted == 0).all()
    for split, ids in (("train", train.Id), ("test", test.Id)):
        expected = {f"{i}_{colour}.png" for i in ids for colour in COLOURS}
        assert {path.name for path in (written / split).iterdir()} == expected
        picture = cv2.imread(str(written / split / f"{ids.iloc[0]}_blue.png"), cv2.IMREAD_UNCHANGED)
        assert (picture.shape, picture.dtype) == ((96, 96), np.uint8)


def test_tables_beside_it(written):
    groups, truth = pd.read_csv(written / "groups.csv"), pd.read_csv(written / "test_truth.csv")
    train, test = pd.read_csv(written / "train.csv"), pd.read_csv(written / "sample_submission.csv")
    assert list(groups) == ["Id", "Group", "CellLine"]
    assert sorted(groups.Id) == sorted([*train.Id, *test.Id])
    assert list(truth.Id) == list(test.Id)
    both = pd.concat([train, truth]).merge(groups, on="Id")
    assert len(both[["Group", "Target"]].drop_duplicates()) == both.Group.nunique()
    labels = {int(label) for target in both.Target for label in str(target).split()}
    assert labels <= set(range(28))
    mark = json.loads((written / "simulated.json").read_text())
    assert mark["simulated"] is True
    assert {key: mark[key] for key in SMALL} == SMALL


def test_same_bytes_with_two_workers(written, tmp_path):
    simulate(tmp_path, **SMALL, workers=2)
    assert contents(tmp_path) == contents(written)


def test_another_seed_gives_other_pictures(written, tmp_path):
    simulate(tmp_path, **{**SMALL, "seed": 5})
    ours, theirs = contents(tmp_path), contents(written)
    assert all(ours[name] != theirs[name] for name in ours if name.endswith("_green.png"))


def test_an_interrupted_run_goes_on_and_ends_the_same(written, tmp_path):
    def stop(done, total):
        assert total == 13
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(tmp_path, **SMALL, progress=stop)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "train").iterdir()}
    assert 5 * 4 <= len(before) < 9 * 4
    simulate(tmp_path, **SMALL)
    assert all(path.stat().st_mtime_ns == then for path, then in before.items())
    assert contents(tmp_path) == contents(written)


def test_other_arguments_replace_what_was_simulated(written, tmp_path):
    simulate(tmp_path, fields=12, test_fields=2, size=64, seed=1)
    simulate(tmp_path, **SMALL)
    assert contents(tmp_path) == contents(written)


def test_progress_counts_every_field(tmp_path):
    seen = []
    simulate(tmp_path, fields=2, test_fields=1, size=64, progress=lambda *counts: seen.append(counts))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_real_data_is_never_overwritten(tmp_path):
    (tmp_path / "train.csv").write_text("Id,Target\n00070df0,16 0\n")
    with pytest.raises(InputError, match="was not simulated"):
        simulate(tmp_path, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]


@pytest.mark.parametrize("wrong", [{"fields": 0}, {"test_fields": -1}, {"size": 32}, {"seed": -1}])
def test_impossible_numbers_are_refused(tmp_path, wrong):
    with pytest.raises(UsageError, match="at least 1 field"):
        simulate(tmp_path, **{**SMALL, **wrong})
    assert not list(tmp_path.iterdir())


def test_without_test_fields_there_is_no_empty_folder_that_extract_stumbles_over(tmp_path):
    simulate(tmp_path, **SMALL | {"fields": 1, "test_fields": 1})
    simulate(tmp_path, **SMALL | {"fields": 1, "test_fields": 0})
    assert (tmp_path / "train").is_dir()
    assert not (tmp_path / "test").exists()
