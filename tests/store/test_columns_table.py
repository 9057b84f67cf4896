"""columns.parquet: channels and parameters as lists, from a run that may be a stranger's."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.errors import InputError
from store.channels import ER, PROTEIN
from store.columns import Column, columns_frame, values_by_column, write_column_table
from store.matrix import read_columns
from store.prediction import PredictionFiles, PredictionTables, write_tables
from store.run_folder import RunFolder
from store.untrusted_input import read_table

COLUMNS = columns_frame(
    [Column("Cells", "Texture", "Contrast", (PROTEIN, ER), (3, "mean")), Column("Image", "Count", "Cells")]
)


def test_columns_go_there_and_back_as_tuples(tmp_path):
    folder = RunFolder(tmp_path)
    write_column_table(folder.columns, COLUMNS)
    assert pq.read_schema(folder.columns).field("channels").type == pa.list_(pa.string())
    pd.testing.assert_frame_equal(read_columns(folder), COLUMNS, check_dtype=False)
    assert read_columns(folder)["channels"].tolist() == [("Protein", "ER"), ()]
    assert read_columns(folder)["parameters"].tolist() == [("3", "mean"), ()]


def test_columns_without_any_channel_are_still_lists_of_text(tmp_path):
    write_column_table(tmp_path / "columns.parquet", COLUMNS.tail(1))
    assert pq.read_schema(tmp_path / "columns.parquet").field("channels").type == pa.list_(pa.string())


@pytest.mark.parametrize("tokens", [("<script>",), ("Protein ER",), ("",)])
def test_a_token_that_is_none_is_refused(tmp_path, tokens):
    folder = RunFolder(tmp_path)
    write_column_table(folder.columns, COLUMNS.assign(channels=[tokens, ()]))
    with pytest.raises(InputError, match="does not hold columns of features"):
        read_columns(folder)


@pytest.mark.parametrize(("column", "said"), [
    (pa.array([["a", None]]), "has gaps"),
    (pa.array([["a"], None]), "has gaps"),
    (pa.array([["x" * 1001]]), "a text of over 1,000 characters"),
    (pa.array([[1, 2]]), "should hold texts"),
    (pa.array(["a"]), "should hold texts"),
])  # fmt: skip
def test_lists_that_are_none_of_texts_are_refused(tmp_path, column, said):
    pq.write_table(pa.table({"x": column}), tmp_path / "t.parquet")
    with pytest.raises(InputError, match=said):
        read_table(tmp_path / "t.parquet", {"x": "texts"})


def test_one_row_that_claims_millions_of_texts_is_refused(tmp_path):
    many = pa.DictionaryArray.from_arrays(pa.array(np.zeros(30_000_000, np.int8)), ["a"])
    pq.write_table(pa.table({"x": pa.ListArray.from_arrays([0, len(many)], many)}), tmp_path / "t.parquet")
    assert (tmp_path / "t.parquet").stat().st_size < 100_000
    with pytest.raises(InputError, match="says it has 1 rows and 30,000,000 texts in them"):
        read_table(tmp_path / "t.parquet", {"x": "texts"})


def test_a_long_text_that_comes_often_is_in_memory_once(tmp_path):
    pq.write_table(pa.table({"x": pa.array([["x" * 900] * 1000] * 10)}), tmp_path / "t.parquet")
    before = pa.total_allocated_bytes()
    table = read_table(tmp_path / "t.parquet", {"x": "texts"})
    assert table.num_rows == 10
    assert pa.total_allocated_bytes() - before < 20_000_000


def test_names_are_joined_only_as_csv_files_are_written(tmp_path):
    names = ("Nucleoli", "Rods & rings")
    predictions = pd.DataFrame({"Id": ["a"], "Called": [names[:1]], "Set": [names]})
    why = pd.DataFrame({"Id": ["a"], "Channels": [("Protein", "ER")]})
    neighbours = pd.DataFrame({"Id": ["a", "a"], "Labels": [names, ()]})
    tables = PredictionTables(predictions, pd.DataFrame({"Id": []}), why, neighbours)
    write_tables(PredictionFiles(tmp_path), tables)
    assert (tmp_path / "predictions.csv").read_text() == "Id,Called,Set\na,Nucleoli,Nucleoli; Rods & rings\n"
    assert (tmp_path / "why.csv").read_text() == "Id,Channels\na,Protein ER\n"
    assert (tmp_path / "neighbours.csv").read_text() == "Id,Labels\na,Nucleoli; Rods & rings\na,\n"
    assert predictions["Set"][0] == names


def test_values_of_a_table_in_pieces_are_rows_of_an_array():
    pieces = [pa.table({"a": np.float32([1, 2]), "b": np.float32([3, np.nan])}), pa.table({"a": [5], "b": [None]})]
    table = pa.concat_tables([pieces[0], pieces[1].cast(pieces[0].schema)])
    np.testing.assert_array_equal(values_by_column(table), np.float32([[1, 2, 5], [3, np.nan, np.nan]]))
    assert values_by_column(table[:0]).shape == (2, 0)
