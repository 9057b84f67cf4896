"""One card an organelle: its scores and curves, its confusions, and the features that the boosters use."""

import base64
from dataclasses import dataclass

import numpy as np
import pandas as pd

from models.explanation.readable import LEAST_SHARE, Counterparts, counterparts
from models.trust.label_errors import confusions
from report import sentences
from report.curves import polyline, precision_recall, reliability
from report.embedding_words import what_goes_with_it, without_embedding
from report.feature_descriptions import (
    blocks_in_words,
    channel_in_words,
    columns_in_words,
    compartment_in_words,
    family_in_words,
)
from report.report_data import Picture, ReportData
from report.rows import Row, rows_of
from store.classes import Classes
from store.matrix import EMBEDDING

N_FEATURES, N_BLOCKS, N_GROUPS, N_CONFUSED = 8, 6, 6, 3

Leading = dict[tuple[str, str], list[Row]]


@dataclass(frozen=True)
class Bar:
    """One line of a bar list: mean and sd of the share of the contributions, and of the average precision lost."""

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
    """A picture of a field with its labels and calls."""

    kind: str
    field: str
    probability: float
    labels: str
    calls: str
    uri: str


@dataclass(frozen=True)
class Curves:
    """The precision-recall and the reliability curve.

    Lines are points of an SVG in a square of 100 x 100; single values are shares of the axes from 0 to 1. `calls` is
    recall and precision of the calls, None without calls; `limit` is where the axes of the reliability curve end.
    """

    precision: str
    chance: float
    calls: tuple[float, float] | None
    reliability: str
    dots: tuple[tuple[float, float], ...]
    limit: float


@dataclass(frozen=True)
class Card:
    """The content of one organelle's card.

    `because` names the leading readable reason, for the line with the card's name. `caution` is a warning that comes
    before the `sentences`, or "". `marked` says in which feature the yellow cells of the hits stand out, or is "".
    """

    organelle: str
    because: str
    scores: Row
    curves: Curves
    caution: str
    sentences: tuple[str, ...]
    missed_for: tuple[tuple[str, int], ...]
    called_for: tuple[tuple[str, int], ...]
    groups: dict[str, tuple[Bar, ...]]
    blocks: tuple[Bar, ...]
    features: tuple[FeatureLine, ...]
    pictures: tuple[Shown, ...]
    marked: str


def make_cards(data: ReportData) -> list[Card]:
    """A card for each trainable class, in their order."""
    rows = data.scored
    confused = confusions(data.labels[rows], data.calls[rows])
    board = data.leaderboard[data.leaderboard["kind"] == "organelle"]
    scores = {row["name"]: row for row in rows_of(board)}
    words, columns = columns_in_words(data.columns), data.columns.set_index("name")
    unpooled = columns_in_words(data.columns.drop(columns="pool"))
    blocks, leading = blocks_in_words(data.columns), _leading(without_embedding(data.importance, data.columns))
    return [
        _card(data, int(j), scores, confused, leading, words, unpooled, columns, blocks)
        for j in np.flatnonzero(data.trainable)
    ]


def _card(
    data: ReportData, j: int, scores: dict[str, Row], confused: np.ndarray, leading: Leading,
    words: dict[str, str], unpooled: dict[str, str], columns: pd.DataFrame, blocks: dict[str, str],
) -> Card:  # fmt: skip
    name, rows = data.classes.names[j], data.scored
    labels, probabilities, calls = data.labels[rows, j], data.probabilities[rows, j], data.calls[rows, j]
    in_words = {"family": family_in_words, "channel": channel_in_words, "compartment": compartment_in_words}
    groups = {
        level: tuple(_bar(row, words_of(row["what"])) for row in leading.get((name, level), [])[:N_GROUPS])
        for level, words_of in in_words.items()
    }
    bars = tuple(_bar(row, blocks[row["what"]]) for row in leading.get((name, "block"), [])[:N_BLOCKS])
    pools = [(row["what"], row["share_mean"]) for row in leading.get((name, "pool"), [])[:N_GROUPS]]
    score, found = scores[name], counterparts(data.importance, name)
    spoken = (
        sentences.why([(bar.words, bar.share) for bar in bars]),
        _embedding(found, name, leading, unpooled),
        sentences.cost([(bar.words, bar.drop) for bar in groups["family"] if bar.drop is not None], score["ap"]),
        sentences.cells(pools),
        sentences.sureness(labels, calls),
    )
    caution = sentences.caution(score["ap_low"], score["chance_ap"], score["n_positive"])
    return Card(
        name, _because(found, leading.get((name, "block"), []), unpooled, blocks), score,
        _curves(labels, probabilities, calls), caution, tuple(sentence for sentence in spoken if sentence),
        _most(confused[j], data.classes), _most(confused[:, j], data.classes), groups, bars,
        tuple(_feature(row, words, columns) for row in leading.get((name, "feature"), [])[:N_FEATURES]),
        tuple(_shown(data, j, picture) for picture in data.pictures.get(j, ())),
        data.reasons[j].said if j in data.reasons else "",
    )  # fmt: skip


