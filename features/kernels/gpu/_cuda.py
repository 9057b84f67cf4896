"""Launching CUDA kernels on CuPy arrays: a source is compiled once for each type of pixel, when first launched."""

import sys
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np

FOLDER = Path(__file__).parent
OPTIONS = ("--std=c++17", "--fmad=false", f"-I{FOLDER}")  # no fused multiply-add: roundings as on the CPU
_EACH = 256  # threads of a block where each thread gives a value
PIXELS = {"uint8": "unsigned char", "uint16": "unsigned short"}


class Program(Protocol):
    """The compiled kernels of one source."""

    def launch(self, kernel: str, blocks: int, threads: int, arguments: tuple, shared: int) -> None:
        """Run a kernel on a grid; arguments are arrays, numpy.int64 and numpy.float64."""


class CupyProgram:
    """A source compiled by CuPy for the GPU at hand.

    CuPy keeps what it compiled on disk under the source's text and options. They name the common header's hash, so that
    a changed header is compiled anew.
    """

    def __init__(self, source: str, pixel: str) -> None:
        import cupy  # pyright: ignore[reportMissingImports] only where there is a GPU

        header = sha256((FOLDER / "common.cuh").read_bytes()).hexdigest()
        options = (*OPTIONS, f"-DPixel={PIXELS[pixel]}", f"-DHEADER_{header}")
        module = cupy.RawModule(code=(FOLDER / f"{source}.cu").read_text(), options=options)
        self._function = cache(module.get_function)

    def launch(self, kernel: str, blocks: int, threads: int, arguments: tuple, shared: int) -> None:
        """Run a kernel on a grid."""
        function = self._function(kernel)
        if shared:  # without asking a block has 48 KB, of which its static arrays are a part
            function.max_dynamic_shared_size_bytes = shared
        function((blocks,), (threads,), arguments, shared_mem=shared)


@lru_cache
def program(source: str, pixel: str) -> Program:
    """The kernels of `<source>.cu` for planes of uint8 or uint16."""
    return CupyProgram(source, pixel)


def launch(
    source: str, kernel: str, blocks: int, threads: int, *arguments: Any, pixel: Any = np.uint8, shared: int = 0
) -> None:
    """Launch a kernel of `<source>.cu` and do not wait for it.

    Parameters
    ----------
    source, kernel : str
    blocks, threads : int
        Blocks of the grid (none: nothing is done), threads of a block.
    *arguments : ndarray on the device, int or float
        Whole numbers arrive as `long long`, others as `double`, arrays as pointers to their first element.
    pixel : dtype
        What `Pixel` means in the source.
    shared : int
        Bytes of dynamic shared memory of a block.

    Raises
    ------
    ValueError
        If an array is not contiguous, or the threads are not whole warps.
    """
    if threads % 32 or not 0 < threads <= 1024:
        raise ValueError(f"{kernel}: {threads} threads; a block has 32, 64 ... 1024")
    if blocks == 0:
        return
    given = tuple(_argument(kernel, k, argument) for k, argument in enumerate(arguments))
    program(source, np.dtype(pixel).name).launch(kernel, int(blocks), int(threads), given, int(shared))


def launch_each(source: str, kernel: str, out: Any, *arguments: Any, pixel: Any = np.uint8) -> Any:
    """Launch a kernel with a thread for each value of `out`; it is given their number and `out` last. Gives `out`."""
    launch(source, kernel, -(-out.size // _EACH), _EACH, *arguments, out.size, out, pixel=pixel)
    return out


def _argument(kernel: str, place: int, argument: Any) -> Any:
    if isinstance(argument, int | np.integer):
        return np.int64(argument)
    if isinstance(argument, float | np.floating):
        return np.float64(argument)
    if not argument.flags.c_contiguous:
        raise ValueError(f"{kernel}: argument {place} is not contiguous; pass xp.ascontiguousarray(...)")
    return argument


def namespace(array: Any) -> ModuleType:
    """The array namespace (`xp`) that an array belongs to: the package of its type."""
    return sys.modules[type(array).__module__.partition(".")[0]]
