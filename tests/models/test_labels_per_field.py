"""How many classes a field can have, by the labels."""

import numpy as np
import pytest

from models.data.labels_per_field import PER_FIELD, keeps_to, per_field_of

EXAMPLES = {
    "one": [[1, 0], [0, 1], [1, 0]],
    "at most one": [[1, 0], [0, 0], [0, 1]],
    "at least one": [[1, 0], [1, 1], [0, 1]],
    "any": [[1, 1], [0, 0], [0, 1]],
}
KEPT_TO = {
    "one": set(PER_FIELD),
    "at most one": {"at most one", "any"},
    "at least one": {"at least one", "any"},
    "any": {"any"},
}


@pytest.mark.parametrize("name", PER_FIELD)
def test_the_narrowest_that_the_labels_keep_to(name):
    labels = np.array(EXAMPLES[name], bool)
    assert per_field_of(labels) == name
    assert {one for one in PER_FIELD if keeps_to(labels, one)} == KEPT_TO[name]
