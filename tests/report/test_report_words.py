"""Every column of every family can be said in words."""

import pytest

import features
from features.extraction.field_level import field_columns
from report.feature_descriptions import block_in_words, columns_in_words, family_in_words, has_phrase, in_words
from store.columns import columns_frame
from store.matrix import matrix_columns

NUCLEAR_TEXTURE = {
    "compartment": "Nuclei", "family": "Texture", "feature": "Contrast", "channels": ("Protein",),
    "parameters": ("8", "mean", "32"), "pool": "top",
}  # fmt: skip


def all_columns():
    parts = {name: columns_frame(family.columns()) for name, family in features.families().items()}
    return parts | {"field": columns_frame(field_columns())}


@pytest.mark.parametrize("family", all_columns())
def test_no_column_falls_back_to_its_tokens(family):
    silent = [row["name"] for row in all_columns()[family].to_dict("records") if not has_phrase(row)]
    assert not silent, f"{len(silent)} columns have no phrase in report/phrases, e.g. {silent[:3]}"


@pytest.mark.parametrize("family", all_columns())
def test_words_tell_the_columns_of_a_family_apart_and_leave_no_gap(family):
    said = columns_in_words(matrix_columns(all_columns()[family]))
    texts = list(said.values())
    double = [text for text in set(texts) if texts.count(text) > 1]
    assert not double
    assert not [text for text in texts if "{" in text or "  " in text or text[0].isupper() or text[0].isspace()]


def test_a_sentence_as_a_biologist_would_say_it():
    assert in_words(NUCLEAR_TEXTURE) == "coarse contrast of the protein in the nucleus (cells with the highest values)"
    assert block_in_words("Nuclei", "Texture", ("Protein",)) == "texture of the protein in the nucleus"


def test_no_pixel_is_dark_and_bright_at_once():
    adjacency = NUCLEAR_TEXTURE | {"family": "ThresholdAdjacency", "feature": "NotAboveLow", "pool": ""}
    assert in_words(adjacency | {"parameters": ("bright", "8")}) == (
        "dim pixels of the protein (below the mean of bright pixels minus one sd) in the nucleus, in solid areas (all "
        "8 neighbours alike)"
    )


def test_an_unknown_feature_is_still_readable():
    novel = NUCLEAR_TEXTURE | {"family": "SpinGlass", "feature": "MeanOverlap2", "pool": ""}
    novel |= {"channels": ("Protein", "ER")}
    assert not has_phrase(novel)
    assert in_words(novel) == "spin glass: mean overlap 2 of the protein and the ER in the nucleus [8 mean 32]"
    assert family_in_words("ER") == "ER"
    assert not has_phrase(NUCLEAR_TEXTURE | {"parameters": ("8", "sideways", "32")})
