"""A GPU that is not there: NumPy arrays that refuse what CuPy's refuse, and CUDA sources run on the CPU.

An `EmulatedArray` cannot meet a NumPy array that has dimensions, and asking one for a Python number or truth, which
on a GPU waits for all that was launched, is counted in `waits`. Powers, logarithms and angles differ from the CPU's in
the last bits, and memory of `empty` holds what others left in it. The module is also the namespace of its arrays
(`xp`).
"""

import sys
from typing import Any

import numpy as np

import features.kernels.gpu
from features.core.device import Device
from features.kernels.gpu import _cuda

waits: list[str] = []


class EmulatedArray(np.ndarray):
    """An array as if on a GPU."""

    def __array_ufunc__(self, ufunc, method, *inputs, out=None, **keywords):
        _refuse_host(ufunc.__name__, inputs)
        if out is not None:
            keywords["out"] = tuple(_bare(one) for one in out)
        result = getattr(ufunc, method)(*map(_bare, inputs), **{k: _bare(v) for k, v in keywords.items()})
        if ufunc.__name__ in _INEXACT and np.asarray(result).dtype.kind == "f":
            result = result * (1 + 2 * np.finfo(result.dtype).eps)
        return out[0] if out is not None else wrapped(result)

    def __array_function__(self, function, types, inputs, keywords):
        return _called(function, inputs, keywords)

    def __bool__(self):
        return self._waited(bool)

    def __int__(self):
        return self._waited(int)

    def __float__(self):
        return self._waited(float)

    def __index__(self):
        return self._waited(int)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    def __getitem__(self, key):
        _refuse_host("indexing", key if isinstance(key, tuple) else (key,))
        keys = tuple(map(_bare, key)) if isinstance(key, tuple) else _bare(key)
        if any(str(getattr(k, "dtype", "")) == "bool" for k in (keys if isinstance(keys, tuple) else (keys,))):
            waits.append("boolean indexing")
        return wrapped(self.view(np.ndarray)[keys])

    def tolist(self):
        waits.append("tolist")
        return self.view(np.ndarray).tolist()

    def _waited(self, kind: type) -> Any:
        waits.append(kind.__name__)
        return kind(self.view(np.ndarray)[()])


def wrapped(value: Any) -> Any:
    """Arrays, and numbers that come out of arrays, as arrays on the device."""
    if isinstance(value, tuple | list):
        return type(value)(map(wrapped, value))
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value).view(EmulatedArray)
    return value


def _bare(value: Any) -> Any:
    if isinstance(value, EmulatedArray):
        return value.view(np.ndarray)
    return type(value)(map(_bare, value)) if isinstance(value, tuple | list) else value


def _refuse_host(name: str, inputs: Any) -> None:
    for one in inputs:
        if isinstance(one, tuple | list):
            _refuse_host(name, one)
        elif type(one) is np.ndarray and one.ndim:
            raise TypeError(f"{name}: an array on the host meets one on the device; use device.xp and device.put")


_CREATE = ("arange", "array", "asarray", "empty", "eye", "full", "linspace", "ones", "zeros")
_INEXACT = ("arccos", "arctan2", "cos", "exp", "hypot", "log", "log10", "log2", "power", "sin")
_LEFT_OVER = 0xA5  # bytes of memory that nobody has written: not 0, as they often are on the host
_WAIT = ("nonzero", "flatnonzero", "unique", "argwhere", "array_equal", "allclose")


def _called(function, inputs, keywords):
    if function.__name__ not in _CREATE:
        _refuse_host(function.__name__, inputs)
    if function.__name__ in _WAIT or (function.__name__ == "where" and len(inputs) == 1):
        waits.append(function.__name__)
    if function.__name__ == "repeat" and not isinstance(inputs[1], int):
        raise TypeError("repeat: CuPy repeats by one number or a list, not by an array; use xp.searchsorted")
    bare = {name: _bare(value) for name, value in keywords.items()}
    found = wrapped(function(*map(_bare, inputs), **bare))
    if function is np.empty:
        found.view(np.ndarray).reshape(-1).view(np.uint8)[:] = _LEFT_OVER
    return found


def __getattr__(name: str) -> Any:
    found = getattr(np, name)
    if isinstance(found, type) or not callable(found) or name in ("errstate", "iinfo", "finfo"):
        return found
    if isinstance(found, np.ufunc):
        return _Ufunc(found)
    return lambda *inputs, **keywords: _called(found, inputs, keywords)


class _Ufunc:
    """A ufunc that gives arrays on the device also for plain numbers, and has its methods."""

    def __init__(self, ufunc: np.ufunc) -> None:
        self._ufunc = ufunc

    def __call__(self, *inputs, **keywords):
        return _called(self._ufunc, inputs, keywords)

    def at(self, array, index, *values):
        self._ufunc.at(_bare(array), _bare(index), *map(_bare, values))


def emulated_device() -> Device:
    """The device "cuda" without one."""
    return Device(
        "cuda:0",
        "cuda",
        sys.modules[__name__],
        features.kernels.gpu,
        batch_pixels=2 * 96 * 96,
        put=lambda array: wrapped(np.array(array)),
        get=lambda array: np.array(_bare(array)),
    )


def install(monkeypatch) -> None:
    """Let launches run on the CPU."""
    from cuda_on_cpu import host_program

    monkeypatch.setattr(_cuda, "program", host_program)
