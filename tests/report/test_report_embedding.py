"""A card whose reason is the embedding says which readable features go with it."""

from dataclasses import replace

import pandas as pd
import pytest
from example_reports import example_report

from models.explanation.readable import ALL_READABLE, READABLE
from report.cards import make_cards
from report.embedding_words import without_embedding
from report.feature_descriptions import columns_in_words
from store.matrix import EMBEDDING


@pytest.mark.parametrize(("share", "said"), [(0.6, True), (0.05, False)])
def test_the_card_says_it_where_the_embedding_has_a_part_in_the_calls(share, said):
    data = example_report(with_pictures=False)
    first = data.importance["organelle"].iloc[0]
    name = data.columns["name"].iloc[0]
    rows = [("family", EMBEDDING, share), (READABLE, ALL_READABLE, 0.62), (READABLE, name, 0.41)]
    added = pd.DataFrame(rows, columns=["level", "what", "share_mean"])
    added = added.assign(organelle=first, share_sd=0.04, shap_mean=0.5)
    own = data.importance["organelle"] == first
    others = data.importance[own & (data.importance["level"] == "family")].index
    importance = pd.concat([data.importance.drop(index=others), added], ignore_index=True)
    card = next(card for card in make_cards(replace(data, importance=importance)) if card.organelle == first)
    expected = f"it rises with {columns_in_words(data.columns.drop(columns='pool'))[name]} (41\u00a0% alone)."
    assert any(sentence.endswith(expected) and "62\u00a0% ± 4" in sentence for sentence in card.sentences) == said


def test_single_features_of_the_embedding_are_not_listed():
    columns = pd.DataFrame({"name": ["e", "t"], "family": [EMBEDDING, "Texture"]})
    importance = pd.DataFrame({"level": ["feature", "feature", "family"], "what": ["e", "t", EMBEDDING]})
    assert without_embedding(importance, columns)["what"].tolist() == ["t", EMBEDDING]
