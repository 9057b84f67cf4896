"""train.csv and groups.csv as people have them: what is read, and the sentence when it cannot be."""

import numpy as np
import pytest

from engine.errors import InputError, UsageError
from models.data.groups import groups_from_ids, read_groups
from models.data.labels import read_labels
from models.data.training_set import find_groups
from store.classes import KAGGLE, ORGANELLES, folder_name


def written(tmp_path, text, name="train.csv"):
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8"))
    return path


def test_kaggles_form(tmp_path):
    labels = read_labels(written(tmp_path, "Id,Target\na,16 0\nb,27\n"))
    assert labels.ids == ("a", "b")
    assert labels.matrix.shape == (2, 28)
    assert np.flatnonzero(labels.matrix[0]).tolist() == [0, 16]
    assert ORGANELLES[np.flatnonzero(labels.matrix[1])[0]] == "Rods & rings"


def test_byte_order_mark_and_windows_line_ends(tmp_path):
    labels = read_labels(written(tmp_path, "\ufeffId,Target,CellLine\r\na,3,U-2 OS\r\nb, 1  2 ,\r\n"))
    assert labels.ids == ("a", "b")
    assert np.flatnonzero(labels.matrix[1]).tolist() == [1, 2]


def test_rows_in_the_order_asked_for(tmp_path):
    labels = read_labels(written(tmp_path, "Id,Target\na,0\nb,1\nc,2\n"))
    assert np.argmax(labels.of(["c", "a"]), axis=1).tolist() == [2, 0]
    with pytest.raises(InputError, match=r"1 of 2 fields have no labels \(the first is x\)"):
        labels.of(["a", "x"])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("Id,Labels\na,1\n", r"column Target is missing \(found Id, Labels\)"),
        ("Id,Target\na,1\nb,2\na,3\n", r"Id a comes more than once \(lines 2, 4\)"),
        ("Id,Target\na,1\nb,28\n", r"line 3, field b: unknown label '28'"),
        ("Id,Target\na,1 -1\n", "unknown label '-1'"),
        ("Id,Target\na,1 0\nb,1 x\n", "'1 x' is no label number, but line 2 has '1 0'"),
        ("Id,Target\na,1.0\n", "unknown label '1.0'"),
        ("Id,Target\na,²\n", "unknown label '²'"),
        ("Id,Target\na,\n", r"line 2, field a: Target is empty"),
        ("", "cannot be read as a csv table"),
    ],
)
def test_what_is_wrong_is_said(tmp_path, text, sentence):
    with pytest.raises(InputError, match=sentence):
        read_labels(written(tmp_path, text))


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.csv does not exist"):
        read_labels(tmp_path / "nowhere.csv")


def test_groups_of_a_table(tmp_path):
    path = written(tmp_path, "Id,Group,CellLine\nb,7,A\na,7,A\nc,8,B\ny,,B\n", "groups.csv")
    groups = read_groups(path, ["a", "x", "b", "c", "y"])
    assert groups.numbers.tolist() == [0, 1, 0, 2, 3]
    assert groups.named.tolist() == [True, False, True, True, False]


def test_groups_that_differ_only_in_case_are_two_and_said(tmp_path, caplog):
    path = written(tmp_path, "Id,Group\na,Ab1\nb,ab1\nc,Ab1\nd,Ab2\n", "groups.csv")
    assert read_groups(path, ["a", "b", "c", "d"]).numbers.tolist() == [0, 1, 0, 2]
    assert "1 pair of names differ only in upper and lower case, and count as two groups: Ab1 and ab1." in caplog.text


def test_a_group_named_like_a_field_is_not_that_field(tmp_path):
    groups = read_groups(written(tmp_path, "Id,Group\na,x\n", "groups.csv"), ["a", "x"]).numbers
    assert groups[0] != groups[1]


def test_groups_of_other_fields_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"none of the 2 fields is named in it \(groups.csv has for example a"):
        read_groups(written(tmp_path, "Id,Group\na,1\n", "groups.csv"), ["p", "q"])


def test_a_table_of_groups_that_is_not_there_is_asked_for_by_its_option(tmp_path):
    with pytest.raises(InputError, match=r"nog\.csv does not exist\. Name .* --groups"):
        find_groups(tmp_path, tmp_path / "nog.csv", ("a",))


def test_antibodies_from_ids():
    groups = groups_from_ids(["10_1_A_1", "11_1_A_1", "10_2_B_3", "00070df0-bbc3", "00070df0-bbc4"])
    assert groups.numbers.tolist() == [0, 1, 0, 2, 3]
    assert groups.named.tolist() == [True, True, True, False, False]


def test_folders_can_be_typed():
    names = [folder_name(j) for j in range(28)]
    assert names[3] == "03_Nucleoli_fibrillar_center"
    assert names[27] == "27_Rods_and_rings"
    assert all(name.isascii() and " " not in name for name in names)


@pytest.mark.shared
def test_the_real_table(shared_data):
    labels = read_labels(shared_data / "tables" / "train.csv")
    assert labels.matrix.shape == (31072, 28)
    assert labels.matrix.sum(0)[[0, 27]].tolist() == [12885, 11]
    assert round(labels.matrix.sum() / 31072, 3) == 1.634
    assert not (labels.matrix[:, 10] & ~labels.matrix[:, 9]).any(), "lysosomes always come with endosomes"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("golgi", "Golgi apparatus"),
        (" GOLGI  apparatus ", "Golgi apparatus"),
        ("Nucleoli", "Nucleoli"),
        ("rods", "Rods & rings"),
    ],
)
def test_an_organelle_is_found_by_its_name_or_a_part_of_it(typed, meant):
    assert KAGGLE.find(typed) == meant


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("Golgy aparatus", r"no organelle. Did you mean Golgi apparatus\?"),
        ("nuclear", "may be Nuclear membrane, Nuclear speckles or Nuclear bodies"),
        ("xyzzy", "Choose one of: Nucleoplasm, "),
        ("", "Choose one of"),
    ],
)
def test_a_name_that_is_none_or_several_gets_the_nearest(typed, said):
    with pytest.raises(UsageError, match=said):
        KAGGLE.find(typed)
