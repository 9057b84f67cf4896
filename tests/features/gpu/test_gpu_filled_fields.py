"""GPU twins on cells that fill the field, one alone or several that touch, whose boxes overlap: each as on the CPU."""

import cuda_on_cpu
import numpy as np
import pytest
from twins import assert_twin

from features.core.cells import make_cells

HEIGHT, WIDTH = 70, 130


def filled_fields(n_per_field, rng, device):
    """Two fields cut into the cells nearest to random points; nuclei around most of these points."""
    points = rng.uniform(0, (HEIGHT, WIDTH), (2, n_per_field, 2))
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    distance = np.hypot(y - points[..., 0, None, None], x - points[..., 1, None, None])
    labels = distance.argmin(axis=1) + 1 + np.array([0, n_per_field])[:, None, None]
    nuclei = np.where((distance.min(axis=1) < 9) & (labels % 7 > 0), labels, 0)
    pixels = rng.gamma(2, 2000, (2, 4, HEIGHT, WIDTH)).clip(0, 65535).astype(np.uint16)
    return make_cells(pixels, labels, nuclei, device)


@pytest.mark.parametrize("family", ["local_binary_pattern", "gradient", "granularity", "threshold_adjacency"])
@pytest.mark.parametrize("n_per_field", [1, 7])
def test_filled_fields(family, n_per_field, rng, device, emulated, monkeypatch):
    """A neighbour beyond an edge of the image is none, though in memory it is the other end of the row."""
    monkeypatch.setattr(cuda_on_cpu.HostProgram, "downwards", n_per_field == 1)
    assert_twin(family, filled_fields(n_per_field, rng, device), emulated)
