"""From a shard's cells to rows of the matrix: which pools are kept, and who says so."""

import time
from contextlib import nullcontext
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from commands.pooling import pool_split
from engine.errors import InputError
from features.extraction.pooled_shards import pool_again, pooled_shard, store_pooled
from features.extraction.pooling import pool, pool_shard
from store.matrix import matrix_columns, read_hashes, read_matrix, write_matrix
from store.run_folder import RunFolder
from store.schema import METADATA_ID
from store.shards import Shard, write_shard_table
from store.untrusted_input import _look, read_numbers


@pytest.fixture
def columns() -> pd.DataFrame:
    rows = [("a", "Cells", ("Protein",)), ("b", "Cells", ("ER", "Protein")), ("c", "Cells", ("ER",))]
    rows += [("d", "Nuclei", ()), ("count", "Image", ())]
    frame = pd.DataFrame(rows, columns=["name", "compartment", "channels"])
    return frame.assign(family="F", feature="F", parameters=[()] * len(frame), covariate=False)


@pytest.fixture
def shard(tmp_path):
    cells = {"Metadata_Id": ["y", "y", "x"], **{name: np.float32([1, 3, 5]) for name in "abcd"}}
    fields = {"Metadata_Id": ["x", "y", "z"], "Metadata_Error": [None, None, "broken"], "count": np.float32([1, 2, 0])}
    pq.write_table(pa.table(cells), tmp_path / "cells.parquet")
    pq.write_table(pa.table(fields), tmp_path / "fields.parquet")
    return tmp_path / "cells.parquet", tmp_path / "fields.parquet"


def test_every_mean_is_kept_but_only_the_proteins_tops(columns):
    assert list(matrix_columns(columns)["name"]) == ["a_mean", "b_mean", "c_mean", "d_mean", "a_top", "b_top", "count"]


def test_matrix_goes_there_and_back(columns, shard, tmp_path):
    write_matrix(tmp_path / "train.parquet", [pool_shard(*shard, columns)], columns, "these")
    matrix = read_matrix(tmp_path / "train.parquet", columns)
    assert matrix.ids == ("x", "y")
    np.testing.assert_array_equal(matrix.values, [[5, 5, 5, 5, 5, 5, 1], [2, 2, 2, 2, 3, 3, 2]])
    np.testing.assert_array_equal(matrix.named(["count", "b_top"]), [[1, 5], [2, 3]])


def test_a_field_that_failed_leaves_the_hashes_of_others_whole(columns, shard, tmp_path):
    hashes = [2**64 - 1, 2**53 + 1, None]
    fields = pq.read_table(shard[1]).append_column("Metadata_HashProtein", pa.array(hashes, pa.uint64()))
    pq.write_table(fields, shard[1])
    write_matrix(tmp_path / "train.parquet", [pool_shard(*shard, columns)], columns, "these")
    assert read_hashes(tmp_path / "train.parquet")["Metadata_HashProtein"].tolist() == hashes[:2]


def test_a_shard_pooled_while_measured_is_the_same_as_one_read_again(columns, shard, tmp_path, monkeypatch):
    cells, fields = map(pq.read_table, shard)
    hashes = pa.array([2**64 - 1, 2**53 + 1, None], pa.uint64())
    fields = fields.append_column("Metadata_HashProtein", hashes)
    made = Shard("train", 0, ("x", "y", "z"), "stamp", tmp_path)
    write_shard_table(made.cells_path, cells, "stamp")
    write_shard_table(made.fields_path, fields, "stamp")
    expected = pooled_shard(made, columns)
    store_pooled(columns, made, cells, fields)
    reads = []

    def spy(*paths_and_columns):
        reads.append(paths_and_columns)
        return pool_shard(*paths_and_columns)

    monkeypatch.setattr("features.extraction.pooled_shards.pool_shard", spy)
    metadata, values = pooled_shard(made, columns)
    assert not reads
    pd.testing.assert_frame_equal(metadata, expected[0])
    np.testing.assert_array_equal(values, expected[1])
    for changed in (columns[1:], columns):
        pooled_shard(made, changed)
        monkeypatch.setattr("features.extraction.pooled_shards.pooling_code", lambda: "other")
    assert len(reads) == 2, "pooled again from the cells when columns or the code that pools change"
    pooled_shard(Shard("train", 0, ("x", "y", "z"), "measured anew", tmp_path), columns)
    assert len(reads) == 3
    whole = made.pooled_path.read_bytes()
    made.pooled_path.write_bytes(whole[:4] + bytes(400) + whole[404:])
    pooled_shard(made, columns)
    assert len(reads) == 4, "pooled again where the file is damaged"
    store_pooled(columns, made, cells[:0], fields[2:])
    assert pooled_shard(made, columns)[1].shape == (0, 7), "all fields failed"


