"""Sentences of the cards, read aloud."""

import numpy as np

from report import sentences


def test_why_names_what_carries_most_and_stops_at_three():
    blocks = [("texture of the protein in the nucleus", 0.43), ("spots", 0.2), ("shape", 0.1), ("levels", 0.05)]
    said = sentences.why(blocks)
    assert said == (
        "The models rely mostly on texture of the protein in the nucleus (43\u00a0% of the contributions), spots "
        "(20\u00a0% of the contributions) and shape (10\u00a0% of the contributions)."
    )
    assert sentences.why([("nothing", 0.0)]) == ""


def test_cost_names_what_is_missed_most_and_is_silent_where_nothing_is():
    groups = [("texture", 0.1), ("spots", 0.32), ("shape", 0.2)]
    said = sentences.cost(groups, 0.8)
    assert said == "Its average precision of 0.80 would fall by 0.32 without spots and by 0.20 without shape."
    assert sentences.cost([("texture", 0.001), ("spots", -0.2)], 0.8) == ""


def test_the_cells_it_shows_on():
    said = sentences.cells([("mean", 0.75), ("top", 0.22), ("whole field", 0.03)])
    assert said == (
        "Of the contributions 75\u00a0% comes from the average of a field's cells and 22\u00a0% comes from the cells "
        "with the highest values."
    )


def test_how_sure_calls_are():
    labels, calls = np.array([1, 1, 1, 1, 0, 0], bool), np.array([1, 1, 0, 0, 1, 0], bool)
    said = sentences.sureness(labels, calls)
    assert said == "Of 3 calls 2 are right (67\u00a0%); of 4 fields that carry the label 2 are found (50\u00a0%)."
    assert sentences.sureness(labels, ~labels & False) == "No field is called, though 4 carry the label."


def test_a_card_warns_of_scores_near_chance_and_of_few_fields():
    assert sentences.caution(0.05, 0.06, 100).startswith("Predicted hardly better than by chance")
    assert "Only 7 fields" in sentences.caution(0.5, 0.06, 7)
    assert sentences.caution(0.5, 0.06, 70) == ""
