"""Devices: the CPU or a GPU, with its array namespace and its kernels."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from engine.errors import UsageError

INSTALL = (
    "pip install -r requirements-gpu.txt",
    "pip uninstall -y xgboost-cpu",
    "pip install --force-reinstall --no-deps xgboost==3.2.0",
)
"""What a GPU needs, in this order: xgboost-cpu and xgboost write the same files, so the GPU build must come last."""

_LARGEST_BATCH = 64 * 512 * 512  # px of one channel; larger batches are not faster and start later
# GPU memory: two batches are under way, each needs up to 150, and fragmentation doubles it.
_BYTES_A_PIXEL = 600


@dataclass(frozen=True)
class Device:
    """A place to compute.

    Attributes
    ----------
    name : str
        "cpu" or "cuda:N".
    kind : str
        "cpu" or "cuda".
    xp : module
        The array namespace that formulas are written over (NumPy or CuPy).
    kernels : package
        The loops: `device.kernels.texture.haralick(...)`; one module a family.
    batch_pixels : int
        Largest number of pixels of one channel in a batch; a larger field makes a batch alone.
    put, get : callable
        An array from the host to the device, and back.
    stream : callable
        A new CUDA stream as a context: work in one stream does not wait for another. Does nothing on the CPU.
    """

    name: str
    kind: str
    xp: ModuleType
    kernels: Any
    batch_pixels: int
    put: Callable[[np.ndarray], Any]
    get: Callable[[Any], np.ndarray]
    stream: Callable[[], AbstractContextManager] = nullcontext


def device_names(name: str = "auto") -> tuple[str, ...]:
    """The devices that a name stands for, each as `open_device` takes it.

    Parameters
    ----------
    name : str
        "auto" (every GPU if there is one, else the CPU), "cpu", "cuda" (every GPU) or "cuda:N".

    Raises
    ------
    UsageError
        If the name is unknown or a device is not there; never a silent fall-back.
    """
    if name == "cpu" or (name == "auto" and missing_for_a_gpu()):
        return ("cpu",)
    kind, _, number = name.partition(":")
    if name not in ("auto", "cuda") and not (kind == "cuda" and number.isdecimal()):
        raise UsageError(f"device {name!r} is unknown: expected auto, cpu or cuda[:N].")
    if missing := missing_for_a_gpu():
        raise UsageError(f"device {name}: {missing} Or run with --device cpu.")
    if number and int(number) >= _count_gpus():
        raise UsageError(f"device {name}: this machine has GPUs 0 to {_count_gpus() - 1}. Name one of them.")
    return (name,) if number else tuple(f"cuda:{i}" for i in range(_count_gpus()))


def open_device(name: str = "auto") -> Device:
    """Open a device, the first if the name stands for several; see `device_names`."""
    chosen = device_names(name)[0]
    if chosen == "cpu":
        from features.kernels import cpu

        return Device("cpu", "cpu", np, cpu, 1, put=_unchanged, get=_unchanged)
    return _open_gpu(int(chosen.partition(":")[2]))


def missing_for_a_gpu() -> str:
    """What this machine lacks to use a GPU, with the remedy; empty if nothing."""
    try:
        import cupy  # pyright: ignore[reportMissingImports] only where there is a GPU
    except ImportError:
        return f"CuPy is not installed: {' && '.join(INSTALL)}."
    try:
        return "" if cupy.cuda.runtime.getDeviceCount() else "CUDA finds no GPU: check with nvidia-smi."
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"CUDA finds no GPU ({error}): check the driver with nvidia-smi."


def is_gpu_memory_error(error: MemoryError) -> bool:
    """Whether the memory that ran out is a GPU's, not the host's."""
    return type(error).__module__.partition(".")[0] == "cupy"


def _unchanged(array: np.ndarray) -> np.ndarray:
    return array


def _count_gpus() -> int:
    import cupy  # pyright: ignore[reportMissingImports] only where there is a GPU

    return cupy.cuda.runtime.getDeviceCount()


def _open_gpu(number: int) -> Device:
    import cupy  # pyright: ignore[reportMissingImports] only where there is a GPU

    from features.kernels import gpu

    card = cupy.cuda.Device(number)
    card.use()
    free, _ = card.mem_info
    return Device(
        f"cuda:{number}",
        "cuda",
        cupy,
        gpu,
        min(_LARGEST_BATCH, free // _BYTES_A_PIXEL),
        put=cupy.asarray,
        get=cupy.asnumpy,
        stream=partial(cupy.cuda.Stream, non_blocking=True),
    )
