"""Where arrays live and which kernels measure them: the one thing a family asks of a device."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from engine.errors import UsageError

_LARGEST_BATCH = 64 * 512 * 512  # px of one channel: more at once would only take longer to begin
# That a GPU needs: two batches are under way, each has up to 150, and gaps between arrays as much again.
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
        Pixels of one channel that a batch may have; a larger field is a batch of its own.
    put, get : callable
        An array from the host to the device, and back.
    stream : callable
        A fresh queue of work as a context: what is launched in one does not wait for another.
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
        from features import _kernels_cpu

        return Device("cpu", "cpu", np, _kernels_cpu, 1, put=_as_it_is, get=_as_it_is)
    return _open_gpu(int(chosen.partition(":")[2]))


def missing_for_a_gpu() -> str:
    """What this machine lacks to use a GPU, with the remedy; empty if nothing."""
    try:
        import cupy
    except ImportError:
        return "CuPy is not installed: pip install -r requirements-gpu.txt."
    try:
        return "" if cupy.cuda.runtime.getDeviceCount() else "CUDA finds no GPU: check with nvidia-smi."
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"CUDA finds no GPU ({error}): check the driver with nvidia-smi."


def is_of_a_gpu(error: MemoryError) -> bool:
    """Whether it is a GPU's memory that ran out, not the host's."""
    return type(error).__module__.partition(".")[0] == "cupy"


def _as_it_is(array: np.ndarray) -> np.ndarray:
    return array


def _count_gpus() -> int:
    import cupy

    return cupy.cuda.runtime.getDeviceCount()


def _open_gpu(number: int) -> Device:
    import cupy

    from features import _kernels_gpu

    gpu = cupy.cuda.Device(number)
    gpu.use()
    free, _ = gpu.mem_info
    return Device(
        f"cuda:{number}",
        "cuda",
        cupy,
        _kernels_gpu,
        min(_LARGEST_BATCH, free // _BYTES_A_PIXEL),
        put=cupy.asarray,
        get=cupy.asnumpy,
        stream=partial(cupy.cuda.Stream, non_blocking=True),
    )
