"""The report in a few sentences: what it says follows from the labels, calls and importances it is given."""

from dataclasses import replace

import numpy as np
from example_reports import example_report

from report.score_words import what_it_is
from report.summary import in_short


def test_it_counts_what_was_learnt_and_how_often_calls_are_right():
    data = example_report(n=200, with_pictures=False)
    labels = data.labels.copy()
    calls = labels.copy()
    first = np.flatnonzero(data.scored & labels[:, 0])[:1]
    calls[first, 0] = False
    right = int((labels & calls)[data.scored][:, data.trainable].sum())
    said = " ".join(in_short(replace(data, calls=calls)))
    assert said.startswith("27 of 28 organelles were learnt from")
    assert "the other 1 could not be learnt" in said
    assert "100\u00a0% of the calls are right" in said
    assert f"{right / (right + 1):.0%}".replace("%", "\u00a0%") + " of the labels are found" in said


def test_labels_that_were_not_learnt_count_as_not_found():
    data = example_report(n=200, with_pictures=False)
    labels, able = data.labels.copy(), data.trainable.copy()
    able[:14] = False
    calls = labels & able
    right, n_all = int(calls[data.scored].sum()), int(labels[data.scored].sum())
    said = " ".join(in_short(replace(data, calls=calls, trainable=able)))
    share = f"{right / n_all:.0%}".replace("%", "\u00a0%")
    assert f"{share} of the labels are found (100\u00a0% of those that were learnt)" in said


def test_labels_that_changed_since_the_fit_are_said():
    data = example_report(n=60, with_pictures=False)
    assert "by now" not in " ".join(in_short(data))
    said = " ".join(in_short(replace(data, n_relabelled=1234)))
    assert "1,234 fields have other labels by now than at this fit" in said


def test_it_names_the_best_the_worst_and_what_chance_would_do():
    data = example_report(n=200, with_pictures=False)
    board = data.leaderboard.copy()
    able = board.index[(board["kind"] == "organelle") & (board["trainable"] == 1)]
    board.loc[able, "f1"] = np.linspace(0.9, 0.1, len(able))
    board.loc[able, ["ap_low", "chance_ap"]] = [0.5, 0.1]
    board.loc[able[-1], "ap_low"] = 0.05
    names = board.loc[able, "name"].tolist()
    said = " ".join(in_short(replace(data, leaderboard=board)))
    assert f"Found best: {names[0]} 0.90" in said
    assert f"worst: {names[-1]} 0.10" in said
    assert f"No better than chance may be: {names[-1]}." in said


def test_a_run_that_learnt_nothing_says_that_alone():
    data = replace(example_report(n=40, with_pictures=False), trainable=np.zeros(28, bool))
    assert in_short(data) == (
        f"0 of 28 organelles were learnt from {data.scored.sum()} fields; the other 28 could not be learnt and are "
        "never called.",
    )


def test_every_row_of_a_leaderboard_says_what_it_is_of():
    board = example_report(n=60, with_pictures=False).leaderboard
    for name in board.loc[board["kind"].isin(["step", "split"]), "name"]:
        assert what_it_is(name), name
    assert "lightgbm alone" in what_it_is("member lightgbm")
    assert "compare the two kinds of folds" in what_it_is("random folds, lightgbm alone")
