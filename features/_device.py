"""Where arrays live and which kernels measure them: the one thing a family asks of a device."""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from engine.errors import UsageError

_GPU_BATCH = 64


@dataclass(frozen=True)
class Device:
    """A place to compute.

    Attributes
    ----------
    name : str
        "cpu" or "cuda:N".
    xp : module
        The array namespace that formulas are written over (NumPy or CuPy).
    kernels : package
        The loops: `device.kernels.texture.haralick(...)`; one module a family.
    batch_fields : int
        Fields in a batch.
    put, get : callable
        An array from the host to the device, and back.
    """

    name: str
    xp: ModuleType
    kernels: Any
    batch_fields: int
    put: Callable[[np.ndarray], Any]
    get: Callable[[Any], np.ndarray]


def open_device(name: str = "auto") -> Device:
    """Open the device by name.

    Parameters
    ----------
    name : str
        "auto" (the first GPU if there is one, else the CPU), "cpu", "cuda" or "cuda:N".

    Raises
    ------
    UsageError
        If the name is unknown or the device is not there; never a silent fall-back.
    """
    if name == "auto":
        name = "cpu" if _missing(0) else "cuda:0"
    if name == "cpu":
        from features import _kernels_cpu

        return Device("cpu", np, _kernels_cpu, 1, put=_as_it_is, get=_as_it_is)
    kind, _, number = name.partition(":")
    if kind != "cuda" or not (number or "0").isdecimal():
        raise UsageError(f"device {name!r} is unknown: expected auto, cpu or cuda[:N].")
    if missing := _missing(int(number or 0)):
        raise UsageError(f"device {name}: {missing} Or run with --device cpu.")
    return _open_gpu(int(number or 0))


def _as_it_is(array: np.ndarray) -> np.ndarray:
    return array


def _missing(number: int) -> str:
    """What this machine lacks to use a GPU, with the remedy; empty if nothing."""
    try:
        import cupy
    except ImportError:
        return "CuPy is not installed: pip install -r requirements-gpu.txt."
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"CUDA finds no GPU ({error}): check the driver with nvidia-smi."
    return "" if number < count else f"this machine has {count} GPUs, numbered from 0: name one of them."


def _open_gpu(number: int) -> Device:
    import cupy

    from features import _kernels_gpu

    cupy.cuda.Device(number).use()
    return Device(f"cuda:{number}", cupy, _kernels_gpu, _GPU_BATCH, put=cupy.asarray, get=cupy.asnumpy)
