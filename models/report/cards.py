"""One card an organelle: how well it is called, how sure, what it is taken for, and what the boosters look at."""

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from models.doubts import confusions, names_of
from models.labels import ORGANELLES
from models.report import sentences
from models.report.curves import polyline, precision_recall, reliability
from models.report.evidence import Evidence, Picture
from models.words import blocks_in_words, channel_in_words, columns_in_words, compartment_in_words, family_in_words

N_FEATURES, N_BLOCKS, N_GROUPS, N_CONFUSED = 8, 6, 6, 3

Leading = dict[tuple[str, str], list[dict[str, Any]]]


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
    calls: str
    uri: str


@dataclass(frozen=True)
class Curves:
    """Two curves, lines as points of an SVG in a square of 100 x 100; single values are shares of the axes from 0 to 1.

    `calls` is recall and precision of the calls, None where there are none; `limit` is where the axes of the
    reliability end.
    """

    precision: str
    chance: float
    calls: tuple[float, float] | None
    reliability: str
    dots: tuple[tuple[float, float], ...]
    limit: float


@dataclass(frozen=True)
class Card:
    """What the page says of one organelle; `said` are its sentences, `caution` one that comes before them, or ""."""

    organelle: str
    scores: dict[str, Any]
    curves: Curves
    caution: str
    said: tuple[str, ...]
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
    blocks, leading = blocks_in_words(evidence.columns), _leading(evidence.importance)
    return [
        _card(evidence, int(j), scores, confused, leading, words, columns, blocks)
        for j in np.flatnonzero(evidence.evaluable)
    ]


def _card(
    evidence: Evidence, j: int, scores: pd.DataFrame, confused: np.ndarray, leading: Leading,
    words: dict[str, str], columns: pd.DataFrame, blocks: dict[str, str],
) -> Card:  # fmt: skip
    name, rows = ORGANELLES[j], evidence.scored
    labels, probabilities, calls = evidence.labels[rows, j], evidence.probabilities[rows, j], evidence.calls[rows, j]
    naming = {"family": family_in_words, "channel": channel_in_words, "compartment": compartment_in_words}
    groups = {
        level: tuple(_bar(row, say(row["what"])) for row in leading.get((name, level), [])[:N_GROUPS])
        for level, say in naming.items()
    }
    bars = tuple(_bar(row, blocks[row["what"]]) for row in leading.get((name, "block"), [])[:N_BLOCKS])
    pools = [(row["what"], row["gain_mean"]) for row in leading.get((name, "pool"), [])[:N_GROUPS]]
    score = scores.loc[name].to_dict()
    said = (
        sentences.why([(bar.words, bar.share) for bar in bars]),
        sentences.cost([(bar.words, bar.drop) for bar in groups["family"] if bar.drop is not None], score["ap"]),
        sentences.cells(pools),
        sentences.sureness(labels, calls),
    )
    caution = sentences.caution(score["ap_low"], score["chance_ap"], score["n_positive"])
    return Card(
        name, score, _curves(labels, probabilities, calls), caution, tuple(sentence for sentence in said if sentence),
        _most(confused[j]), _most(confused[:, j]), groups, bars,
        tuple(_feature(row, words, columns) for row in leading.get((name, "feature"), [])[:N_FEATURES]),
        tuple(_shown(evidence, j, picture) for picture in evidence.pictures.get(j, ())),
    )  # fmt: skip


def _curves(labels: np.ndarray, probabilities: np.ndarray, calls: np.ndarray) -> Curves:
    trust, hits = reliability(labels, probabilities), int((labels & calls).sum())
    x, y = trust.predicted / trust.limit, trust.observed / trust.limit
    return Curves(
        polyline(*precision_recall(labels, probabilities)),
        float(labels.mean()),
        (hits / labels.sum(), hits / calls.sum()) if calls.any() else None,
        polyline(x, y),
        tuple(zip(x.tolist(), y.tolist(), strict=True)),
        trust.limit,
    )


def _leading(importance: pd.DataFrame) -> Leading:
    """By organelle and level the rows with the largest gain."""
    ranked = importance.sort_values("gain_mean", ascending=False, kind="stable")
    best = ranked.groupby(["organelle", "level"], observed=True).head(N_FEATURES)
    return {key: rows.to_dict("records") for key, rows in best.groupby(["organelle", "level"], observed=True)}


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


def _most(counts: np.ndarray) -> tuple[tuple[str, int], ...]:
    order = np.argsort(-counts, kind="stable")[:N_CONFUSED]
    return tuple((ORGANELLES[k], int(counts[k])) for k in order if counts[k])


def _shown(evidence: Evidence, j: int, picture: Picture) -> Shown:
    labels, calls = (names_of(table[picture.row]) for table in (evidence.labels, evidence.calls))
    uri = "data:image/jpeg;base64," + base64.b64encode(picture.jpeg).decode()
    probability = float(evidence.probabilities[picture.row, j])
    return Shown(picture.kind, evidence.ids[picture.row], probability, labels, calls, uri)
