"""Places of fields and cells that `extract` or an earlier start kept: used while nothing changed, else made anew."""

import shutil
import time

import numpy as np
import pyarrow.parquet as pq
import pytest
from review_run import fit_quickly, make_review, opened

from commands.keep_places import keep_places
from engine.errors import InputError
from review.map_points import points
from review.state import Review
from store.run_folder import RunFolder

MAKERS = ("read_cells_index", "map_cells", "place_fields", "find_unlike")


@pytest.fixture
def made(tmp_path):
    return make_review(tmp_path, images=False)


@pytest.fixture
def calls(monkeypatch):
    """What was made anew, by the name of the function."""
    import review.kept_places

    called = []
    for name in MAKERS:
        make = getattr(review.kept_places, name)
        monkeypatch.setattr(review.kept_places, name, lambda *a, name=name, make=make: called.append(name) or make(*a))
    return called


def maps(review):
    return [points(review, level, "label", "") for level in ("fields", "cells")]


def test_a_second_start_reads_no_table_of_cells_and_shows_the_same(made, calls):
    first = opened(made)
    assert sorted(calls) == sorted(MAKERS)
    calls.clear()
    second = opened(made)
    assert calls == []
    assert maps(second) == maps(first)
    assert second.cells().paths == first.cells().paths
    for name, array in vars(first.cells()).items():
        if name != "paths":
            again = getattr(second.cells(), name)
            np.testing.assert_array_equal(again, array)
            assert again.dtype == array.dtype
    np.testing.assert_array_equal(second.placed(), first.placed())


def test_what_extract_keeps_is_what_the_first_start_would_find(made, calls, monkeypatch):
    monkeypatch.setattr("commands.keep_places.FEWEST", 0)
    keep_places(RunFolder(made.run), made.data, quiet=True)
    assert sorted(calls) == ["map_cells", "place_fields", "read_cells_index"]
    calls.clear()
    kept = opened(made)
    assert calls == ["find_unlike"]
    shutil.rmtree(made.run / "review")
    assert maps(opened(made)) == maps(kept)


@pytest.mark.parametrize(("fewest", "most"), [(27, 100), (0, 25)])
def test_extract_keeps_no_places_of_few_fields_nor_of_too_many_for_memory(made, monkeypatch, fewest, most):
    monkeypatch.setattr("commands.keep_places.FEWEST", fewest)
    monkeypatch.setattr("commands.keep_places.MOST", most)
    keep_places(RunFolder(made.run), made.data, quiet=True)
    assert not (made.run / "review").exists()


def test_a_table_of_cells_that_was_written_again_is_read_again(made, calls):
    path = opened(made).cells().paths[0]
    before = sorted(folder.name for folder in (made.run / "review").iterdir())
    table = pq.read_table(path)
    x = table.column_names.index("Metadata_X")
    moved = table.set_column(x, "Metadata_X", [table.column(x).to_numpy() + np.float32(7)])
    calls.clear()
    pq.write_table(moved, path)
    again = opened(made)
    assert sorted(calls) == ["map_cells", "read_cells_index"]
    np.testing.assert_array_equal(again.cells().x[: len(moved)], moved.column(x).to_numpy())
    after = sorted(folder.name for folder in (made.run / "review").iterdir())
    assert len(after) == len(before) == 4, "what is out of date is removed"
    assert [name for name in after if name.startswith("fields")] == [
        name for name in before if name.startswith("fields")
    ]


def test_after_a_fit_only_the_fields_that_are_unlike_its_own_are_found_anew(made, calls):
    assert not opened(made).known().unlike.any()
    calls.clear()
    fit_quickly(made)
    opened(made)
    assert calls == ["find_unlike"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-3]),
        lambda path: path.unlink(),
        lambda path: np.save(path, np.load(path)[:-1]),
        lambda path: np.save(path, np.load(path) + 10_000),
    ],
)
@pytest.mark.parametrize(("what", "name"), [("cells", "field"), ("cells", "start"), ("map", "cells")])
def test_kept_places_that_are_damaged_are_made_anew(made, calls, damage, what, name):
    first = opened(made)
    (path,) = (made.run / "review").glob(f"{what}-*/{name}.npy")
    calls.clear()
    damage(path)
    again = opened(made)
    assert calls == [{"cells": "read_cells_index", "map": "map_cells"}[what]]
    assert maps(again) == maps(first)
    calls.clear()
    opened(made)
    assert calls == [], "and kept again"


def test_a_run_that_cannot_be_written_to_is_looked_at_all_the_same(made, calls):
    (made.run / "review").write_text("no folder")
    first = opened(made)
    calls.clear()
    second = opened(made)
    assert sorted(calls) == sorted(MAKERS)
    assert maps(second) == maps(first)


def test_cells_are_found_after_the_fields_are_placed_also_where_that_fails(made, monkeypatch):
    def fail(*_):
        assert review.tasks.state("cells").result is None
        raise InputError("no values")

    monkeypatch.setattr("review.kept_places.place_fields", fail)
    review = Review(RunFolder(made.run), made.data, None, lambda: None)
    review.begin()
    ends = time.monotonic() + 60
    while review.tasks.state("map of cells").stage != "done":
        assert time.monotonic() < ends
        time.sleep(0.02)
    assert review.tasks.state("fields").error == "no values"
