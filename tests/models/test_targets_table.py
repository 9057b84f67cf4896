"""What the labels of train.csv are taken for: Kaggle's numbers of two years, the HPA's names, a lab's own."""

from pathlib import Path

import numpy as np
import pytest

from engine.errors import InputError
from engine.ids import no_match
from models.data.labels import read_labels
from models.data.targets import class_counts
from store.classes import HPA_2021, ORGANELLES, Classes, folder_name, why_no_class


def read(tmp_path, *targets, header="Id,Target", own=False):
    rows = [f'f{k},"{target}"' for k, target in enumerate(targets)]
    (tmp_path / "train.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return read_labels(tmp_path / "train.csv", own)


def named(labels):
    return [set(labels.classes.named(row)) for row in labels.matrix]


def test_numbers_under_target_are_those_of_2018_and_under_label_those_of_2021(tmp_path):
    """8 is Peroxisomes in one and Intermediate filaments in the other: scores were of nonsense, without a word."""
    assert named(read(tmp_path, "8|16", "0"))[0] == {"Peroxisomes", "Cytokinetic bridge"}
    of_2021 = read(tmp_path, "8|16", "18", header="ID,Label")
    assert of_2021.classes.names == HPA_2021
    assert len(HPA_2021) == 19
    assert named(of_2021) == [{"Intermediate filaments", "Cytosol"}, {"Negative"}]
    assert any("2021" in remark for remark in of_2021.remarks)
    with pytest.raises(InputError, match="unknown label '19'"):
        read(tmp_path, "19", header="ID,Label")


def test_the_hpas_names_in_any_case_are_the_28_organelles_and_it_says_so(tmp_path):
    labels = read(tmp_path, "nucleoplasm |Cell Junctions", "Rods & Rings", "Cytosol")
    assert labels.classes.names == ORGANELLES
    assert named(labels) == [{"Nucleoplasm", "Cell junctions"}, {"Rods & rings"}, {"Cytosol"}]
    assert any("'Cell Junctions' as Cell junctions" in remark for remark in labels.remarks)


def test_names_with_spaces_are_found_without_a_mark_between_them(tmp_path):
    labels = read(tmp_path, "Golgi apparatus Cytosol", "Cytosol, Nucleoli fibrillar center", "Nucleoli")
    assert named(labels) == [{"Golgi apparatus", "Cytosol"}, {"Cytosol", "Nucleoli fibrillar center"}, {"Nucleoli"}]


def test_locations_of_the_hpa_beyond_the_28_come_behind_them(tmp_path):
    labels = read(tmp_path, "Vesicles;Cytosol", "Midbody", "Nucleoli")
    assert labels.classes.names == (*ORGANELLES, "Midbody", "Vesicles")
    assert labels.classes.noun == "organelle"
    assert not labels.classes.is_kaggle


def test_own_names_are_sorted_and_a_field_may_carry_none(tmp_path):
    labels = read(tmp_path, "wild type", "drug A|drug B", "", "drug B")
    assert labels.classes.names == ("drug A", "drug B", "wild type")
    assert named(labels) == [{"wild type"}, {"drug A", "drug B"}, set(), {"drug B"}]
    assert class_counts(labels.classes, labels.matrix) == (
        "3 classes of your own: drug A (1 field), drug B (2 fields), wild type (1 field)",
        "without a class: 1 field of 4",
    )


def test_own_words_are_split_only_where_each_stands_alone_elsewhere_and_it_says_so(tmp_path):
    labels = read(tmp_path, "dead", "alive", "dead alive", "cell death")
    assert labels.classes.names == ("alive", "cell death", "dead")
    assert named(labels)[2] == {"dead", "alive"}
    assert any("'dead alive'" in remark and "write | between" in remark for remark in labels.remarks)
    assert read(tmp_path, "dead|x", "alive", "dead alive").classes.names == ("alive", "dead", "dead alive", "x")


@pytest.mark.parametrize(
    ("targets", "sentence"),
    [
        (("25 0", "Cytosol"), r"line 3, field f1: 'Cytosol' is no label number, but line 2 has '25 0'"),
        (("Cytosol", "Nucleoplsm"), r"line 3.*unknown class 'Nucleoplsm'.*Did you mean Nucleoplasm\?.*--own-classes"),
        (("drugA", "DrugA", "b"), r"'drugA' \(line 2\) or 'DrugA' \(line 3\), which differ only in upper case"),
        (("drug  A", "drug A", "b"), "differ only in upper case, spaces"),
        (("café", "cafe\u0301", "b"), "differ only in upper case, spaces or accents"),
        (("mine", "mine"), r"names 1 class \(mine\); expected from 2"),
        (("Cytosol", ""), "line 3, field f1: Target is empty.*--own-classes"),
        (("Called", "b"), "the class 'Called' is the name of another column"),
        (("X", "b"), "the class 'X' is the name of another column"),
        (("a;b|c", "d|e"), "holds ';', which stands between the classes"),
        (("=1+1", "b"), "starts with '=', which a spreadsheet runs"),
        (("a\u202eb", "c"), r"not printed \(U\+202E\)"),
        (("x" * 101, "b"), "has 101 characters"),
    ],
)
def test_what_cannot_be_meant_is_asked(tmp_path, targets, sentence):
    with pytest.raises(InputError, match=sentence):
        read(tmp_path, *targets)


def test_own_classes_may_look_like_organelles_or_numbers_when_the_user_says_so(tmp_path):
    assert read(tmp_path, "Cytosol", "Nucleoplsm", own=True).classes.names == ("Cytosol", "Nucleoplsm")
    numbers = read(tmp_path, "0", "1|0", "2", own=True)
    assert numbers.classes.names == ("0", "1", "2")
    assert named(numbers)[1] == {"0", "1"}


def test_a_name_like_the_hpas_among_own_ones_is_kept_and_mentioned(tmp_path):
    labels = read(tmp_path, "lysosome", "golgi body", "other")
    assert labels.classes.names == ("golgi body", "lysosome", "other")
    assert any("lysosome (the HPA's Lysosomes?)" in remark for remark in labels.remarks)
    some = read(tmp_path, "Cytosol", "micronuclei", "other")
    assert any("the HPA has Cytosol" in remark for remark in some.remarks)


def test_ids_that_lost_their_zeros_are_shown_beside_those_of_the_images(tmp_path):
    (tmp_path / "train.csv").write_text("Id,Target\n7,0\n12,1\n")
    with pytest.raises(InputError, match=r"train\.csv has 7, the images 0007: the leading zeros were lost.*text"):
        read_labels(tmp_path / "train.csv").of(["0007", "12"])
    with pytest.raises(InputError, match=r"train\.csv has for example 7, the images f1"):
        read_labels(tmp_path / "train.csv").of(["f1", "12"])


@pytest.mark.parametrize(("listed", "measured", "why"), [
    ("Field_a", "field_a", "they differ only in upper and lower case"),
    ("z\u00e9ta", "ze\u0301ta", "the same letters are made of other characters"),
])  # fmt: skip
def test_ids_that_are_written_otherwise_are_named_together(listed, measured, why):
    said = no_match(listed, ["other", measured], Path("data/train.csv"))
    assert said.startswith(f"train.csv has {listed}, the images {measured}: {why}")


@pytest.mark.parametrize("name", ["a/b", "../x", "nul\\x", 'q"uote', "漢字", "a" * 100, "dot.", "CON", "é"])
def test_a_folder_of_a_class_is_one_plain_name(name):
    assert why_no_class(name) is None
    folder = folder_name(3, ("", "", "", name))
    assert folder.startswith("03_")
    assert folder.isascii()
    assert len(folder) < 100
    assert not set(folder) & set('/\\:*?"<>| ')
    assert not folder.endswith(".")


def test_a_class_is_found_by_a_part_of_its_name():
    classes = Classes(("drug A", "drug B", "wild type"))
    assert classes.find("WILD") == "wild type"
    with pytest.raises(Exception, match=r"may be drug A or drug B"):
        classes.find("drug")
    with pytest.raises(Exception, match=r"not a class of this run\. Choose one of: drug A"):
        classes.find("Golgi")
    assert np.array_equal(classes.named(np.array([True, False, True])), ("drug A", "wild type"))
