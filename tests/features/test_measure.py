"""`features.measure`: a user's arrays and masks in, a table by name out."""

import numpy as np
import pytest

import features
from features.core.cells import make_cells

LABELS = ("cell_labels", "nucleus_labels")


@pytest.fixture
def field(painted):
    """The first painted field and its masks."""
    return painted.pixels[0], painted.cell_labels[0], painted.nucleus_labels[0]


@pytest.fixture
def expected(field, device):
    pixels, cells, nuclei = (array[None] for array in field)
    return make_cells(pixels, cells, nuclei, device)


def test_one_field_gives_a_row_a_cell_and_a_named_column_a_feature(field, expected):
    table = features.measure(*field)
    assert list(table.columns) == [column.name for column in features.columns()]
    assert table.index.name == "cell"
    assert list(table.index) == list(range(1, expected.n + 1))
    assert table.to_numpy().tobytes() == features.measure_families(expected).tobytes()


def test_chosen_families_come_in_the_order_of_the_catalogue(field, expected):
    table = features.measure(*field, families=["texture", "radial"])
    assert list(table.columns) == [column.name for column in features.columns(("radial", "texture"))]
    values = [features.measure_families(expected, name) for name in ("radial", "texture")]
    assert table.to_numpy().tobytes() == np.concatenate(values, axis=1).tobytes()
    assert features.measure(*field, families="texture").columns[0].split("_")[1] == "Texture"


def test_all_columns_are_measured_if_asked_for(field):
    fewer, every = (features.measure(*field, ["texture", "zernike"], all_columns=wanted) for wanted in (False, True))
    assert (fewer.shape[1], every.shape[1]) == (312 + 114, 546 + 230)
    assert list(every.columns) == [c.name for c in features.columns(["texture", "zernike"], all_columns=True)]
    assert fewer.to_numpy().tobytes() == every[list(fewer.columns)].to_numpy().tobytes()


def test_labels_with_gaps_and_nuclei_with_numbers_of_their_own(field):
    """As Cellpose and hand-made masks come: values are the same, and rows keep the cells' own ids."""
    pixels, cells, nuclei = field
    before = features.measure(pixels, cells, nuclei, families=["shape"])
    after = features.measure(pixels, np.where(cells, 10 * cells + 3, 0), np.where(nuclei, 99 - nuclei, 0), ["shape"])
    assert list(after.index) == [10 * cell + 3 for cell in before.index]
    np.testing.assert_array_equal(after.to_numpy(), before.to_numpy())


def test_fields_may_repeat_ids_and_have_no_cells(painted):
    """Each row says its field; a field alone gives the same values as among others."""
    pixels = np.concatenate([painted.pixels, np.zeros_like(painted.pixels[:1])])
    cells, nuclei = (
        np.stack([*(np.where(x > 0, x - x[x > 0].min() + 1, 0) for x in labels), np.zeros_like(labels[0])])
        for labels in (painted.cell_labels, painted.nucleus_labels)
    )
    table = features.measure(pixels, cells, nuclei, families=["intensity"])
    assert table.index.names == ["field", "cell"]
    assert set(table.index.get_level_values("field")) == {0, 1}
    for f in range(2):
        alone = features.measure(pixels[f], cells[f], nuclei[f], families=["intensity"])
        np.testing.assert_allclose(table.loc[f].to_numpy(), alone.to_numpy(), rtol=2e-5, atol=1e-6)
        assert list(table.loc[f].index) == list(alone.index)


def test_no_cells_give_an_empty_table_with_its_columns():
    nothing = np.zeros((40, 40), int)
    table = features.measure(np.zeros((4, 40, 40), np.uint8), nothing, nothing, families=["radial"])
    assert table.shape == (0, len(features.columns(["radial"])))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"families": ["textures"]}, "family 'textures' is unknown: expected some of .*texture"),
        ({"cell_labels": np.zeros((9, 9), int)}, r"found pixels .*cell_labels \(1, 9, 9\).*expected pixels"),
        ({"pixels": np.zeros((96, 96), np.uint8)}, "shapes do not fit"),
        ({"families": []}, "no family is chosen: expected some of .*texture"),
        (
            {"pixels": np.zeros((0, 4, 9, 9), np.uint8)} | dict.fromkeys(LABELS, np.zeros((0, 9, 9), int)),
            r"pixels \(0, 4, 9, 9\) hold no field: expected at least one",
        ),
        ({"pixels": np.zeros((4, 96, 96), np.float32)}, "pixels must be uint8 or uint16"),
        ({"pixels": [[[0]]]}, "shapes do not fit"),
        ({"cell_labels": np.zeros((96, 96))}, "cell_labels: expected whole numbers from 0, found float64"),
        (
            {"nucleus_labels": np.full((96, 96), -1)},
            "nucleus_labels: expected whole numbers from 0, found int64 from -1",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_said(change, sentence):
    nothing = np.zeros((96, 96), int)
    given = {"pixels": np.zeros((4, 96, 96), np.uint8), "cell_labels": nothing, "nucleus_labels": nothing}
    with pytest.raises(ValueError, match=sentence):
        features.measure(**given | change)
