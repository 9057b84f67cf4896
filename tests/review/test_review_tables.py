"""What is read of a run's tables: some cells, features of all of them, columns and rows of the matrix."""

import shutil
import time

import numpy as np
import pandas as pd
import pytest
from review_run import make_review, opened

from engine.errors import InputError
from engine.files import whole
from review.cell_features import CellFeatures
from review.matrix_values import MatrixValues
from review.spaces import find_unlike, place_fields
from review.tasks import Tasks
from store.channels import IMAGE
from store.matrix import matrix_columns, read_columns
from store.run_folder import RunFolder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_review(tmp_path_factory.mktemp("measured"), images=False)


@pytest.fixture(scope="module")
def review(made):
    return opened(made)


def cell_columns_of(review) -> list[str]:
    return review.catalogue.columns.loc[review.catalogue.columns["compartment"] != IMAGE, "name"].tolist()


def test_the_map_shows_cells_evenly_spaced_in_evenly_spaced_tables(review, monkeypatch):
    index = review.cells()
    assert (len(index.paths), len(index.field)) == (7, 93)
    assert index.sample().tolist() == list(range(93))
    monkeypatch.setattr("review.cells.SAMPLED", 18)  # twice as many are in three of the seven tables
    few = index.by_shard(index.sample())
    assert [path for path, _ in few] == [index.paths[k] for k in (0, 3, 6)]
    assert [rows.tolist() for _, rows in few] == [[0, 2, 4, 6, 8, 10], [0, 2, 4, 7, 9, 11], [0, 2, 3, 5, 6, 8]]
    monkeypatch.setattr("review.cells.MOST_SHARDS", 1)
    assert index.sample().tolist() == list(range(11))


def test_features_of_some_cells_are_those_of_the_tables(review):
    """Each table read by another library's reader, one after the other."""
    index, names = review.cells(), cell_columns_of(review)[5:8]
    expected = pd.concat([pd.read_parquet(path, columns=names) for path in index.paths]).to_numpy(np.float32)
    for cells in (np.arange(len(expected)), np.arange(1, len(expected), 3), np.empty(0, np.int64)):
        np.testing.assert_array_equal(index.read(cells, names), expected[cells])
    known, kept = review.feature_of_cells(np.array([0, 4]), names[1]), CellFeatures(Tasks())
    np.testing.assert_array_equal(known, expected[[0, 4], 1])
    ends = time.monotonic() + 20
    while kept.of(index, names[1]) is None:
        assert time.monotonic() < ends
        time.sleep(0.01)
    np.testing.assert_array_equal(kept.of_some(index, np.array([0, 4]), names[1]), expected[[0, 4], 1])


def test_values_of_the_fields_are_those_of_the_matrices_and_a_matrix_that_changed_is_noticed(made, review):
    catalogue, paths = review.catalogue, [made.run / f"features/{split}.parquet" for split in ("train", "test")]
    names = matrix_columns(catalogue.columns)["name"].tolist()
    expected = pd.concat([pd.read_parquet(path, columns=names) for path in paths]).to_numpy(np.float32)
    np.testing.assert_array_equal(review.values.of(names), expected)
    np.testing.assert_array_equal(review.values.row(25), expected[25])
    kept = np.arange(26) % 3 > 0
    some = MatrixValues(review.folder, catalogue.columns, kept)
    np.testing.assert_array_equal(some.of(names[3:5]), expected[kept][:, 3:5])
    np.testing.assert_array_equal(some.row(2), expected[4])
    for other in (np.ones(25, bool), np.ones(27, bool)):
        with pytest.raises(InputError, match="changed while it was looked at"):
            MatrixValues(review.folder, catalogue.columns, other).of(names[:1])


def test_values_of_a_matrix_that_was_replaced_are_not_taken_for_those_of_the_fields(made, tmp_path):
    """Also where it has as many rows: they may be of other fields."""
    run = RunFolder(shutil.copytree(made.run, tmp_path / "run"))
    columns, kept = read_columns(run), np.ones(26, bool)
    names = matrix_columns(columns)["name"].tolist()
    values = MatrixValues(run, columns, kept)
    assert values.row(3).shape == (len(names),)
    table = pd.read_parquet(run.matrix("train"))
    with whole(run.matrix("train")) as path:
        table.assign(Metadata_Id=np.roll(table["Metadata_Id"], 1)).to_parquet(path)
    for ask in (lambda: values.row(3), lambda: values.of(names[:1]), lambda: values.column(names[0])):
        with pytest.raises(InputError, match=r"changed while it was looked at\. Start review again\."):
            ask()


def test_a_new_field_far_from_those_fitted_on_is_out_of_distribution_and_one_among_them_is_not(review):
    columns = review.catalogue.columns
    values = np.random.default_rng(0).normal(size=(62, len(matrix_columns(columns)))).astype(np.float32)
    values[61] *= 50
    described = pd.DataFrame(values, columns=matrix_columns(columns)["name"])

    def values_of(names):
        return described[names].to_numpy()

    fitted_row, groups = np.append(np.arange(60), [-1, -1]), np.arange(60) // 2
    placed = place_fields(values_of, columns)
    assert np.flatnonzero(find_unlike(values_of, columns, placed, fitted_row, groups)).tolist() == [61]
    assert not find_unlike(values_of, columns, placed, fitted_row, None).any(), "no fit"
