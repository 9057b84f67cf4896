"""The tables as they lie in the run folder against pycytominer: its loaders, its notion of features, its steps."""

import warnings

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from random_run import make_run

with warnings.catch_warnings():  # sets an option that pandas 3 no longer has
    warnings.simplefilter("ignore")
    import pycytominer
    from pycytominer.cyto_utils import infer_cp_features
    from pycytominer.cyto_utils.load import load_profiles


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_run(tmp_path_factory.mktemp("run"), np.random.default_rng(11), {"train": 12, "test": 4})


@pytest.fixture(scope="module")
def columns(folder):
    return pq.read_table(folder.columns).to_pandas()


@pytest.fixture(scope="module")
def cells(folder) -> pd.DataFrame:
    """The folder as a user would name it: all shards of both splits."""
    return load_profiles(folder.features / "cells")


@pytest.fixture(scope="module")
def fields(folder) -> pd.DataFrame:
    return load_profiles(folder.matrix("train"))


def test_every_column_is_a_feature_of_its_compartment_or_metadata(cells, columns):
    features, metadata = infer_cp_features(cells), infer_cp_features(cells, metadata=True)
    of_cells = columns[columns["compartment"] != "Image"]
    assert set(features) == set(of_cells["name"])
    assert set(cells.columns) == {*features, *metadata}
    assert {"Metadata_Id", "Metadata_Split", "Metadata_Cell"} <= set(metadata)
    for compartment, mine in of_cells.groupby("compartment"):
        assert set(infer_cp_features(cells, compartments=compartment)) == set(mine["name"])


def test_image_columns_are_found_beside_the_pooled_ones(fields, columns):
    features = infer_cp_features(fields, image_features=True)
    image = set(columns.loc[columns["compartment"] == "Image", "name"])
    assert len(image) > 30
    assert set(features) - set(infer_cp_features(fields)) == image
    assert set(fields.columns) == {*features, *infer_cp_features(fields, metadata=True)}


def test_its_mean_over_cells_is_our_pooled_mean(cells, fields):
    features = infer_cp_features(cells)
    means = pycytominer.aggregate(cells, strata=["Metadata_Split", "Metadata_Id"], operation="mean")
    means = means[means["Metadata_Split"] == "train"].set_index("Metadata_Id")[features]
    ours = fields.set_index("Metadata_Id")[[f"{name}_mean" for name in features]]
    assert means.index.tolist() == ours.index.tolist()
    np.testing.assert_allclose(ours.to_numpy(), means.to_numpy(), rtol=2e-7, atol=1e-8)
    assert np.isnan(ours.to_numpy()).any()


def test_annotated_normalised_and_selected_it_keeps_what_it_should(fields):
    platemap = pd.DataFrame({"Metadata_Id": fields["Metadata_Id"], "Metadata_Antibody": "HPA000001"})
    annotated = pycytominer.annotate(fields, platemap, join_on=["Metadata_Id", "Metadata_Id"])
    assert (annotated["Metadata_Antibody"] == "HPA000001").all()
    normalised = pycytominer.normalize(annotated, image_features=True)
    features = infer_cp_features(fields, image_features=True)
    np.testing.assert_allclose(normalised[features].mean(), 0, atol=1e-5)
    doubled = normalised.assign(**{"Cells_Copy_Of": normalised[features[0]], "Cells_Constant_Value": 1.0})
    selected = pycytominer.feature_select(
        doubled, image_features=True, operation=["variance_threshold", "correlation_threshold"], corr_threshold=0.999
    )
    assert "Cells_Constant_Value" not in selected
    assert len({features[0], "Cells_Copy_Of"} & set(selected)) == 1
    assert {"Metadata_Id", "Metadata_Antibody"} < set(selected)
    assert len(infer_cp_features(selected, image_features=True)) > 0.9 * len(features)
