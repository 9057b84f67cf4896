"""The report in a few sentences: what was learnt, how far to trust it, what it rests on, what to look at next."""

import numpy as np
import pandas as pd

from report.feature_descriptions import channel_in_words, family_in_words
from report.report_data import ReportData
from report.rows import rows_of
from report.sentences import listed, percent

_NAMED = 3


def in_short(data: ReportData) -> tuple[str, ...]:
    """Sentences for a reader with one minute; without any learnt organelle only the first."""
    learnt = int(data.trainable.sum())
    sentences = [_learnt(learnt, data), _relabelled(data)]
    if learnt:
        sentences += [_right(data), *_ranked(data), _calibrated(data), *_rests_on(data), *_to_check(data)]
    return tuple(sentence for sentence in sentences if sentence)


def _learnt(learnt: int, data: ReportData) -> str:
    known, fields = len(data.classes.names), int(data.scored.sum())
    rest = "" if learnt == known else f"; the other {known - learnt} could not be learnt and are never called"
    return f"{learnt} of {known} {data.classes.nouns} were learnt from {fields:,} fields{rest}."


def _relabelled(data: ReportData) -> str:
    n, fields = data.n_relabelled, "field has" if data.n_relabelled == 1 else "fields have"
    return f"{n:,} {fields} other labels by now than at this fit: fit again to learn them." if n else ""


def _right(data: ReportData) -> str:
    """Calls that are right and labels that are found."""
    labels, calls = data.labels[data.scored][:, data.trainable], data.calls[data.scored][:, data.trainable]
    right = int((labels & calls).sum())
    if not right:
        return "No call on a field that the models had not seen is right."
    n_all = int(data.labels[data.scored].sum())
    of_learnt = f" ({percent(right / labels.sum())} of those that were learnt)" if n_all > labels.sum() else ""
    return (
        f"On fields that the models had not seen, {percent(right / calls.sum())} of the calls are right, and "
        f"{percent(right / n_all)} of the labels are found{of_learnt}."
    )


def _ranked(data: ReportData) -> list[str]:
    board = data.leaderboard[(data.leaderboard["kind"] == "organelle") & (data.leaderboard["trainable"] == 1)]
    ranked = board.dropna(subset=["f1"]).sort_values("f1", ascending=False, kind="stable")
    if len(ranked) < 2 * _NAMED:
        return [f"F1 by {data.classes.noun}: {_with_f1(ranked)}."] if len(ranked) else []
    return [f"Found best: {_with_f1(ranked.head(_NAMED))}; worst: {_with_f1(ranked.tail(_NAMED)[::-1])} (F1)."]


def _with_f1(rows: pd.DataFrame) -> str:
    return listed([f"{row['name']} {row['f1']:.2f}" for row in rows_of(rows)])


def _calibrated(data: ReportData) -> str:
    macros = data.leaderboard[data.leaderboard["kind"] == "macro"]
    error = float(macros["ece"].iloc[0]) if len(macros) else np.nan
    return "" if np.isnan(error) else f"A probability is off by {100 * error:.1f} percentage points on average."


def _rests_on(data: ReportData) -> list[str]:
    """The families and stains with the largest mean share of the contributions."""
    if not len(data.importance):
        return []
    leading = []
    for level, in_words in (("family", family_in_words), ("channel", channel_in_words)):
        rows = data.importance[data.importance["level"] == level]
        shares = rows.groupby("what", observed=True)["share_mean"].mean().sort_values(ascending=False, kind="stable")
        named = list(zip(shares.index.astype(str), shares, strict=True))[:_NAMED]
        leading.append(listed([f"{in_words(what)} ({percent(share)})" for what, share in named]))
    return [f"Over all {data.classes.nouns} the calls rest most on {leading[0]}; by stain on {leading[1]}."]


def _to_check(data: ReportData) -> list[str]:
    n, board = len(data.label_errors), data.leaderboard
    weak = board[(board["kind"] == "organelle") & (board["trainable"] == 1) & (board["ap_low"] <= board["chance_ap"])]
    labels = [f"{n} {'label is' if n == 1 else 'labels are'} worth a look (below)."] if n else []
    return [*labels, *([f"No better than chance may be: {listed(weak['name'].tolist())}."] if len(weak) else [])]
