"""Fixtures: small fields that need no files, and the real sample where it lies beside the checkout."""

from pathlib import Path

import numpy as np
import pytest

from features._cells import Cells
from features._device import open_device
from painting import paint_cells

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(params=["cpu"])
def device(request):
    """Each device that this machine has."""
    return open_device(request.param)


@pytest.fixture
def rng() -> np.random.Generator:
    """A fresh generator with a fixed seed."""
    return np.random.default_rng(20181)


@pytest.fixture(params=[np.uint8, np.uint16])
def painted(request, rng) -> Cells:
    """Two painted fields, 8- and 16-bit."""
    return paint_cells(rng, request.param)


@pytest.fixture
def shared_data() -> Path:
    """The folder of real fields and tables; skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("needs the real sample in ../shared/data")
    return SHARED
