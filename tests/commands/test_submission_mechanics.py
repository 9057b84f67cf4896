"""Kaggle's file: exactly its ids, in its order, no empty row, and a word on every field that it says nothing of."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from commands.submit import Calls, read_wanted, remarks, wanted_ids, write_submission
from engine.errors import InputError
from store.run_folder import RunFolder


@pytest.fixture
def calls():
    called = np.zeros((3, 28), bool)
    called[0, [25, 0]] = called[1, 7] = called[2, 27] = True
    return Calls(("a", "b", "c"), called / 2, called)


def test_order_and_ids_are_those_of_the_sample(tmp_path, calls):
    (tmp_path / "sample.csv").write_bytes(b"\xef\xbb\xbfId,Predicted\r\nc,0\r\nx,0\r\na,0\r\n")
    wanted = read_wanted(tmp_path / "sample.csv", calls.ids)
    assert write_submission(tmp_path / "submission.csv", wanted, calls, fallback=2) == 1
    assert (tmp_path / "submission.csv").read_text() == "Id,Predicted\nc,27\nx,2\na,0 25\n"


@pytest.fixture
def extracted(tmp_path):
    """A run whose test split is a, b, c and two fields that failed, in two shards."""
    folder = RunFolder(tmp_path / "run")
    (folder.features / "fields").mkdir(parents=True)
    for name, ids in {"test-00000": ["a", "b", "bad"], "test-00001": ["c", "cut"], "train-00000": ["t"]}.items():
        pq.write_table(pa.table({"Metadata_Id": ids}), folder.features / "fields" / f"{name}.parquet")
    return folder


def test_without_a_sample_all_test_fields_are_written_and_that_is_said(extracted, tmp_path, calls):
    sample = tmp_path / "sample_submission.csv"
    wanted = wanted_ids(extracted, sample, calls.ids)
    assert wanted == ["a", "b", "bad", "c", "cut"]
    assert write_submission(tmp_path / "submission.csv", wanted, calls, fallback=2) == 2
    assert "\nbad,2\n" in (tmp_path / "submission.csv").read_text()
    assert remarks(sample, wanted, calls.ids) == [
        f"{sample} is missing: one row for each of the 5 test fields, sorted by id"
    ]


def test_a_sample_of_other_fields_is_refused(tmp_path, calls):
    (tmp_path / "sample.csv").write_text("Id,Predicted\nx,0\ny,0\n")
    words = r"none of the 3 measured test fields is named in it \(sample.csv has for example x, the images a\)"
    with pytest.raises(InputError, match=words):
        read_wanted(tmp_path / "sample.csv", calls.ids)
    assert read_wanted(tmp_path / "sample.csv", ()) == ["x", "y"], "no image was usable: every row gets the fallback"


def test_measured_fields_without_a_row_are_counted(tmp_path, calls):
    sample = tmp_path / "sample.csv"
    sample.write_text("Id,Predicted\nc,0\nx,0\n")
    assert remarks(sample, read_wanted(sample, calls.ids), calls.ids) == [
        f"2 of 3 measured test fields have no row in {sample}"
    ]
    assert remarks(sample, ["c", "b", "a", "x"], calls.ids) == []


@pytest.mark.parametrize(
    ("text", "word"), [("Ident,Predicted\na,0\n", "Ident"), ("Id,Predicted\na,0\na,0\n", "more than once")]
)
def test_an_unusable_sample_is_named(tmp_path, text, word):
    (tmp_path / "sample.csv").write_text(text)
    with pytest.raises(InputError, match=word):
        read_wanted(tmp_path / "sample.csv", ())
