"""An embedding that carries a known readable feature is explained by it; one that carries nothing readable is not."""

import numpy as np
import pandas as pd
import pytest

from engine.running.progress import progress
from models.explanation.importance import ImportanceSettings, measure_importance, top
from models.explanation.readable import ALL_READABLE, READABLE, counterparts, explain_embedding, is_embedding
from models.fit import fit
from models.settings import FitSettings
from report.embedding_words import LeadingFeatures, what_goes_with_it
from store.classes import ORGANELLES
from store.matrix import FieldMatrix

GOLGI, CYTOSOL = ORGANELLES.index("Golgi apparatus"), ORGANELLES.index("Cytosol")
FAMILIES = ("Embedding",) * 2 + ("Texture",) * 2 + ("Spots", "RadialDistribution", "Gradient", "Correlation")
NAMES = [f"Cells_{family}_F{k}_Protein_mean" for k, family in enumerate(FAMILIES)]
KNOWN, NOISE = 3, 0.6
"""Column 0 of the embedding is the readable column 3 and noise with this spread; column 1 goes with nothing."""


def frame(families=FAMILIES, names=tuple(NAMES)) -> pd.DataFrame:
    return pd.DataFrame({
        "name": names, "compartment": "Cells", "family": families, "feature": [name.split("_")[2] for name in names],
        "channels": [("Protein",)] * len(names), "parameters": [()] * len(names), "pool": "mean",
    })  # fmt: skip


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Golgi follows column 0, Cytosol column 1; the members are linear and see the embedding alone, or all columns."""
    rng = np.random.default_rng(5)
    values = rng.normal(size=(450, len(NAMES))).astype(np.float32)
    values[:, 0] = values[:, KNOWN] + NOISE * values[:, 0]
    values[rng.random(values.shape) < 0.02] = np.nan
    labels = np.zeros((450, len(ORGANELLES)), bool)
    labels[:, GOLGI] = np.nan_to_num(values[:, 0]) < -0.4
    labels[:, CYTOSOL] = np.nan_to_num(values[:, 1]) > 0.2
    matrix = FieldMatrix(pd.DataFrame({"Metadata_Id": [f"f{i:03}" for i in range(450)]}), values, frame())
    members = ("linear-embedding", "lightgbm-embedding", "linear")
    settings = FitSettings(n_folds=3, rounds=15, members=members, held_out=0, random_folds=0, n_resamples=2)
    folder = tmp_path_factory.mktemp("readable")
    fitted = fit(matrix.ids, values, matrix.columns, labels, None, settings, folder, quiet=True)
    with progress("importance", 3, quiet=True) as bar:
        table = measure_importance(fitted, matrix, ImportanceSettings(repeats=0, shap_fields=0), bar)
    return matrix, table


def test_the_known_feature_is_named_with_its_share_and_direction(planted):
    found = counterparts(planted[1], "Golgi apparatus")
    expected = 1 / (1 + NOISE**2)
    assert found.share == pytest.approx(expected, abs=0.12)
    name, alone, slope = found.features[0]
    assert name == NAMES[KNOWN]
    assert alone == pytest.approx(found.share, abs=0.05)
    assert slope < 0  # the label comes where the feature is low
    said = what_goes_with_it(found, {name: "coarse contrast"})
    assert f"{found.share:.0%}".replace("%", "\u00a0%") in said
    assert "it falls with coarse contrast" in said


def test_an_embedding_of_something_unreadable_is_said_to_be_that(planted):
    found = counterparts(planted[1], "Cytosol")
    assert found.share < 0.05
    assert found.features == ()
    assert what_goes_with_it(found, {}).startswith(
        "No readable feature goes with the embedding: all classical features"
    )


def test_the_rows_are_a_level_of_their_own(planted):
    rows = top(planted[1], "golgi", READABLE)
    assert rows["what"][0] in (ALL_READABLE, NAMES[KNOWN])
    assert set(rows["what"]) <= {ALL_READABLE, *NAMES[2:]}


def test_a_field_names_the_feature_only_where_it_stands_out_in_the_reason_s_direction(planted):
    matrix, table = planted
    found = {name: counterparts(table, name) for name in ("Golgi apparatus", "Cytosol")}
    leading = LeadingFeatures(matrix.columns, matrix.values, found)
    low, usual = np.zeros((2, len(NAMES)), np.float32)
    low[KNOWN] = -2
    named = leading.of("Golgi apparatus", 0, 1.5, low)
    assert named.column == KNOWN
    share = f"{found['Golgi apparatus'].share:.0%}".replace("%", "\u00a0%")
    assert named.introduced.startswith(f"classical features explain {share} of it, e.g.: ")
    for log_odds, values in ((-1.5, low), (1.5, usual)):
        other = leading.of("Golgi apparatus", 0, log_odds, values)
        assert not other.named
        assert "stands out" in other.words
    assert "no readable feature" in leading.of("Cytosol", 1, 1.0, low).words
    readable = leading.of("Golgi apparatus", 4, 1.0, low)
    assert readable.column == 4
    assert readable.introduced.startswith("mainly: ")
    assert LeadingFeatures(matrix.columns, matrix.values, {}).of("Golgi apparatus", 0, 1.0, low).column == 0


def test_what_is_learnt_from_a_fold_does_not_count_for_it(rng):
    """Noise that a regression on few fields fits perfectly is not explained on fields that it has not seen."""
    values = [rng.normal(size=(20, 60)).astype(np.float32) for _ in range(3)]
    added = [rng.normal(size=(1, 20)) for _ in range(3)]
    columns = frame(("Embedding",) + ("Texture",) * 59, tuple(f"Cells_T_F{k}_Protein_mean" for k in range(60)))
    explained = explain_embedding(values, added, is_embedding(columns))
    assert (explained.together < 0.1).all()
    assert np.isnan(explained.alone[..., 0]).all()
    assert np.isnan(explain_embedding(values, [0 * one for one in added], is_embedding(columns)).together).all()
