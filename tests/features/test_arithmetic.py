"""One rule for zero: a ratio is NaN where its denominator is not positive, and nobody is warned."""

import numpy as np
import pytest

from features.core.arithmetic import contrast, ratio, shares


@pytest.mark.parametrize("bottom", [0.0, -0.0, -1.0, np.nan])
@pytest.mark.parametrize("top", [0.0, 1.0, -1.0, np.nan])
def test_a_ratio_over_nothing_is_nan(top, bottom):
    assert np.isnan(ratio(np.array([top]), np.array([bottom]), np)).all()


def test_a_ratio_of_counts_and_of_single_precision_keeps_its_type():
    assert ratio(np.array([3, 1]), np.array([2, 0]), np).tolist()[0] == 1.5
    assert ratio(np.float32([3]), np.float32([2]), np).dtype == np.float32


def test_contrast_goes_from_minus_one_to_one():
    found = contrast(np.array([0.0, 1, 2, 0]), np.array([2.0, 1, 0, 0]), np)
    np.testing.assert_array_equal(found, [-1, 0, 1, np.nan])


def test_shares_of_counts_add_up_to_one_and_of_none_are_nan():
    found = shares(np.array([[[1, 3], [0, 0]]]), np)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [[[0.25, 0.75], [np.nan, np.nan]]])
