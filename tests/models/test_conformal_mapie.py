"""Sets of possible organelles: equal to MAPIE's for single rows, and in simulation as many true as were asked for."""

import numpy as np
import pytest

from models.trust.conformal import PredictionSets, fit_sets, group_loss

N_ORGANELLES = 6


def draw(rng, n_groups, alike=True):
    """Fields of groups: some groups are easy (probabilities tell the labels), others hard; easy ones have more fields.

    With `alike`, fields of one group have the same labels and nearly the same probabilities.
    """
    easy = rng.random(n_groups)
    groups = np.repeat(np.arange(n_groups), 1 + (10 * easy).astype(int))
    n = len(groups)
    labels = (rng.random((n, N_ORGANELLES)) < 0.1) | (rng.integers(N_ORGANELLES, size=n)[:, None] == np.arange(6))
    noise = rng.normal(size=labels.shape)
    if alike:
        first = np.searchsorted(groups, groups)
        labels, noise = labels[first], noise[first] + 0.01 * noise
    odds = 5 * easy[groups, None] * labels - 2 + noise
    return 1 / (1 + np.exp(-odds)), labels, groups


def no_calls(labels):
    return np.zeros_like(labels)


def mean_coverage(rng, n_groups, coverage, by_group, n_draws=200, n_new=100):
    """Share of true organelles in the sets of new groups, the mean over draws, and its standard error."""
    covered = []
    for _ in range(n_draws):
        p, labels, groups = draw(rng, n_groups)
        sets = fit_sets(p, labels, no_calls(labels), groups if by_group else np.arange(len(groups)), coverage)
        p, labels, groups = draw(rng, n_new)
        covered.append(1 - group_loss(sets.of(p, no_calls(labels)), labels, groups))
    return np.mean(covered), np.std(covered) / np.sqrt(n_draws)


@pytest.mark.parametrize(("n_groups", "coverage"), [(30, 0.9), (80, 0.8)])
def test_new_groups_are_covered_as_stated_and_hardly_more(rng, n_groups, coverage):
    covered, error = mean_coverage(rng, n_groups, coverage, by_group=True)
    assert coverage - 3 * error < covered < coverage + 2 / (n_groups + 1) + 3 * error


def test_fields_taken_for_groups_would_promise_too_much(rng):
    covered, error = mean_coverage(rng, 30, 0.9, by_group=False)
    assert covered < 0.9 - 0.05 < 0.9 - 5 * error


def test_calls_are_always_in_and_cost_nothing(rng):
    p, labels, groups = draw(rng, 60)
    calls = labels & (rng.random(labels.shape) < 0.5)
    sets, bare = (fit_sets(p, labels, c, groups, 0.8) for c in (calls, no_calls(labels)))
    assert sets.threshold > bare.threshold
    assert (sets.of(p, calls) >= calls).all()
    assert group_loss(sets.of(p, calls), labels, groups) <= 0.2


def test_fields_without_an_organelle_change_nothing(rng):
    """They have nothing to miss; counted as fields that are covered, they would hide what others miss."""
    p, labels, groups = draw(rng, 60)
    calls = labels & (rng.random(labels.shape) < 0.3)
    sets = fit_sets(p, labels, calls, groups, 0.9)
    empty = 4 * len(labels)
    of_all = np.concatenate([groups, rng.integers(0, 200, empty)])
    none = np.zeros((empty, N_ORGANELLES), bool)
    odds = rng.random(none.shape)
    many = fit_sets(*(np.concatenate(pair) for pair in ((p, odds), (labels, none), (calls, none))), of_all, 0.9)
    assert many.threshold == pytest.approx(sets.threshold, rel=1e-12)
    assert many.n_groups == sets.n_groups == 60
    assert fit_sets(odds, none, none, of_all[-empty:], 0.9) == PredictionSets(0.9, 0.0, 0, True)


def test_the_cut_is_the_highest_that_keeps_the_promise(rng):
    p, labels, groups = draw(rng, 40)
    n, cut = 40, fit_sets(p, labels, no_calls(labels), groups, 0.85).threshold

    def bound(at):
        return (n * group_loss(p >= at, labels, groups) + 1) / (n + 1)

    assert bound(cut) <= 0.15 < bound(np.nextafter(cut, 1))


def test_too_few_groups_are_told_and_give_everything(rng):
    p, labels, groups = draw(rng, 8)
    sets = fit_sets(p, labels, no_calls(labels), groups, 0.9)
    assert "at least 9 groups" in sets.too_few
    assert "has 8" in sets.too_few
    assert sets.of(p, no_calls(labels)).all()
    assert PredictionSets(0.9, 0.1, 9, True).too_few == ""
    assert PredictionSets(0.95, 0.1, 18, True).too_few


def test_a_new_group_is_promised_only_where_groups_are_known(rng):
    p, labels, groups = draw(rng, 60)
    known, hidden = (fit_sets(p, labels, no_calls(labels), groups, 0.9, grouped) for grouped in (True, False))
    alone = fit_sets(p, labels, no_calls(labels), np.arange(len(groups)), 0.9)
    promise = "at least about 90 % of the true organelles of fields of a new antibody, well or other group"
    assert promise in alone.promise, "each group may have one field"
    assert promise in known.promise
    assert "at least about 90 % of the true organelles of new fields" in hidden.promise
    assert "of a new one's fields it may be less" in hidden.promise


def test_all_called_needs_no_cut():
    labels = np.eye(N_ORGANELLES, dtype=bool)[np.arange(20) % N_ORGANELLES]
    sets = fit_sets(np.full(labels.shape, 0.5), labels, labels, np.arange(20), 0.9)
    assert np.isinf(sets.threshold)
    np.testing.assert_array_equal(sets.of(np.full(labels.shape, 0.5), labels), labels)


def test_an_organelle_that_cannot_be_learnt_is_in_all_sets_or_in_none(rng):
    p, labels, groups = draw(rng, 60)
    p[:, 0] = np.float32(0.04)
    for coverage in (0.5, 0.99 - 1 / 61):
        mine = fit_sets(p, labels, no_calls(labels), groups, coverage).of(p, no_calls(labels))[:, 0]
        assert mine.all() or not mine.any()


@pytest.mark.parametrize("coverage", [0.7, 0.9, 0.95])
def test_single_rows_equal_mapie(rng, coverage):
    mapie = pytest.importorskip("mapie.risk_control")
    p, labels, _ = draw(rng, 12, alike=False)
    grid = np.append(0.0, np.unique(p[labels]) - 1e-9)  # MAPIE takes what is above a cut, on a grid
    control = mapie.MultiLabelClassificationController(
        lambda x: x, risk="recall", method="crc", target_level=coverage, predict_params=grid
    ).calibrate(p, labels)
    ours = fit_sets(p, labels, no_calls(labels), np.arange(len(p)), coverage)
    new = draw(rng, 20)[0]
    np.testing.assert_array_equal(ours.of(new, np.zeros(new.shape, bool)), control.predict(new)[:, :, 0])
