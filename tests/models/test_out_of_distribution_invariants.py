"""What training fields usually have: broken values and missing ones lie outside, the fields themselves do not."""

import numpy as np
import pytest

from models.trust.out_of_distribution import fit_ranges, is_out_of_distribution

ALL = np.arange(50)


@pytest.fixture
def values(rng):
    return rng.normal(size=(60, 50)).astype(np.float32)


def test_training_fields_lie_inside_and_what_is_beyond_or_missing_outside(values):
    ranges = fit_ranges(values, ALL, np.arange(60))
    np.testing.assert_array_equal(ranges.outside(values), 0)
    odd = values[:1].copy()
    odd[0, :10], odd[0, 10:20], odd[0, 20:25] = 99, -99, np.nan
    assert ranges.outside(odd) == 0.5


def test_what_training_fields_lack_as_well_may_be_missing(values):
    values[0, 7] = np.nan
    values[:, 8] = np.nan
    gap = values[1:2].copy()
    gap[0, 7:10] = np.nan
    assert fit_ranges(values, ALL, np.arange(60)).outside(gap) == 1 / 50
    present = np.nan_to_num(values[1:2], nan=5.0)
    assert fit_ranges(values, ALL, np.arange(60)).outside(present) == 0


def test_only_the_chosen_columns_count(values):
    odd = values[:2].copy()
    odd[0, 0], odd[1, 1] = 99, 99
    np.testing.assert_array_equal(fit_ranges(values, np.array([1, 2]), np.arange(60)).outside(odd), [0, 0.5])


def test_a_few_broken_training_fields_do_not_stretch_the_ranges(rng):
    values = rng.normal(size=(300, 50)).astype(np.float32)
    values[:2], values[2] = 1e6, np.nan
    ranges = fit_ranges(values, ALL, np.arange(300))
    np.testing.assert_array_equal(ranges.outside(np.float32([[99] * 50, [np.nan] * 50])), 1)


@pytest.mark.parametrize("n", [50, 100, 200])
def test_the_usual_share_is_that_of_new_fields(n, rng):
    values = rng.normal(size=(n + 1000, 50)).astype(np.float32)
    ranges = fit_ranges(values[:n], ALL, np.arange(n))
    assert ranges.training_shares.mean() == pytest.approx(ranges.outside(values[n:]).mean(), rel=0.2)
    assert (np.diff(ranges.training_shares) >= 0).all()


def test_fields_of_one_group_do_not_make_each_other_usual(values):
    twice = np.repeat(values[:40], 2, axis=0)
    alone, paired = (
        fit_ranges(twice, ALL, groups).training_shares.mean() for groups in (np.arange(80), np.arange(80) // 2)
    )
    assert alone < 0.5 * paired
    np.testing.assert_array_equal(fit_ranges(values, ALL, np.zeros(60, int)).training_shares, 1)


def test_of_many_fields_a_part_is_asked(rng):
    values = rng.normal(size=(4500, 3)).astype(np.float32)
    ranges = fit_ranges(values, np.arange(3), np.arange(4500) // 5)
    assert len(ranges.training_shares) == 1500
    assert 0.001 < ranges.outside(values).mean() < 0.03


def test_a_field_beyond_99_of_100_training_fields_by_distance_or_by_values_is_out_of_distribution():
    usual = np.linspace(0.1, 1, 200)
    nearest, outside = np.array([0.5, 0.995, 2, 0.5]), np.array([0.5, 0.5, 0.5, 2])
    assert is_out_of_distribution(nearest, outside, usual, usual).tolist() == [False, False, True, True]
    assert not is_out_of_distribution(usual[197:198], usual[:1], usual, usual).any()
    assert is_out_of_distribution(usual[199:], usual[:1], usual, usual).all()
