"""Returning freed memory to the operating system: glibc keeps gigabytes after LightGBM's binning."""

import ctypes
import sys


def trim_memory() -> None:
    """Return freed memory; does nothing where the C library has no malloc_trim."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
