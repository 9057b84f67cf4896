"""The cleaning tables in the run folder: planted copies are listed, doubted labels can be reviewed."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engine.errors import InputError
from engine.run_folder import RunFolder
from features._field import field_hashes
from models.doubts import SUSPECT_COLUMNS, suspects_table
from models.labels import ORGANELLES
from models.matrix import FieldMatrix
from stages import cleaning
from stages.fitting import TrainingSet, hashes_of

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
    folder = RunFolder(tmp_path)
    folder.features.mkdir()
    pq.write_table(pa.Table.from_pandas(test), folder.matrix("test"))
    labels = np.zeros((6, 28), bool)
    labels[:, 0] = True
    labels[4, 3] = True
    given = np.array([0, 1, 0, 2, 3, 4])
    matrix = FieldMatrix(train, np.zeros((6, 1), np.float32), pd.DataFrame({"name": ["x"]}))
    return folder, TrainingSet(matrix, labels, given, "groups.csv", given, np.empty((0, 2), np.int64), 0)


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
    folder.matrix("test").unlink()
    table = cleaning.write_duplicates(folder, training)
    assert set(table["where"]) == {"train"}
    lines, facts = cleaning.lines_and_facts(folder, table, pd.DataFrame(columns=SUSPECT_COLUMNS))
    assert lines[0].startswith("2 pairs of near-identical fields, 0 between train and test")
    assert facts["duplicates"].endswith("duplicates.csv")


def test_a_flipped_label_is_told_with_its_similar_fields(planted, rng):
    folder, training = planted
    n = 40
    labels = np.zeros((n, 28), bool)
    labels[:20, 7] = labels[20:, 23] = True
    p = np.where(labels, 0.9, 0.05) + rng.uniform(-0.03, 0.03, labels.shape)
    p[3, 23] = 0.01
    labels[3] = labels[25]  # carries Mitochondria now, looks like the Golgi fields
    ids = tuple(f"f{i:02}" for i in range(n))
    fitted = SimpleNamespace(
        fold=np.zeros(n, int), probabilities=p.astype(np.float32), evaluable=np.isin(np.arange(28), (7, 23))
    )
    matrix = FieldMatrix(pd.DataFrame({"Metadata_Id": ids}), np.zeros((n, 1)), training.matrix.columns)
    groups = np.arange(n) // 2
    cleaning.write_suspects(folder, fitted, SimpleNamespace(matrix=matrix, labels=labels, groups=groups))
    table = cleaning.read_suspects(folder)
    assert list(table.columns) == SUSPECT_COLUMNS
    mine = table[table["Id"] == "f03"].set_index("kind")
    assert mine.loc["missing", "organelle"] == ORGANELLES[7]
    assert mine.loc["wrong", "organelle"] == ORGANELLES[23]
    assert mine.loc["missing", ["labels", "similar_with", "similar"]].tolist() == ["Mitochondria", 5, 5]
    assert mine.loc["missing", "most_similar_labels"] == "Golgi apparatus"
    assert mine.loc["missing", "most_similar"] not in ("f02", "f03")


def test_no_doubt_gives_a_table_with_columns_and_an_older_run_says_what_to_do(tmp_path):
    nothing = suspects_table((), np.zeros((0, 28), bool), np.zeros((0, 28)), np.zeros(28, bool), np.zeros(0, int))
    assert list(nothing.columns) == SUSPECT_COLUMNS
    with pytest.raises(InputError, match=r"duplicates.csv is missing.*cli.py fit"):
        cleaning.read_duplicates(RunFolder(tmp_path))