def test_workers_pool_again_only_what_is_out_of_date(columns, shard, tmp_path, monkeypatch):
    shards = [Shard("train", k, (), f"stamp {k}", tmp_path / "features") for k in range(3)]
    for made in shards:
        cells, fields = map(pq.read_table, shard)
        cells, fields = (
            table.set_column(0, METADATA_ID, pc.binary_join_element_wise(table[METADATA_ID], str(made.number), ""))
            for table in (cells, fields)
        )
        write_shard_table(made.cells_path, cells, made.stamp)
        write_shard_table(made.fields_path, fields, made.stamp)
        if made.number == 1:
            store_pooled(columns, made, cells, fields)
    pooled, bar = [], Mock()
    monkeypatch.setattr("commands.pooling.pool_again", lambda *task: pooled.append(task[0].number) or pool_again(*task))
    monkeypatch.setattr("commands.pooling.progress", lambda *_: nullcontext(bar))
    pool_split(RunFolder(tmp_path), shards, columns, workers=1, quiet=True)
    assert pooled == [0, 2]
    assert bar.advance.call_count == len(shards), "each is counted once"
    matrix = read_matrix(tmp_path / "features/train.parquet", columns)
    assert matrix.ids == ("x0", "y0", "x1", "y1", "x2", "y2")
    np.testing.assert_array_equal(matrix.values, 3 * [[5, 5, 5, 5, 5, 5, 1], [2, 2, 2, 2, 3, 3, 2]])


def test_a_matrix_in_several_pieces_is_the_same(columns, shard, tmp_path, monkeypatch):
    metadata, values = pool_shard(*shard, columns)
    shards = [(metadata.assign(Metadata_Id=[f"{k}{i}" for i in metadata["Metadata_Id"]]), values + k) for k in range(5)]
    nothing = (metadata[:0], values[:0])
    monkeypatch.setattr("store.matrix.ROWS_A_GROUP", 3)
    monkeypatch.setattr("store.untrusted_input._COLUMNS_AT_ONCE", 2)
    write_matrix(tmp_path / "train.parquet", [nothing, *shards, nothing], columns, "these")
    assert pq.ParquetFile(tmp_path / "train.parquet").num_row_groups == 3
    matrix = read_matrix(tmp_path / "train.parquet", columns)
    np.testing.assert_array_equal(matrix.values, np.concatenate([values for _, values in shards]))
    assert matrix.ids == tuple(i for metadata, _ in shards for i in metadata["Metadata_Id"])
    write_matrix(tmp_path / "none.parquet", [nothing], columns, "these")
    assert read_matrix(tmp_path / "none.parquet", columns).values.shape == (0, 7)


def test_a_column_of_another_extraction_is_named(columns, shard, tmp_path):
    write_matrix(tmp_path / "train.parquet", [pool_shard(*shard, columns)], columns, "these")
    with pytest.raises(InputError, match="column e_mean is missing"):
        read_matrix(tmp_path / "train.parquet", columns).named(["a_mean", "e_mean"])


def test_thousands_of_columns_are_looked_at_once_each(tmp_path):
    names = [f"c{k}" for k in range(10_000)]
    pq.write_table(pa.table({name: np.zeros(1, np.float32) for name in names}), tmp_path / "wide.parquet")
    with pq.ParquetFile(tmp_path / "wide.parquet") as file:
        start = time.process_time()
        _look(tmp_path / "wide.parquet", file, dict.fromkeys(names, "number"), "")
    assert time.process_time() - start < 2, "seconds; many times that where each column searches all names"


def test_a_column_that_comes_twice_is_refused(tmp_path):
    pq.write_table(pa.Table.from_arrays([pa.array([1.0])] * 2, ["a", "a"]), tmp_path / "twice.parquet")
    with pytest.raises(InputError, match=r"twice\.parquet cannot be used: a column comes twice"):
        read_numbers(tmp_path / "twice.parquet", ["a"])


def test_no_matrix_says_what_to_run(columns, tmp_path):
    with pytest.raises(InputError, match="extract first"):
        read_matrix(tmp_path / "none.parquet", columns)


def test_only_what_is_kept_is_pooled(columns, shard, monkeypatch):
    asked = []

    def spy(values, index, n_fields, pools, mass):
        asked.append((values.shape[1], list(pools)))
        return pool(values, index, n_fields, pools, mass)

    monkeypatch.setattr("features.extraction.pooling.pool", spy)
    pool_shard(*shard, columns)
    assert asked == [(4, ["mean"]), (2, ["top"])]
