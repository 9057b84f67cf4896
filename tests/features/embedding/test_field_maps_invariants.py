"""What the network is shown of a field: the same for 8 and 16 bit, at one scale of nuclei; and what it gives of it."""

import cv2
import numpy as np
import pytest
from painting import paint_cells

from features.core.cells import make_cells
from features.embedding import torch_maps
from features.embedding.embedding import embed_cells, embedding_columns, pool_fields
from features.embedding.field_maps import pixel_weights, protein_and_nuclei, relative_levels, resized, shrink_factors
from features.embedding.pretrained import pretrained_network
from features.extraction.settings import ExtractSettings
from store.channels import PROTEIN

NETWORK = pretrained_network()


def test_levels_are_relative_to_the_brightest_thousandth(device, rng):
    plane = rng.integers(0, 200, (2, 50, 100)).astype(np.uint8)
    plane[1] //= 4
    level = relative_levels(plane, device)
    for k in range(2):
        top = np.percentile(plane[k], 99.9, method="inverted_cdf")
        np.testing.assert_allclose(level[k], np.clip(plane[k] / top, 0, 1), rtol=1e-6)
    np.testing.assert_array_equal(relative_levels(plane.astype(np.uint16) * 257, device), level)
    assert relative_levels(np.zeros((1, 4, 4), np.uint8), device).max() == 0
    weights = pixel_weights(level, np)
    assert (weights.min(), weights.max(), weights.dtype) == (1, 10_001, np.uint16)


def test_the_last_plane_is_the_protein_in_blurred_nuclei(rng):
    cells = paint_cells(rng)
    level = relative_levels(cells.pixels[:, PROTEIN.index], cells.device)
    image = protein_and_nuclei(cells, level)
    assert image.shape == (len(level), 2, *level.shape[1:])
    np.testing.assert_array_equal(image[:, 0], level)
    for field in range(len(level)):
        mask = (cells.nucleus_labels[field] > 0).astype(np.float32)
        blurred = cv2.GaussianBlur(mask, (7, 7), 1.0, borderType=cv2.BORDER_REFLECT_101)
        np.testing.assert_allclose(image[field, 1], level[field] * blurred, atol=0.01)


@pytest.mark.parametrize(
    ("diameter", "factor"),
    [(43, 1), (22, 1), (85, 1), (21, 0.5), (5, 0.5), (87, 2), (258, 8), (5000, 16), (np.nan, 1)],
)
def test_nuclei_far_from_the_usual_size_are_shown_nearer_to_it(diameter, factor):
    assert shrink_factors(np.array([diameter])).tolist() == [factor]


def test_shrinking_takes_means_and_doubling_interpolates(rng):
    image = rng.random((1, 3, 64, 96)).astype(np.float32)
    smaller = cv2.resize(image[0].transpose(1, 2, 0), None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(resized(image, 2, 16, np)[0], smaller.transpose(2, 0, 1), atol=1e-6)
    larger = cv2.resize(image[0].transpose(1, 2, 0), None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(resized(image, 0.5, 16, np)[0], larger.transpose(2, 0, 1), atol=1e-5)
    padded = resized(image[..., :50, :90], 1, 32, np)
    assert padded.shape == (1, 3, 64, 96)
    assert padded[..., 50:, :].max() == padded[..., 90:].max() == 0


def embedded(cells):
    return embed_cells(cells, NETWORK)


def test_16_bit_gives_the_values_of_8_bit(device, rng):
    cells = paint_cells(rng)
    wide = make_cells(cells.pixels.astype(np.uint16) * 257, cells.cell_labels, cells.nucleus_labels, device)
    np.testing.assert_array_equal(embedded(wide), embedded(cells))


def test_batch_and_numbering_do_not_matter(device, rng):
    cells = paint_cells(rng)
    together = embedded(cells)
    assert together.dtype == np.float32
    assert together.shape == (cells.n, len(embedding_columns(ExtractSettings(None, "cpu", NETWORK))))
    assert np.isfinite(together).all()
    for field in range(len(cells.pixels)):
        mine = np.flatnonzero(cells.field == field)
        order = rng.permutation(len(mine))
        lut = np.zeros(cells.n + 1, np.int32)
        lut[mine + 1] = order + 1
        labels = (lut[image[field : field + 1]] for image in (cells.cell_labels, cells.nucleus_labels))
        alone = embedded(make_cells(cells.pixels[field : field + 1], *labels, device))
        np.testing.assert_allclose(alone[order], together[mine], rtol=1e-3, atol=1e-3)


def test_fields_of_several_scales_in_a_batch_are_measured_as_alone(emulated, rng, monkeypatch):
    """A field's nuclei are missing, so that it is shown as it is; those of the other are small, so it is doubled."""
    monkeypatch.setattr(torch_maps, "torch_device", lambda name: torch_maps.torch.device("cpu"))
    given = torch_maps.torch.from_numpy
    monkeypatch.setattr(torch_maps.torch, "as_tensor", lambda array, device: given(np.array(array)))
    cells = paint_cells(rng)
    small = cells.nucleus_labels.copy()
    small[0] = 0
    batch = make_cells(cells.pixels, cells.cell_labels, small, cells.device)
    assert len(set(shrink_factors(batch.nucleus_diameter))) == 2
    there = emulated.get(embed_cells(make_cells(batch.pixels, batch.cell_labels, small, emulated), NETWORK))
    np.testing.assert_allclose(there, embedded(batch), atol=1e-3)
    for field in range(len(cells.pixels)):
        mine = np.flatnonzero(cells.field == field)
        lut = np.zeros(cells.n + 1, np.int32)
        lut[mine + 1] = np.arange(1, len(mine) + 1)
        labels = (lut[image[field : field + 1]] for image in (cells.cell_labels, small))
        alone = embedded(make_cells(cells.pixels[field : field + 1], *labels, cells.device))
        np.testing.assert_allclose(there[mine], alone, atol=2e-3)


def test_maps_of_one_size_are_pooled_together_and_keep_their_order(rng):
    cells = paint_cells(rng)
    n, sides = len(cells.pixels), cells.cell_labels.shape[1:]
    weights = pixel_weights(relative_levels(cells.pixels[:, PROTEIN.index], cells.device), np)
    maps = [rng.random((n, c, side, side)).astype(np.float32) for c, side in ((2, 12), (3, 12), (1, 6), (2, 12))]
    image = np.zeros((n, 1, *sides), np.float32)
    together = pool_fields(cells, weights, image, lambda _: maps)
    alone = [np.split(pool_fields(cells, weights, image, lambda _, one=one: [one]), 2, axis=1) for one in maps]
    np.testing.assert_array_equal(together, np.hstack([one[k] for k in (0, 1) for one in alone]))


def test_the_mass_is_the_protein_of_the_cell(rng):
    cells = paint_cells(rng)
    level = relative_levels(cells.pixels[:, PROTEIN.index], cells.device)
    expected = [level[cells.cell_labels == i + 1].sum() for i in range(cells.n)]
    np.testing.assert_allclose(embedded(cells)[:, 0], expected, rtol=2e-3)


def test_no_cells_give_no_rows(device):
    nothing = np.zeros((2, 40, 40), np.int32)
    assert embedded(make_cells(np.zeros((2, 4, 40, 40), np.uint8), nothing, nothing, device)).shape == (0, 513)
