"""Giving freed memory back to the system: glibc keeps what many small pieces left behind, gigabytes after binning."""

import ctypes
import sys


def give_back() -> None:
    """Give back what was freed; does nothing where the C library has no such call."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
