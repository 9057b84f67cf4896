"""Planted causes: the organelle follows what we say it follows, so the right group must come first."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from engine.errors import InputError
from engine.running.progress import progress
from models.explanation.feature_groups import make_groups
from models.explanation.fold_importance import sample_fields
from models.explanation.importance import (
    ImportanceSettings,
    measure_importance,
    top,
)
from models.explanation.importance_file import read_importance, write_importance
from models.fit import fit
from models.saved_fit import load
from models.settings import FitSettings
from report.importance_plot import bars, plot
from store.classes import KAGGLE, ORGANELLES
from store.matrix import FieldMatrix
from store.stamp import array_hash, stamp_of

GOLGI, MITOCHONDRIA, RARE = ORGANELLES.index("Golgi apparatus"), ORGANELLES.index("Mitochondria"), 27
FAMILIES = ("Texture", "RadialDistribution", "Spots", "Correlation", "AreaShape")
SETTINGS = ImportanceSettings(seed=3, fields=60, repeats=2, shap_fields=12)


def column_frame() -> pd.DataFrame:
    rows = []
    for family in FAMILIES:
        for compartment in ("Cells", "Nuclei"):
            for k in range(4):
                one = ("Protein",) if k < 2 else ("ER",)
                channels = {"AreaShape": (), "Correlation": ("Protein", "ER")}.get(family, one)
                rows.append((f"{compartment}_{family}_F{k}_mean", compartment, family, f"F{k}", channels, (), "mean"))
    names = ["name", "compartment", "family", "feature", "channels", "parameters", "pool"]
    return pd.DataFrame(rows, columns=names)


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """A fit where Golgi follows four correlated texture columns, and Mitochondria the ER's radial columns."""
    rng = np.random.default_rng(7)
    n, columns = 240, column_frame()
    labels = np.zeros((n, len(ORGANELLES)), bool)
    labels[:, GOLGI] = rng.random(n) < 0.35
    labels[:, MITOCHONDRIA] = rng.random(n) < 0.4
    labels[:3, RARE] = True
    values = rng.normal(size=(n, len(columns))).astype(np.float32)
    family, nuclei = columns["family"], columns["compartment"] == "Nuclei"
    texture = np.flatnonzero((family == "Texture") & nuclei)
    values[:, texture] = (values[:, texture[:1]] + 2 * labels[:, [GOLGI]]) + 0.05 * values[:, texture]
    radial = (family == "RadialDistribution") & ~nuclei & columns["channels"].map(("ER",).__eq__)
    values[:, radial] += 2 * labels[:, [MITOCHONDRIA]]
    values[rng.random(values.shape) < 0.03] = np.nan
    matrix = FieldMatrix(pd.DataFrame({"Metadata_Id": [f"f{i:03}" for i in range(n)]}), values, columns)
    folder = tmp_path_factory.mktemp("planted")
    settings = FitSettings(n_folds=3, rounds=20, held_out=0, random_folds=0, n_resamples=5)
    fitted = fit(matrix.ids, values, columns, labels, None, settings, folder, quiet=True)
    return fitted, matrix


@pytest.fixture(scope="module")
def importance(planted) -> pd.DataFrame:
    return measured(planted, SETTINGS)


def measured(planted, settings) -> pd.DataFrame:
    fitted, matrix = planted
    with progress("importance", 3, quiet=True) as bar:
        return measure_importance(fitted, matrix, settings, bar)


@pytest.mark.parametrize("by", ["share_mean", "permutation_mean", "gain_mean"])
@pytest.mark.parametrize(
    ("organelle", "family", "compartment"),
    [("Golgi apparatus", "Texture", "Nuclei"), ("Mitochondria", "RadialDistribution", "Cells")],
)
def test_the_planted_group_comes_first(importance, organelle, family, compartment, by):
    for level, expected in (("family", family), ("compartment", compartment)):
        ranked = top(importance, organelle, level, 9, by)
        assert ranked["what"][0] == expected
        assert ranked[by][0] > 2 * ranked[by][1]
    assert top(importance, "mitochondria", "channel", 1, by)["what"][0] == "ER"


def test_permuting_a_group_of_copies_costs_what_permuting_one_copy_does_not(planted, importance):
    """Correlated columns stand in for each other; the group as a whole loses almost all that is above chance."""
    fitted, matrix = planted
    drop = top(importance, "Golgi apparatus", "family", 1, "permutation_mean")["permutation_mean"][0]
    board = fitted.leaderboard.of("organelle").set_index("name").loc["Golgi apparatus"]
    assert drop > 0.6 * (board["ap"] - board["chance_ap"])
    one = matrix.columns.assign(family=[f"{f}{k}" for k, f in enumerate(matrix.columns["family"])])
    alone = measured((fitted, replace(matrix, columns=one)), SETTINGS)
    assert top(alone, "Golgi apparatus", "family", 1, "permutation_mean")["permutation_mean"][0] < 0.6 * drop


def test_groups_that_cause_nothing_cost_nothing(importance):
    idle = importance[(importance["level"] == "family") & importance["what"].isin(["Spots", "Correlation"])]
    assert (idle["permutation_mean"].abs() < 0.1).all()


@pytest.mark.parametrize("measure", ["share_mean", "gain_mean"])
def test_shares_sum_to_one(importance, measure):
    sums = importance.groupby(["organelle", "level"])[measure].sum()
    np.testing.assert_allclose(sums, 1, rtol=1e-5)
    assert set(importance["level"]) == {"feature", "block", "family", "channel", "compartment", "pool"}


