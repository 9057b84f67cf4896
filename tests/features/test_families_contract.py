"""What every family promises, whatever it measures. A new family inherits these tests by being a file in features/."""

import inspect
import re

import numpy as np
import pytest
from painting import paint_cells

import features
from features.core.cells import make_cells
from store.channels import CHANNELS, COMPARTMENTS, PROTEIN

FAMILIES = sorted(features.families())
LEANER = [name for name in FAMILIES if hasattr(features.families()[name], "DEFAULT_STAINS")]


@pytest.fixture(params=FAMILIES)
def family(request):
    return features.families()[request.param]


def one_field(cells, f):
    """Field f of a batch as a batch of its own, with the ids of its cells from 1 on."""
    mine = np.flatnonzero(cells.field == f)
    lut = np.zeros(cells.n + 1, np.int32)
    lut[mine + 1] = np.arange(1, len(mine) + 1)
    return mine, (cells.pixels[f : f + 1], lut[cells.cell_labels[f : f + 1]], lut[cells.nucleus_labels[f : f + 1]])


@pytest.fixture
def measure(family, any_device):
    """The family's values on a device, from cells or arrays on the host to an array there."""

    def on_device(cells, *labels):
        batch = (cells, *labels) if labels else (cells.pixels, cells.cell_labels, cells.nucleus_labels)
        return any_device.get(family.measure(make_cells(*batch, any_device)))

    return on_device


def assert_same(a, b):
    np.testing.assert_array_equal(np.isnan(a), np.isnan(b))
    np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-6)


def test_a_family_has_columns_and_measures_cells_where_they_are(family):
    """No device beside the cells' own; and whatever stands in features/ beside the folders is a family.

    A family that measures fewer stains by default takes them.
    """
    stains = ["stains"] if hasattr(family, "DEFAULT_STAINS") else []
    assert list(inspect.signature(family.columns).parameters) == stains
    assert list(inspect.signature(family.measure).parameters) == ["cells", *stains]


def test_names_are_unique_and_structured(family):
    columns = family.columns()
    names = [c.name for c in columns]
    assert len(set(names)) == len(names) > 0
    assert all(c.compartment in COMPARTMENTS for c in columns)
    assert all(re.fullmatch(r"[A-Za-z]+(_[A-Za-z0-9.\-]+)+", name) for name in names)
    assert len({c.family for c in columns}) == 1


def test_one_float32_row_per_cell(family, painted, measure):
    values = measure(painted)
    assert values.dtype == np.float32
    assert values.shape == (painted.n, len(family.columns()))
    assert not np.isinf(values).any()
    assert np.isfinite(values[0]).mean() > 0.9


def test_no_cells_give_an_empty_table(family, measure):
    nothing = np.zeros((2, 40, 40), np.int32)
    assert measure(np.zeros((2, 4, 40, 40), np.uint8), nothing, nothing).shape == (0, len(family.columns()))


def test_one_black_pixel_alone(family, measure):
    labels = np.zeros((1, 9, 9), np.int32)
    labels[0, 0, 0] = 1
    values = measure(np.zeros((1, 4, 9, 9), np.uint8), labels, labels)
    assert values.shape[0] == 1
    assert not np.isinf(values).any()


def test_second_call_gives_the_same_bytes(family, painted, measure):
    assert measure(painted).tobytes() == measure(painted).tobytes()


def test_batch_size_does_not_matter(family, painted, measure):
    together = measure(painted)
    for f in range(len(painted.pixels)):
        mine, batch = one_field(painted, f)
        assert_same(measure(*batch), together[mine])


def test_numbering_does_not_matter(family, painted, measure, rng):
    mine, (pixels, cell_labels, nucleus_labels) = one_field(painted, 0)
    before = measure(pixels, cell_labels, nucleus_labels)
    order = rng.permutation(len(mine))
    lut = np.concatenate([[0], order + 1]).astype(np.int32)
    after = measure(pixels, lut[cell_labels], lut[nucleus_labels])
    assert_same(after[order], before)


