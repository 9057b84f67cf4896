"""Where there is nothing to find nothing is found, and where groups leak it shows."""

import numpy as np
import pandas as pd
import pytest
from field_ids import field_ids

from models.evaluation.metrics import average_precision, each, f1
from models.fit import fit
from models.settings import FitSettings

MEMBERS = ("lightgbm", "linear")


def columns(n):
    return pd.DataFrame({"name": [f"f{j}" for j in range(n)]})


@pytest.fixture(scope="module")
def chance(tmp_path_factory):
    """Labels that have nothing to do with the values, 400 to 12 positives."""
    rng = np.random.default_rng(11)
    labels = np.zeros((1000, 28), bool)
    labels[:, :8] = rng.random((1000, 8)) < np.geomspace(0.4, 0.012, 8)
    values = rng.normal(0, 1, (1000, 20)).astype(np.float32)
    asked = FitSettings(rounds=15, members=MEMBERS, n_resamples=20, held_out=0.2)
    groups = np.repeat(np.arange(500), 2)
    folder = tmp_path_factory.mktemp("chance")
    return fit(field_ids(values), values, columns(20), labels, groups, asked, folder, quiet=True), labels


def test_random_labels_give_chance_at_every_step(chance):
    result, _ = chance
    steps = result.leaderboard.of("step")
    share = result.leaderboard.of("macro")["chance_ap"].iloc[0]
    known = steps[steps["ap"].notna()]
    assert len(known) >= 5
    assert known["ap"].to_numpy() == pytest.approx(share, abs=0.03)


def test_random_labels_give_chance_on_held_out_groups(chance):
    splits = chance[0].leaderboard.of("split").set_index("name")
    held = splits.loc["held-out groups"]
    assert held["ap"] == pytest.approx(held["chance_ap"], abs=0.05)


def test_random_labels_give_the_f1_of_blind_calls(chance):
    """Calling a share q of the fields blindly gives F1 = 2 share q / (share + q), whatever the thresholds chose."""
    result, labels = chance
    inner, able = result.fold >= 0, result.trainable
    truth, calls = labels[inner][:, able], result.calls[inner][:, able]
    share, called = truth.mean(0), calls.mean(0)
    reached = each(f1, truth, calls)
    assert np.nanmean(reached) == pytest.approx((2 * share * called / (share + called)).mean(), abs=0.03)


def test_random_labels_give_probabilities_near_the_prior(chance):
    result, labels = chance
    inner, able = result.fold >= 0, result.trainable
    p, share = result.probabilities[inner][:, able], labels[inner][:, able].mean(0)
    assert p.std(0).max() < 0.06
    assert p.mean(0) == pytest.approx(share, abs=0.01)
    assert each(average_precision, labels[inner][:, able], p).mean() < share.mean() + 0.03


def planted(rng, style):
    """Fields in antibodies of five with equal labels; the values show the antibody's style, nothing of the labels."""
    antibody = np.repeat(np.arange(120), 5)
    labels = np.zeros((600, 28), bool)
    labels[:, :5] = (rng.random((120, 5)) < 0.25)[antibody]
    values = rng.normal(0, 1, (600, 12)) + style * rng.normal(0, 1, (120, 12))[antibody]
    return values.astype(np.float32), labels, antibody


@pytest.mark.parametrize("style", [3.0, 0.0])
def test_a_leak_shows_as_a_gap_between_random_and_grouped_folds(rng, tmp_path, style):
    values, labels, antibody = planted(rng, style)
    asked = FitSettings(rounds=100, members=("lightgbm",), n_resamples=5, held_out=0.0)
    board = fit(field_ids(values), values, columns(12), labels, antibody, asked, tmp_path, quiet=True).leaderboard
    ap = board.of("split").set_index("name")["ap"]
    gap = ap["random folds, lightgbm alone"] - ap["grouped folds, lightgbm alone"]
    assert ap["grouped folds"] < 0.4
    assert gap > 0.2 if style else abs(gap) < 0.08
