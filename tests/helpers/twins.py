"""A family on one device held against the same family on the CPU."""

import numpy as np

import features
from features.core.cells import make_cells


def on(device, cells):
    """The same cells on another device."""
    return make_cells(cells.pixels, cells.cell_labels, cells.nucleus_labels, device)


def assert_twin(family, cells, device):
    """Values on the device are those of the CPU, NaN in the same places."""
    ours = features.families()[family].measure(cells)
    theirs = device.get(features.families()[family].measure(on(device, cells)))
    np.testing.assert_array_equal(np.isnan(theirs), np.isnan(ours))
    np.testing.assert_allclose(theirs, ours, rtol=1e-5, atol=1e-6)