def _embedding(found: Counterparts | None, organelle: str, leading: Leading, words: dict[str, str]) -> str:
    """Which readable features go with the embedding, if it has a part in the calls."""
    shares = {row["what"]: row["share_mean"] for row in leading.get((organelle, "family"), [])}
    return what_goes_with_it(found, words) if found and shares.get(EMBEDDING, 0) >= LEAST_SHARE else ""


def _because(found: Counterparts | None, leading: list[Row], words: dict[str, str], blocks: dict[str, str]) -> str:
    """The block with the largest share; for the embedding, what goes with it, or else the next block."""
    named = [blocks[row["what"]] for row in leading if EMBEDDING not in row["what"].split()]
    if leading and EMBEDDING in leading[0]["what"].split() and found and found.features:
        return words[found.features[0][0]]
    return named[0] if named else ""


def _curves(labels: np.ndarray, probabilities: np.ndarray, calls: np.ndarray) -> Curves:
    curve, hits = reliability(labels, probabilities), int((labels & calls).sum())
    x, y = curve.predicted / curve.limit, curve.observed / curve.limit
    return Curves(
        polyline(*precision_recall(labels, probabilities)),
        float(labels.mean()),
        (hits / labels.sum(), hits / calls.sum()) if calls.any() else None,
        polyline(x, y),
        tuple(zip(x.tolist(), y.tolist(), strict=True)),
        curve.limit,
    )


def _leading(importance: pd.DataFrame) -> Leading:
    """By organelle and level the rows with the largest share of the contributions."""
    ranked = importance.sort_values("share_mean", ascending=False, kind="stable")
    best = ranked.groupby(["organelle", "level"], observed=True).head(N_FEATURES)
    leading: Leading = {}
    for row in rows_of(best):
        leading.setdefault((row["organelle"], row["level"]), []).append(row)
    return leading


def _bar(row: Row, words: str) -> Bar:
    share, spread = (0.0 if np.isnan(row[name]) else float(row[name]) for name in ("share_mean", "share_sd"))
    drop, drop_spread = (None if np.isnan(row[f"permutation_{end}"]) else float(row[f"permutation_{end}"])
                         for end in ("mean", "sd"))  # fmt: skip
    return Bar(words, share, spread, drop, drop_spread)


def _feature(row: Row, words: dict[str, str], columns: pd.DataFrame) -> FeatureLine:
    name = row["what"]
    column = columns.loc[name]
    return FeatureLine(
        words[name], name, family_in_words(column["family"]), column["channels"],
        compartment_in_words(column["compartment"]), float(row["share_mean"]), float(row["shap_mean"]),
    )  # fmt: skip


def _most(counts: np.ndarray, classes: Classes) -> tuple[tuple[str, int], ...]:
    order = np.argsort(-counts, kind="stable")[:N_CONFUSED]
    return tuple((classes.names[k], int(counts[k])) for k in order if counts[k])


def _shown(data: ReportData, j: int, picture: Picture) -> Shown:
    labels, calls = (", ".join(data.classes.named(table[picture.row])) for table in (data.labels, data.calls))
    uri = "data:image/jpeg;base64," + base64.b64encode(picture.jpeg).decode()
    probability = float(data.probabilities[picture.row, j])
    return Shown(picture.kind, data.ids[picture.row], probability, labels, calls, uri)
