"""Where arrays live and which kernels measure them: the one thing a family asks of a device."""

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from engine.errors import UsageError


@dataclass(frozen=True)
class Device:
    """A place to compute.

    Attributes
    ----------
    name : str
        "cpu".
    xp : module
        The array namespace that formulas are written over (NumPy here).
    kernels : package
        The loops: `device.kernels.texture.cooccurrence(...)`; one module a family.
    batch_fields : int
        Fields in a batch.
    """

    name: str
    xp: ModuleType
    kernels: Any
    batch_fields: int


def open_device(name: str = "auto") -> Device:
    """Open the device by name.

    Parameters
    ----------
    name : str
        "auto" or "cpu".

    Raises
    ------
    UsageError
        If the name is unknown or the device is not there; never a silent fall-back.
    """
    if name in ("auto", "cpu"):
        from features import _kernels_cpu

        return Device("cpu", np, _kernels_cpu, batch_fields=1)
    if name.split(":")[0] == "cuda":
        raise UsageError(f"device {name}: extraction has no GPU kernels yet. Run with --device cpu or --device auto.")
    raise UsageError(f"device {name!r} is unknown: expected auto, cpu or cuda[:N].")
