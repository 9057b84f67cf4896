"""One card an organelle: how well it is called, how sure, what it is taken for, and what the boosters look at."""

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from models.doubts import confusions
from models.feature_groups import block_names
from models.importance import top
from models.labels import ORGANELLES
from models.report.curves import polyline, precision_recall, reliability
from models.report.evidence import Evidence
from models.words import (
    block_in_words,
    channel_in_words,
    columns_in_words,
    compartment_in_words,
    family_in_words,
    pool_in_words,
)

N_FEATURES, N_BLOCKS, N_GROUPS, N_CONFUSED = 8, 6, 6, 3


@dataclass(frozen=True)
class Bar:
    """One line of a bar list: `share` and `spread` of the gain, `drop` of average precision when permuted, or None."""

    words: str
    share: float
    spread: float
    drop: float | None
    drop_spread: float | None


@dataclass(frozen=True)
class FeatureLine:
    """One feature in words, with its coordinates."""

    words: str
    name: str
    family: str
    channels: tuple[str, ...]
    compartment: str
    share: float
    shap: float


@dataclass(frozen=True)
class Shown:
    """A picture with what is known of its field."""

    kind: str
    field: str
    probability: float
    labels: str
    uri: str


@dataclass(frozen=True)
class Card:
    """What the page says of one organelle; curves are points in a square of 100 x 100."""

    organelle: str
    scores: dict[str, Any]
    recall_precision: str
    reliability: str
    reliability_dots: tuple[tuple[float, float], ...]
    reliability_limit: float
    missed_for: tuple[tuple[str, int], ...]
    called_for: tuple[tuple[str, int], ...]
    groups: dict[str, tuple[Bar, ...]]
    blocks: tuple[Bar, ...]
    features: tuple[FeatureLine, ...]
    pictures: tuple[Shown, ...]


def make_cards(evidence: Evidence) -> list[Card]:
    """A card for each evaluable organelle, in Kaggle's order."""
    rows = evidence.scored
    confused = confusions(evidence.labels[rows], evidence.calls[rows])
    scores = evidence.leaderboard[evidence.leaderboard["kind"] == "organelle"].set_index("name")
    words, columns = columns_in_words(evidence.columns), evidence.columns.set_index("name")
    blocks, importance = _blocks(evidence.columns), dict(iter(evidence.importance.groupby("organelle", observed=True)))
    return [
        _card(evidence, int(j), scores, confused, importance.get(ORGANELLES[j]), words, columns, blocks)
        for j in np.flatnonzero(evidence.evaluable)
    ]


def _card(
    evidence: Evidence, j: int, scores: pd.DataFrame, confused: np.ndarray, importance: pd.DataFrame | None,
    words: dict[str, str], columns: pd.DataFrame, blocks: dict[str, str],
) -> Card:  # fmt: skip
    name, rows = ORGANELLES[j], evidence.scored
    labels, probabilities = evidence.labels[rows, j], evidence.probabilities[rows, j]
    trust = reliability(labels, probabilities)
    x, y = trust.predicted / trust.limit, trust.observed / trust.limit
    naming = {"family": family_in_words, "channel": channel_in_words, "compartment": compartment_in_words,
              "pool": pool_in_words}  # fmt: skip
    groups = {
        level: tuple(_bar(row, say(row["what"])) for row in _top(importance, name, level, N_GROUPS))
        for level, say in naming.items()
    }
    return Card(
        name, scores.loc[name].to_dict(), polyline(*precision_recall(labels, probabilities)), polyline(x, y),
        tuple((100 * float(a), 100 * (1 - float(b))) for a, b in zip(x, y, strict=True)), trust.limit,
        _most(confused[j]), _most(confused[:, j]), groups,
        tuple(_bar(row, blocks[row["what"]]) for row in _top(importance, name, "block", N_BLOCKS)),
        tuple(_feature(row, words, columns) for row in _top(importance, name, "feature", N_FEATURES)),
        tuple(_shown(evidence, j, picture) for picture in evidence.pictures.get(j, ())),
    )  # fmt: skip


def _top(importance: pd.DataFrame | None, organelle: str, level: str, n: int) -> list[dict[str, Any]]:
    return [] if importance is None else top(importance, organelle, level, n).to_dict("records")


def _bar(row: dict[str, Any], words: str) -> Bar:
    share, spread = (0.0 if np.isnan(row[name]) else float(row[name]) for name in ("gain_mean", "gain_sd"))
    drop, drop_spread = (None if np.isnan(row[f"permutation_{end}"]) else float(row[f"permutation_{end}"])
                         for end in ("mean", "sd"))  # fmt: skip
    return Bar(words, share, spread, drop, drop_spread)


def _feature(row: dict[str, Any], words: dict[str, str], columns: pd.DataFrame) -> FeatureLine:
    name = row["what"]
    column = columns.loc[name]
    return FeatureLine(
        words[name], name, family_in_words(column["family"]), tuple(column["channels"].split()),
        compartment_in_words(column["compartment"]), float(row["gain_mean"]), float(row["shap_mean"]),
    )  # fmt: skip


def _blocks(columns: pd.DataFrame) -> dict[str, str]:
    """The words of each block."""
    named = zip(block_names(columns), columns["compartment"], columns["family"], columns["channels"], strict=True)
    return {block: block_in_words(compartment, family, channels) for block, compartment, family, channels in named}


def _most(counts: np.ndarray) -> tuple[tuple[str, int], ...]:
    order = np.argsort(-counts, kind="stable")[:N_CONFUSED]
    return tuple((ORGANELLES[k], int(counts[k])) for k in order if counts[k])


def _shown(evidence: Evidence, j: int, picture: Any) -> Shown:
    labels = ", ".join(ORGANELLES[k] for k in np.flatnonzero(evidence.labels[picture.row]))
    uri = "data:image/jpeg;base64," + base64.b64encode(picture.jpeg).decode()
    probability = float(evidence.probabilities[picture.row, j])
    return Shown(picture.kind, evidence.ids[picture.row], probability, labels, uri)
