"""Kaggle's file: exactly its ids, in its order, no empty row, and a count of those without an image."""

import numpy as np
import pytest

from engine.errors import InputError
from stages.submission import Calls, read_wanted, write_submission


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


def test_without_a_sample_the_test_fields_are_written(tmp_path, calls):
    assert read_wanted(tmp_path / "none.csv", calls.ids) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "word"), [("Ident,Predicted\na,0\n", "Ident"), ("Id,Predicted\na,0\na,0\n", "more than once")]
)
def test_an_unusable_sample_is_named(tmp_path, text, word):
    (tmp_path / "sample.csv").write_text(text)
    with pytest.raises(InputError, match=word):
        read_wanted(tmp_path / "sample.csv", ())