def test_position_does_not_matter(family, measure, rng):
    cells = paint_cells(rng, n_fields=1)
    pad = ((0, 0), (0, 0), (5, 11), (8, 3))
    moved = (np.pad(cells.pixels, pad), np.pad(cells.cell_labels, pad[1:]), np.pad(cells.nucleus_labels, pad[1:]))
    inner = ~np.isin(np.arange(cells.n), border_cells(cells))
    before, after = measure(cells), measure(*moved)
    assert_same(after[inner], before[inner])


def test_other_cells_do_not_matter(family, measure, rng):
    """The cell whose nucleus is the field's median (the unit of length) keeps its values when it is left alone."""
    if getattr(family, "NEIGHBOURS_MATTER", False):
        pytest.skip("this family measures neighbours by definition")
    cells = paint_cells(rng, n_fields=1)
    diameters = np.sqrt(4 / np.pi * cells.regions["Nuclei"].counts)
    i = int(np.argmin(abs(diameters - cells.nucleus_diameter[0])))
    labels = (cells.cell_labels == i + 1).astype(np.int32), (cells.nucleus_labels == i + 1).astype(np.int32)
    noise = rng.integers(0, 255, cells.pixels.shape).astype(np.uint8)
    alone = make_cells(np.where(labels[0][:, None] > 0, cells.pixels, noise), *labels, cells.device)
    assert alone.nucleus_diameter == cells.nucleus_diameter
    assert_same(measure(alone)[0], measure(cells)[i])


def border_cells(cells):
    """Indices of the cells that touch the image border."""
    edge = np.zeros(cells.cell_labels.shape[1:], bool)
    edge[[0, -1]] = edge[:, [0, -1]] = True
    return np.unique(cells.cell_labels[:, edge]) - 1


def test_channels_of_a_column_are_those_it_reads(family, measure, rng):
    """Changing a channel that no column names leaves every such column as it was."""
    cells = paint_cells(rng, n_fields=1)
    before = measure(cells)
    for channel in CHANNELS:
        pixels = cells.pixels.copy()
        pixels[:, channel.index] = rng.integers(0, 255, pixels[:, channel.index].shape)
        after = measure(pixels, cells.cell_labels, cells.nucleus_labels)
        blind = np.array([channel not in c.channels for c in family.columns()])
        assert_same(after[:, blind], before[:, blind])


def test_stains_that_are_left_out_change_no_other_value(family, painted, any_device):
    """Columns of the remaining stains keep order and bits."""
    if not hasattr(family, "DEFAULT_STAINS"):
        pytest.skip("this family leaves out no stain")
    cells = make_cells(painted.pixels, painted.cell_labels, painted.nucleus_labels, any_device)
    every = any_device.get(family.measure(cells))
    for stains in (family.DEFAULT_STAINS, CHANNELS[1:3]):
        kept = [not c.channels or c.channels[0] in stains for c in family.columns()]
        assert family.columns(stains) == tuple(c for c, keep in zip(family.columns(), kept, strict=True) if keep)
        assert any_device.get(family.measure(cells, stains)).tobytes() == every[:, kept].tobytes()


def test_by_default_five_families_measure_the_protein_alone():
    assert [family for family in LEANER if features.families()[family].DEFAULT_STAINS == (PROTEIN,)] == [
        "gradient", "granularity", "local_binary_pattern", "texture", "zernike",
    ]  # fmt: skip
    every, kept = (features.columns(all_columns=all_columns) for all_columns in (True, False))
    assert [column for column in every if column in kept] == list(kept)
    assert {column.family for column in set(every) - set(kept)} == {
        "BinaryPattern", "Gradient", "Granularity", "Texture", "Zernike",
    }  # fmt: skip
    assert not any(PROTEIN in column.channels for column in set(every) - set(kept))


def test_a_renamed_family_keeps_its_place_among_the_columns():
    """Boosters sample columns by position: another order is another fit."""
    order = list(dict.fromkeys(column.family for column in features.columns()))
    assert order == ["BinaryPattern", "Gradient", "Granularity", "Intensity", "Neighbors", "Proximity",
                     "RadialDistribution", "Correlation", "AreaShape", "Spots", "Texture", "ThresholdAdjacency",
                     "Zernike"]  # fmt: skip
