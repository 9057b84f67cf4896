"""Sentences of the cards, read aloud."""

import numpy as np

from models.report import sentences


def test_why_names_what_carries_most_and_stops_at_three():
    blocks = [("texture of the protein in the nucleus", 0.43), ("spots", 0.2), ("shape", 0.1), ("levels", 0.05)]
    said = sentences.why(blocks)
    assert said == (
        "The models go by texture of the protein in the nucleus (43\u00a0% of the gain), spots (20\u00a0% of the gain) "
        "and shape (10\u00a0% of the gain)."
    )
    assert sentences.why([("nothing", 0.0)]) == ""


def test_cost_names_what_is_missed_most_and_is_silent_where_nothing_is():
    groups = [("texture", 0.1), ("spots", 0.32), ("shape", 0.2)]
    said = sentences.cost(groups, 0.8)
    assert said == "Its average precision of 0.80 would fall without spots by 0.32 and without shape by 0.20."
    assert sentences.cost([("texture", 0.001), ("spots", -0.2)], 0.8) == ""


def test_the_cells_it_shows_on():
    said = sentences.cells([("mean", 0.75), ("top", 0.22), ("whole field", 0.03)])
    assert said == (
        "Of the gain 75\u00a0% is read from the average of a field's cells and 22\u00a0% is read from the cells with "
        "the highest values."
    )


def test_how_sure_calls_are():
    labels, calls = np.array([1, 1, 1, 1, 0, 0], bool), np.array([1, 1, 0, 0, 1, 0], bool)
    said = sentences.sureness(labels, calls)
    assert said == "Of 3 calls 2 were right (67\u00a0%); of 4 fields that carry the label 2 were found (50\u00a0%)."
    assert sentences.sureness(labels, ~labels & False) == "No field was called, though 4 carry the label."


def test_scores_that_say_little_are_told_first():
    assert "by chance" in sentences.caution(0.05, 0.06, 100)
    assert "Only 7 fields" in sentences.caution(0.5, 0.06, 7)
    assert sentences.caution(0.5, 0.06, 70) == ""
