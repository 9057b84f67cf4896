"""Normalisation by plates: what a plate adds and multiplies is gone, without labels, and for new plates alike."""

import numpy as np
import pandas as pd
import pytest

from engine.errors import InputError, UsageError
from models.data.plate_normalisation import FieldScales, normalise, plate_scales
from models.data.training_set import find_groups
from models.first_level.fold_model import Training
from models.other_folds import LeftOut
from models.settings import FitSettings
from store.places import read_places


def test_the_offset_and_gain_of_a_plate_are_removed(rng):
    same = rng.normal(size=(20, 3)).astype(np.float32)
    plates = np.repeat(["p1", "p2"], 20)
    values = np.concatenate([same, same * [2, 5, 0.1] + [1, -7, 100]]).astype(np.float32)
    found = normalise(values, plates, plate_scales(values, plates))
    np.testing.assert_allclose(found[:20], found[20:], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(np.median(found, axis=0), 0, atol=1e-5)
    assert found.dtype == np.float32


def test_a_plate_does_not_depend_on_the_others(rng):
    values, plates = rng.normal(size=(40, 2)).astype(np.float32), np.repeat(["a", "b"], 20)
    alone = plate_scales(values[:20], plates[:20])["a"].apply(values[:20])
    np.testing.assert_array_equal(normalise(values, plates, plate_scales(values, plates))[:20], alone)


def test_constant_missing_and_mostly_equal_columns_stay_finite():
    values = np.zeros((10, 3), np.float32)
    values[:, 1] = np.nan
    values[0, 2] = 30
    found = plate_scales(values, np.full(10, "p"))["p"].apply(values)
    assert (found[:, 0] == 0).all()
    assert np.isnan(found[:, 1]).all()
    assert found[0, 2] == pytest.approx(30 / 9)
    assert (found[1:, 2] == 0).all()


def test_control_wells_alone_give_the_scale(rng):
    values = rng.normal(size=(30, 1)).astype(np.float32)
    used = np.arange(30) < 10
    values[~used] += 50
    scale = plate_scales(values, np.full(30, "p"), used)["p"]
    assert abs(scale.apply(values[used])).mean() < 2
    assert scale.apply(values[~used]).min() > 20


def test_a_plate_with_few_fields_is_named(rng):
    with pytest.raises(InputError, match="p2 has 3 fields to learn its centre and scale from; at least 8"):
        plate_scales(rng.normal(size=(20, 2)), np.array(["p1"] * 17 + ["p2"] * 3))


def test_cells_go_to_the_plate_of_their_field(rng):
    values = rng.normal(size=(16, 2)).astype(np.float32)
    scales = plate_scales(values, np.repeat(["a", "b"], 8))
    found = FieldScales({"f": "a", "g": "b"}, scales).apply(["g", "f", "g"], values[[3, 4, 5]])
    np.testing.assert_array_equal(found[1], scales["a"].apply(values[[4]])[0])
    np.testing.assert_array_equal(found[[0, 2]], scales["b"].apply(values[[3, 5]]))


def test_places_are_read_from_a_table_whose_columns_may_be_named_otherwise(tmp_path):
    (tmp_path / "groups.csv").write_text("Id,Group,CellLine,plate\na,1,U2OS,p1\nb,2,HeLa,\n")
    places = read_places(tmp_path, [], ["b", "a"])
    assert places.of("line").tolist() == ["HeLa", "U2OS"]
    assert places.find("Plate") == "plate"
    with pytest.raises(UsageError, match="the plate of 1 of 2 fields is not known"):
        places.of("plate")
    with pytest.raises(UsageError, match=r"no column 'well' in .*groups.csv \(found CellLine, plate\)"):
        places.of("well")
    with pytest.raises(InputError, match=r"nope.csv does not exist.*or leave --fields out"):
        read_places(tmp_path, [], ["a"], tmp_path / "nope.csv")
    (tmp_path / "fields.csv").write_text("Id,Plate\n7,p1\n")
    with pytest.raises(InputError, match=r"names none of the 1 fields.*leading zeros"):
        read_places(tmp_path, [], ["007"])


def test_sites_of_a_well_share_a_group_where_no_table_says_otherwise(tmp_path):
    (tmp_path / "fields.csv").write_text("Id,Plate,Well\nx_1,p,A1\nx_2,p,A1\nx_3,q,A1\nx_4,,\n")
    ids = ("x_1", "x_2", "x_3", "x_4")
    groups, source = find_groups(tmp_path, None, ids, read_places(tmp_path, [], ids))
    assert groups.numbers.tolist() == [0, 0, 1, 2]
    assert source.startswith("the wells in ")


@pytest.fixture
def measured(tmp_path):
    """Tables of measured fields with plate, well and site of two sites a well, as image names had them."""
    ids = [f"f{k}" for k in range(8)]
    of_names = {"Plate": ["p1"] * 4 + ["p2"] * 4, "Well": ["A1", "A1", "A2", "A2"] * 2, "Site": ["1", "2"] * 4}
    path = tmp_path / "train-00000.parquet"
    table = {"Metadata_Id": ids} | {f"Metadata_{name}": values for name, values in of_names.items()}
    pd.DataFrame(table).to_parquet(path)
    return [path], ids, of_names


def written(path, ids, **columns):
    pd.DataFrame({"Id": ids} | columns).to_csv(path, index=False)
    return path


def test_a_further_column_of_the_users_does_not_hide_plate_and_well_of_the_image_names(measured, tmp_path):
    paths, ids, of_names = measured
    lines = ["U2OS", "HeLa"] * 4
    both = f"{written(tmp_path / 'fields.csv', ids, Line=lines)} and the names of the images"
    places = read_places(tmp_path, paths, ids)
    assert {name: list(values) for name, values in places.columns.items()} == {"Line": lines} | of_names
    assert places.source == both
    groups, source = find_groups(tmp_path, None, tuple(ids), places)
    assert groups.numbers.tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert source.startswith(f"the wells in {both}")
    with pytest.raises(UsageError, match=r"no column 'donor' in .*csv and the names of the images \(found Line, "):
        places.of("donor")


def test_a_table_of_groups_with_a_further_column_leaves_the_plates_known(measured, tmp_path):
    paths, ids, of_names = measured
    written(tmp_path / "groups.csv", ids, Group=range(8), CellLine="U2OS")
    places = read_places(tmp_path, paths, ids)
    assert places.of("plate").tolist() == of_names["Plate"]
    assert set(places.of("line")) == {"U2OS"}


def test_the_columns_of_the_users_table_win_in_any_case(measured, tmp_path):
    paths, ids, of_names = measured
    table = written(tmp_path / "new.csv", ids[:7], plate="mine")
    places = read_places(None, paths, ids, table)
    assert places.columns["plate"] == ("mine",) * 7 + ("",)
    assert list(places.columns) == ["plate", "Well", "Site"]
    assert places.of("well").tolist() == of_names["Well"]
    as_ours = written(tmp_path / "ours.csv", ids, Metadata_Plate="mine")
    assert set(read_places(None, paths, ids, as_ours).of("plate")) == {"mine"}, "a column as in the tables of a run"
    complete = written(tmp_path / "all.csv", ids, plate="mine", WELL="B1", Site=1)
    assert read_places(None, paths, ids, complete).source == str(complete)


def training(n, fold):
    return Training(
        np.zeros((n, 1), np.float32), np.zeros((n, 1), bool), np.arange(n), fold, np.zeros(1, np.int8), ("x",)
    )


def test_each_plate_is_left_out_once_and_held_out_fields_stay_out():
    fold = np.array([0, 1, 2, -1, 0, 1, 2, 0], np.int8)
    left = LeftOut("plate", np.array(["b", "b", "a", "a", "c", "c", "a", "b"]))
    found = left.folds(training(8, fold), FitSettings())
    assert found.tolist() == [1, 1, 0, -1, 2, 2, 0, 1]
    assert LeftOut("plate", np.full(8, "a")).folds(training(8, fold), FitSettings()) is None
    many = LeftOut("plate", np.array([f"p{k // 2}" for k in range(40)])).folds(
        training(40, np.zeros(40, np.int8)), FitSettings(n_folds=3)
    )
    assert set(many.tolist()) == {0, 1, 2}
    assert (many[::2] == many[1::2]).all()


def test_classes_on_one_plate_alone_are_not_compared():
    labels = np.array([[1, 1, 0], [0, 0, 0], [1, 0, 0], [0, 1, 1]], bool)
    found = LeftOut("plate", np.array(["a", "a", "b", "b"])).comparable(labels, np.array([0, 0, 1, 1]))
    assert found.tolist() == [True, True, False]
