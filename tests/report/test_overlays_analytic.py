"""Overlays of painted cells: outlines in their colours and places, numbers inside their cells, captions that fit."""

import cv2
import numpy as np
import pandas as pd
import pytest

from report.drawing import CYAN, WHITE, YELLOW, _middles, in_colour, overlay, scale_bar
from store.prediction import top_cells


@pytest.fixture
def labels():
    """Cell 1 is a square with a nucleus, cell 2 a ring open to the right."""
    cells, nuclei = np.zeros((2, 200, 240), np.int32)
    cells[20:80, 20:80], nuclei[40:60, 40:60] = 1, 1
    cells[100:180, 100:180] = 2
    cells[115:165, 115:180] = 0
    return cells, nuclei


def drawn(labels, marked=frozenset(), caption=("one line",), pixels=None):
    pixels = np.zeros((4, *labels[0].shape), np.uint8) if pixels is None else pixels
    return cv2.imdecode(np.frombuffer(overlay(pixels, *labels, marked, caption), np.uint8), cv2.IMREAD_COLOR)


def test_cells_are_white_nuclei_blue_marked_cells_yellow_and_thick(labels):
    image = drawn(labels, marked={2})
    assert (image[20, 21:79] == WHITE).all()
    assert (image[40, 41:45] == CYAN).all()
    assert (image[21:79, 30:36] == 0).all()
    assert (image[100:102, 105:175] == YELLOW).all()
    assert (image[20:22, 21:79] == YELLOW).all(2).sum() == 0


@pytest.mark.parametrize("lines", [(), ("a",), ("a", "b" * 200)])
def test_the_field_keeps_its_size_and_the_caption_stands_below(labels, lines):
    image = drawn(labels, caption=lines)
    assert image.shape[1] == 240
    assert image.shape[0] > 200
    assert image[200:].any() or not lines


def test_no_line_of_a_caption_is_cut_off(labels):
    wide = [np.pad(image, ((0, 0), (0, 272))) for image in labels]
    for n in range(60, 100, 3):
        strip = drawn(wide, caption=[("Mitochondria 1.00, Plasma membrane 0.97, Nucleoli 0.66, " * 2)[:n]])[200:]
        assert strip.any()
        assert not strip[:, -4:].any(), n


def test_numbers_stand_inside_their_cells(labels):
    cells, _ = labels
    places = _middles(cells)
    assert set(places) == {1, 2}
    assert all(cells[y, x] == number for number, (x, y) in places.items())
    assert abs(np.subtract(places[1], 49.5)).max() <= 1  # the middle of the square


def test_each_stain_has_its_colour(labels):
    empty = [np.zeros((64, 64), np.int32)] * 2
    for plane, colours in ((0, [2]), (1, [1]), (2, [0]), (3, [1, 2])):
        pixels = np.zeros((4, 64, 64), np.uint16)
        pixels[plane, 10:50, 10:50] = 30000
        shown = drawn(empty, caption=(), pixels=pixels)[30, 30]
        assert set(np.flatnonzero(shown)) == set(colours)


def test_large_fields_get_larger_letters_and_lines(labels):
    large = [cv2.resize(image, None, fx=8, fy=8, interpolation=cv2.INTER_NEAREST) for image in labels]
    image = drawn(large)
    assert (image[160:162, 200:600] == WHITE).all()
    assert image.shape[0] - 1600 > 30


def test_a_field_without_cells_is_drawn(labels):
    assert drawn([np.zeros_like(image) for image in labels]).shape[1] == 240


@pytest.mark.parametrize(
    ("width", "size", "length", "words"),
    [
        (512, 0.08, 125, "10 um"),
        (2048, 0.325, 100 / 0.325, "100 um"),
        (512, None, 100, "100 px"),
        (700, 0.1, 200, "20 um"),
    ],
)
def test_a_scale_bar_is_a_round_length_of_at_most_a_third(width, size, length, words):
    assert scale_bar(width, size) == (pytest.approx(length), words)


def test_the_scale_bar_is_drawn_as_long_as_it_says(labels):
    wide = [np.pad(image, ((0, 312), (0, 272))) for image in (np.zeros_like(one) for one in labels)]
    pixels = np.zeros((4, 512, 512), np.uint8)
    image = cv2.imdecode(np.frombuffer(overlay(pixels, *wide, set(), (), 0.1), np.uint8), cv2.IMREAD_COLOR)
    rows = (image == WHITE).all(2).sum(1)
    assert rows.max() == 100 + 1  # 10 µm, both ends drawn
    assert not image[:400].any()


def test_border_slivers_come_after_cells_that_are_seen():
    cells = pd.DataFrame({
        "Cell": [1, 2, 3, 4, 5], "Area": [900, 1000, 40, 1100, 800], "AtBorder": [False, False, True, True, False],
        "Golgi": [0.4, 0.9, 2.0, 1.5, -1.0],
    })  # fmt: skip
    assert top_cells(cells, "Golgi", 3) == [4, 2, 1]
    assert top_cells(cells, "Golgi", 9) == [4, 2, 1, 3]


def test_a_field_of_many_small_cells_is_enlarged_and_its_scale_bar_with_it():
    cells = np.kron(np.arange(1, 257).reshape(16, 16), np.ones((20, 20), int)).astype(np.int32)
    image = drawn([cells, np.zeros_like(cells)], caption=())
    assert image.shape[1] == 2 * 320
    bar = np.zeros((4, 320, 320), np.uint8)
    empty = [np.where(cells == 1, 1, 0).astype(np.int32), np.zeros_like(cells)]
    rows = (drawn(empty, caption=(), pixels=bar)[200:] == WHITE).all(2).sum(1)
    assert rows.max() == 2 * 50 + 1


@pytest.mark.parametrize(("kind", "top"), [(np.uint8, 255), (np.uint16, 4095)])
def test_fields_have_the_colours_of_the_atlas_with_a_gamma_of_07_and_the_brightest_300th_white(rng, kind, top):
    pixels = rng.gamma(1, top / 12, (4, 40, 30)).clip(0, top).astype(kind)
    white = np.percentile(pixels, 99.7, axis=(1, 2))[:, None, None]
    red, green, blue, yellow = 255 * (pixels / white).clip(0, 1) ** 0.7
    expected = np.dstack([0.8 * blue, np.maximum(green, 0.4 * yellow), np.maximum(0.5 * red, 0.4 * yellow)])
    np.testing.assert_array_equal(in_colour(pixels), expected.astype(np.uint8))
    assert not in_colour(np.zeros_like(pixels)).any()
