"""Fixtures: small fields that need no files, and the real sample where it lies beside the checkout."""

import os
import sys
from pathlib import Path

import cuda_on_cpu
import emulated_gpu
import numpy as np
import pytest
from hypothesis import settings
from painting import paint_cells

from engine.running.workers import wait_for_started
from features.core.cells import Cells
from features.core.device import open_device

settings.register_profile("suite", deadline=None, derandomize=True, database=None)  # the same on a busy machine
settings.load_profile("suite")

DEVICES = list(dict.fromkeys(["cpu", open_device("auto").name]))
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"  # as if activated
SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session", autouse=True)
def _no_worker_is_left_starting():
    """At the end: joblib warns of workers whose command ended before it had tasks for them."""
    yield
    wait_for_started()


@pytest.fixture
def device():
    """The CPU."""
    return open_device("cpu")


@pytest.fixture
def emulated(monkeypatch):
    """A GPU emulated on the CPU: CUDA sources compiled by g++."""
    if cuda_on_cpu.COMPILER is None:
        pytest.skip("needs g++ to run CUDA sources on the CPU")
    emulated_gpu.install(monkeypatch)
    return emulated_gpu.emulated_device()


@pytest.fixture(params=DEVICES)
def any_device(request):
    """The CPU, and the GPU where there is one."""
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