def test_a_column_of_two_channels_counts_half_for_each():
    groups = make_groups(column_frame())
    channel = {what: groups.share[:, k] for k, what in enumerate(groups.what) if groups.level[k] == "channel"}
    both = column_frame()["channels"].map(("Protein", "ER").__eq__).to_numpy()
    assert (channel["Protein"][both] == 0.5).all()
    assert (channel["ER"][both] == 0.5).all()
    for level in np.unique(groups.level):
        np.testing.assert_allclose(groups.share[:, groups.level == level].sum(1), 1)


def test_an_organelle_without_models_is_absent_and_named(importance):
    assert set(importance["organelle"]) == {"Golgi apparatus", "Mitochondria"}
    with pytest.raises(InputError, match=r"Rods & rings was not learnt.*Golgi apparatus, Mitochondria"):
        top(importance, "Rods & rings")


def test_same_seed_same_table_for_any_number_of_workers_and_after_reading_the_fit_again(planted, importance):
    fitted, matrix = planted
    again = measured((load(fitted.folder.root), matrix), replace(SETTINGS, workers=2))
    pd.testing.assert_frame_equal(again, importance, check_exact=True)


def test_further_columns_do_no_harm_and_missing_ones_are_named(planted, importance):
    fitted, matrix = planted
    more = FieldMatrix(
        matrix.metadata,
        np.concatenate([np.zeros((len(matrix.ids), 1), np.float32), matrix.values], axis=1),
        pd.concat([matrix.columns.head(1).assign(name="Cells_Extra"), matrix.columns], ignore_index=True),
    )
    pd.testing.assert_frame_equal(measured((fitted, more), SETTINGS), importance)
    with pytest.raises(InputError, match="fitted on 40 columns, of which the matrix has 39"):
        measured((fitted, matrix.select(np.arange(40) > 0)), SETTINGS)
    with pytest.raises(InputError, match="fitted on 240 fields, but 1 have no features now"):
        measured((fitted, matrix.rows(np.arange(239))), SETTINGS)
    turned_round = fitted.training_fields(matrix.rows(np.arange(240)[::-1]))
    assert turned_round.ids == matrix.ids
    np.testing.assert_array_equal(turned_round.values, matrix.values)
    fewer = replace(fitted, ids=fitted.ids[1:], values=array_hash(matrix.values[1:]))
    assert fewer.training_fields(matrix).ids == matrix.ids[1:]


def test_measures_that_are_switched_off_are_nan(planted):
    table = measured(planted, ImportanceSettings(repeats=0, shap_fields=0))
    assert table[["permutation_mean", "shap_mean", "share_mean"]].isna().all(axis=None)
    assert table["gain_mean"].notna().all()


def test_table_survives_the_disk(planted, importance, tmp_path):
    columns = planted[1].columns
    assert stamp_of(tmp_path / "importance.parquet") is None
    write_importance(tmp_path / "importance.parquet", importance, "this fit")
    assert stamp_of(tmp_path / "importance.parquet") == "this fit"
    pd.testing.assert_frame_equal(
        read_importance(tmp_path / "importance.parquet", columns, KAGGLE), importance, check_dtype=False
    )
    with pytest.raises(InputError, match="is missing"):
        read_importance(tmp_path / "nothing.parquet", columns, KAGGLE)


def test_sampled_fields_keep_the_rare_and_stand_for_all(rng):
    labels = rng.random((1000, 28)) < 0.2
    labels[:, RARE] = False
    labels[[5, 700], RARE] = True
    chosen, weights = sample_fields(labels, 100, rng)
    assert len(set(chosen)) == 100
    assert {5, 700} <= set(chosen)
    assert weights.sum() == pytest.approx(1000)
    assert len(sample_fields(labels, 1000, rng)[0]) == 1000


def test_pictures_are_drawn(importance, tmp_path):
    plot(importance, tmp_path / "all.png")
    plot(importance, tmp_path / "one.svg", "golgi apparatus")
    assert (tmp_path / "all.png").read_bytes().startswith(b"\x89PNG")
    assert "Golgi apparatus" in (tmp_path / "one.svg").read_text()


def test_spreads_end_where_shares_do_and_not_where_losses_may_be_negative(importance):
    wide = importance.assign(share_sd=1.5, permutation_sd=1.5)
    left, right = (
        np.concatenate([line.get_segments() for axes in side for line in axes.collections])[..., 0]
        for side in np.array(bars(wide, "golgi apparatus").axes).reshape(3, 2).T
    )
    assert (left.min(), left.max()) == (0, 100)
    assert right.min() < -1
    assert right.max() > 1


def test_a_fit_without_boosters_is_explained_too(planted, tmp_path):
    _, matrix = planted
    labels = np.zeros((240, len(ORGANELLES)), bool)
    texture = ((matrix.columns["family"] == "Texture") & (matrix.columns["compartment"] == "Nuclei")).to_numpy()
    labels[:, GOLGI] = np.nan_to_num(matrix.values[:, texture]).mean(1) > 0.7
    settings = FitSettings(n_folds=3, members=("linear", "kernel"), held_out=0, random_folds=0, n_resamples=5)
    fitted = fit(matrix.ids, matrix.values, matrix.columns, labels, None, settings, tmp_path, quiet=True)
    table = measured((fitted, matrix), SETTINGS)
    for by in ("share_mean", "permutation_mean"):
        assert top(table, "golgi", "family", 1, by)["what"][0] == "Texture"
        assert top(table, "golgi", "compartment", 1, by)["what"][0] == "Nuclei"
    assert table[["gain_mean", "kept_mean"]].isna().all(axis=None)
    assert set(table.loc[table["level"] == "feature", "what"]) == set(matrix.columns["name"])
