"""The cleaning tables in the run folder: planted copies are listed, doubted labels can be reviewed."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from commands import data_quality as cleaning
from engine.errors import InputError
from features.extraction.field_level import field_hashes
from models.data import duplicates
from models.data.duplicates import hashes_of, near_identical
from models.data.groups import Groups
from models.data.training_set import TrainingSet, read_training_set
from models.trust.label_errors import label_errors_table
from store.classes import KAGGLE, ORGANELLES
from store.columns import Column, columns_frame, write_column_table
from store.matrix import FieldMatrix, write_matrix
from store.run_folder import RunFolder
from store.schema import LABEL_ERRORS

NAMES = [f"Metadata_Hash{k}" for k in range(4)]


def metadata(fields: dict[str, np.ndarray]) -> pd.DataFrame:
    hashes = np.array([field_hashes(pixels) for pixels in fields.values()])
    return pd.DataFrame({"Metadata_Id": list(fields)} | {name: hashes[:, k] for k, name in enumerate(NAMES)})


@pytest.fixture
def planted(rng, tmp_path):
    """Six training fields, the third a copy, the fifth a turned one; three of the test, one of them a dimmer copy."""
    fields = {f"f{k}": (np.kron(rng.random((4, 16, 16)), np.ones((8, 8))) * 255).astype(np.uint8) for k in range(9)}
    fields["f2"] = fields["f0"].copy()
    fields["f4"] = np.rot90((fields["f1"] * 0.7).astype(np.uint8), axes=(1, 2))
    fields["f7"] = (fields["f3"] * 0.8).astype(np.uint8)
    train = metadata({name: fields[name] for name in ("f0", "f1", "f2", "f3", "f4", "f5")})
    test = metadata({name: fields[name] for name in ("f6", "f7", "f8")})
    labels = np.zeros((6, 28), bool)
    labels[:, 0] = True
    labels[4, 3] = True
    given = Groups(np.array([0, 1, 0, 2, 3, 4]), np.ones(6, bool))
    matrix = FieldMatrix(train, np.zeros((6, 1), np.float32), pd.DataFrame({"name": ["x"]}))
    pairs = near_identical(train, test)
    return RunFolder(tmp_path), TrainingSet(matrix, KAGGLE, labels, given.numbers, "groups.csv", given, test, pairs, 0)


def test_planted_copies_within_and_between_the_splits_are_listed(planted):
    folder, training = planted
    assert hashes_of(training.matrix.metadata).shape == (6, 4)
    cleaning.write_duplicates(folder, training)
    table = cleaning.read_duplicates(folder).set_index(["first", "second"])
    assert set(table.index) == {("f0", "f2"), ("f1", "f4"), ("f3", "f7")}
    assert table.loc[("f0", "f2")].tolist() == ["train", 0, "yes", "same"]
    assert table.loc[("f1", "f4"), ["where", "same_labels", "groups"]].tolist() == ["train", "no", "joined"]
    assert table.loc[("f3", "f7"), ["where", "same_labels", "groups"]].tolist() == ["train and test", "", ""]


def test_without_a_test_split_only_training_fields_are_compared(planted):
    folder, training = planted
    alone = training.matrix.metadata
    training = replace(training, test=alone[:0], duplicates=near_identical(alone, alone[:0]))
    table = cleaning.write_duplicates(folder, training)
    assert set(table["where"]) == {"train"}
    lines = cleaning.DataQuality(table, pd.DataFrame(columns=list(LABEL_ERRORS))).lines(folder)
    assert lines[0].startswith("2 pairs of near-identical fields (0 between train and test) in ")


@pytest.fixture
def extracted(rng, tmp_path):
    """Training fields a, b, c and x, test field t; a and b are 40 bits apart, t lies between them, c is a."""
    columns = columns_frame([Column("Image", "Count", "Cells")])
    t, x = rng.integers(2**64, size=(2, 4), dtype=np.uint64)
    a, b = t.copy(), t.copy()
    a[1] ^= np.uint64(2**20 - 1)
    b[2] ^= np.uint64(2**20 - 1)
    folder = RunFolder(tmp_path)
    for split, fields in (("train", {"a": a, "b": b, "c": a, "x": x}), ("test", {"t": t})):
        table = pd.DataFrame({"Metadata_Id": list(fields)} | dict(zip(NAMES, np.array(list(fields.values())).T)))
        write_matrix(folder.matrix(split), [(table, np.zeros((len(table), 1), np.float32))], columns, "these")
    write_column_table(folder.columns, columns)
    (tmp_path / "train.csv").write_text("Id,Target\na,0\nb,0\nc,0\nx,1\n")
    return folder


def test_one_search_serves_groups_and_list_and_test_fields_join_no_groups(extracted, tmp_path, monkeypatch):
    searched = []
    search = duplicates._near
    monkeypatch.setattr(duplicates, "_near", lambda *given: searched.append(len(given[0])) or search(*given))
    training = read_training_set(tmp_path, extracted, None, covariates=True)
    table = cleaning.write_duplicates(extracted, training)
    assert searched == [5]
    assert training.groups.tolist() == [0, 1, 0, 2]
    found = table[["first", "second", "where", "bits"]].to_numpy().tolist()
    expected = [["a", "c", "train", 0], *([field, "t", "train and test", 20] for field in "abc")]
    assert found == expected


def test_without_test_fields_the_groups_are_the_same(extracted, tmp_path):
    extracted.matrix("test").unlink()
    training = read_training_set(tmp_path, extracted, None, covariates=True)
    assert training.groups.tolist() == [0, 1, 0, 2]
    assert training.duplicates.tolist() == [[0, 2]]
    assert len(training.test) == 0


@pytest.mark.parametrize(
    ("text", "named", "said"),
    [
        ("a,1\nb,2\nc,3\nx,4\n", 4, "groups.csv and near-identical fields"),
        (
            "a,1\nb,1\n",
            2,
            "groups.csv and near-identical fields; not named there, so each a group of its own: 2 fields",
        ),
        (None, 0, "ids and near-identical fields"),
    ],
)
def test_fields_that_no_table_of_groups_names_are_told(extracted, tmp_path, text, named, said):
    if text:
        (tmp_path / "groups.csv").write_text(f"Id,Group\n{text}")
    training = read_training_set(tmp_path, extracted, None, covariates=True)
    assert training.groups_given.named.sum() == named
    assert training.groups_from.endswith(said)


def test_a_table_without_all_hashes_is_refused(planted):
    table = planted[1].matrix.metadata
    for names in ([], NAMES[:1], NAMES[:3]):
        with pytest.raises(InputError, match=rf"6 fields has {len(names)} hashes a field; expected 4.*extract again"):
            near_identical(table, table[["Metadata_Id", *names]])


def test_a_flipped_label_is_told_with_its_similar_fields(planted, rng):
    folder, _ = planted
    n = 40
    labels = np.zeros((n, 28), bool)
    labels[:20, 7] = labels[20:, 23] = True
    p = np.where(labels, 0.9, 0.05) + rng.uniform(-0.03, 0.03, labels.shape)
    p[3, 23] = 0.01
    labels[3] = labels[25]  # carries Mitochondria now, looks like the Golgi fields
    ids = tuple(f"f{i:02}" for i in range(n))
    fitted = SimpleNamespace(
        ids=ids, classes=KAGGLE, labels=labels, groups=np.arange(n) // 2, fold=np.zeros(n, int),
        probabilities=p.astype(np.float32), trainable=np.isin(np.arange(28), (7, 23)),
    )  # fmt: skip
    cleaning.write_label_errors(folder, fitted)
    table = cleaning.read_label_errors(folder)
    assert list(table.columns) == list(LABEL_ERRORS)
    mine = table[table["Id"] == "f03"].set_index("kind")
    assert mine.loc["missing", "organelle"] == ORGANELLES[7]
    assert mine.loc["wrong", "organelle"] == ORGANELLES[23]
    assert mine.loc["missing", ["labels", "similar_with", "similar"]].tolist() == ["Mitochondria", 5, 5]
    assert mine.loc["missing", "most_similar_labels"] == "Golgi apparatus"
    assert mine.loc["missing", "most_similar"] not in ("f02", "f03")


def test_no_doubt_gives_a_table_with_columns_and_an_older_run_says_what_to_do(tmp_path):
    nothing = label_errors_table(
        (), KAGGLE, np.zeros((0, 28), bool), np.zeros((0, 28)), np.zeros(28, bool), np.zeros(0, int)
    )
    assert list(nothing.columns) == list(LABEL_ERRORS)
    with pytest.raises(InputError, match=r"duplicates.csv is missing.*cli.py fit"):
        cleaning.read_duplicates(RunFolder(tmp_path))


@pytest.mark.parametrize(
    "text",
    ["Id,organelle\nf1,Nucleoli\n", ",".join(LABEL_ERRORS) + "\nf1,Nucleoli,wrong\n", "\0\n", ""],
    ids=["no such columns", "a short row", "no text", "empty"],
)
def test_a_damaged_table_is_named_with_what_to_do(tmp_path, text):
    folder = RunFolder(tmp_path)
    folder.label_errors.write_text(text)
    with pytest.raises(InputError, match=r"label_errors.csv cannot be used \(.*\)\. Run .*cli.py fit.* again"):
        cleaning.read_label_errors(folder)
