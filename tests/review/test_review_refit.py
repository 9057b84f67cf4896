"""What a refit changed: scores on the labels as they stand, labels added and removed, changed calls."""

from types import SimpleNamespace

import numpy as np
import pytest

from review.refit import compare_fits


def fit(labels, probabilities, called_from: float) -> SimpleNamespace:
    """A fit of two classes on four fields."""
    probabilities = np.array(probabilities)
    return SimpleNamespace(
        settings=SimpleNamespace(organelles=("Nucleus", "Cytosol")), ids=("a", "b", "c", "d"),
        fold=np.array([0, 0, 1, 1]), groups=np.arange(4), trainable=np.ones(2, bool),
        labels=np.array(labels, bool), probabilities=probabilities, calls=probabilities >= called_from,
    )  # fmt: skip


def test_changed_labels_and_calls_are_counted_by_class_and_listed_by_size():
    before = fit([[1, 0], [1, 0], [0, 1], [0, 1]], [[0.9, 0.1], [0.4, 0.2], [0.2, 0.8], [0.6, 0.7]], 0.5)
    after = fit([[1, 0], [0, 0], [0, 1], [1, 1]], [[0.9, 0.1], [0.1, 0.2], [0.6, 0.8], [0.8, 0.45]], 0.5)
    found = compare_fits(before, after)
    assert (found.n_fields, found.n_same_fold, found.n_calls) == (4, 4, 2)
    nucleus, cytosol = found.classes
    assert (nucleus["n"], nucleus["added"], nucleus["removed"]) == (2, 1, 1)
    assert (cytosol["n"], cytosol["added"], cytosol["removed"]) == (2, 0, 0)
    assert (nucleus["before"], nucleus["after"]) == (1.0, 1.0), "both by the labels as they stand now"
    assert found.calls == [
        {"id": "c", "class": "Nucleus", "called": True, "labelled": False, "before": 0.2, "after": 0.6},
        {"id": "d", "class": "Cytosol", "called": False, "labelled": True, "before": 0.7, "after": 0.45},
    ]
    assert found.f1.difference[0] == pytest.approx(found.f1.after[0] - found.f1.before[0])


def test_a_first_fit_is_compared_with_nothing():
    found = compare_fits(None, fit([[1, 0], [1, 0], [0, 1], [0, 1]], np.full((4, 2), 0.5), 0.5))
    assert found.first and found.ap is None and found.calls == []
    assert [(row["n"], row["added"], row["removed"]) for row in found.classes] == [(2, 0, 0), (2, 0, 0)]
