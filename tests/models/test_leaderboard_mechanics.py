"""The table of scores and the file for machines."""

import json

import numpy as np
import pandas as pd
import pytest

from models.evaluation.leaderboard import Leaderboard, add_intervals, assemble, organelle_rows, step_row
from store.classes import ORGANELLES


@pytest.fixture
def board(rng):
    labels = np.zeros((500, 28), bool)
    labels[:, :3] = rng.random((500, 3)) < [0.5, 0.2, 0.05]
    p = np.clip(0.3 * labels + rng.uniform(0, 0.5, labels.shape), 0, 1)
    trainable = np.arange(28) < 3
    rows = organelle_rows(labels, p, p > 0.4, trainable, ORGANELLES)
    rows = add_intervals(rows, labels, p, p > 0.4, np.arange(500) // 2, 30, rng)
    return assemble(rows, [step_row("stack: mean", ap=0.5)], "grouped")


def test_macro_rows_are_means_with_and_without_rare_organelles(board):
    organelles, macros = board.of("organelle"), board.of("macro").set_index("name")
    assert organelles["name"].tolist() == list(ORGANELLES)
    assert macros.loc["all", "ap"] == pytest.approx(organelles["ap"].mean())
    assert macros.loc["all", "n_organelles"] == 3
    assert macros.loc["50 positives or more", "ap"] == pytest.approx(organelles["ap"][:2].mean())
    assert macros.loc["50 positives or more", "n_organelles"] == 2


def test_intervals_hold_the_score(board):
    three = board.of("organelle").iloc[:3]
    for score in ("ap", "f1"):
        assert (three[f"{score}_low"] < three[score]).all()
        assert (three[score] < three[f"{score}_high"]).all()
    assert board.of("organelle")["ap_low"].iloc[3:].isna().all()


def test_csv_and_json(board, tmp_path):
    board.save(tmp_path / "leaderboard.csv")
    again = Leaderboard.load(tmp_path / "leaderboard.csv", "grouped", ORGANELLES)
    pd.testing.assert_frame_equal(again.table, board.table, rtol=1e-5)
    board.save_metrics(tmp_path / "metrics.json", simulated=True)
    metrics = json.loads((tmp_path / "metrics.json").read_text())
    assert metrics["simulated"] is True
    assert metrics["steps"]["stack: mean"]["ap"] == 0.5
    assert metrics["steps"]["stack: mean"]["f1"] is None
    assert metrics["organelles"]["Nucleoli"]["n_positive"] == board.of("organelle")["n_positive"].iloc[2]
    assert len(metrics["not_trainable"]) == 25
