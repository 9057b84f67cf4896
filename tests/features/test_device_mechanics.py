"""Which device a name stands for, and the sentence when it is not there; a module of two functions plays CuPy."""

import sys
from types import ModuleType, SimpleNamespace
from unittest.mock import MagicMock

import pytest

from engine.errors import MachineError, UsageError
from features.core.device import device_names, open_device
from features.extraction import measuring


class CudaError(RuntimeError):
    """Stands for CuPy's."""


@pytest.fixture
def machine(monkeypatch):
    """Say what the machine has: None for no CuPy, a number of GPUs, or an error of the driver."""

    def has(gpus, free=60 * 2**30):
        def count():
            if isinstance(gpus, Exception):
                raise gpus
            return gpus

        cupy = ModuleType("cupy")
        cupy.cuda = SimpleNamespace(
            runtime=SimpleNamespace(getDeviceCount=count, CUDARuntimeError=CudaError),
            Device=lambda number: SimpleNamespace(use=lambda: None, mem_info=(free, 80 * 2**30)),
            Stream=SimpleNamespace,
        )
        cupy.asarray = cupy.asnumpy = None
        monkeypatch.setitem(sys.modules, "cupy", None if gpus is None else cupy)

    return has


@pytest.mark.parametrize(
    ("gpus", "sentence"),
    [
        (
            None,
            r"CuPy is not installed: pip install -r requirements-gpu\.txt && .* xgboost==\S+\. Or run",
        ),
        (0, "CUDA finds no GPU: check with nvidia-smi"),
        (CudaError("driver too old"), r"driver too old.*nvidia-smi"),
    ],
)
@pytest.mark.parametrize("name", ["cuda", "cuda:0"])
def test_what_is_missing_is_said(machine, gpus, sentence, name):
    machine(gpus)
    with pytest.raises(UsageError, match=f"device {name}: .*{sentence}"):
        device_names(name)
    assert device_names("auto") == device_names("cpu") == ("cpu",)
    assert open_device("auto").name == "cpu"


def test_gpus_are_named(machine):
    machine(2)
    assert device_names("auto") == device_names("cuda") == ("cuda:0", "cuda:1")
    assert device_names("cuda:1") == ("cuda:1",)
    assert device_names("cpu") == ("cpu",)
    with pytest.raises(UsageError, match=r"device cuda:2: this machine has GPUs 0 to 1\. Name one of them\."):
        device_names("cuda:2")


@pytest.mark.parametrize("name", ["gpu", "cuda:x", "cuda:", "", "cpu:0", "cuda:-1"])
def test_unknown_names(machine, name):
    machine(1)
    with pytest.raises(UsageError, match="unknown: expected auto, cpu or cuda"):
        open_device(name)


def test_a_batch_fits_the_memory_that_is_free(machine):
    machine(1)
    assert open_device("cuda").batch_pixels == 64 * 512 * 512
    machine(1, free=6 * 2**30)
    assert open_device("cuda").batch_pixels == 6 * 2**30 // 600


def test_memory_of_a_gpu_that_runs_out_is_a_sentence(monkeypatch):
    class OutOfMemoryError(MemoryError):
        """Stands for CuPy's."""

    for module, kind in (("cupy.cuda.memory", MachineError), ("numpy", MemoryError)):
        monkeypatch.setattr(OutOfMemoryError, "__module__", module)
        monkeypatch.setattr(measuring, "open_device", lambda name: name)
        monkeypatch.setattr(measuring, "measure_shards", MagicMock(side_effect=OutOfMemoryError("allocating 9 bytes")))
        with pytest.raises(kind, match="allocating 9 bytes") as caught:
            measuring.measure_on(None, [], None, "cuda:1", 1)
    assert type(caught.value) is OutOfMemoryError
