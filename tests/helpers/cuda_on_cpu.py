"""CUDA sources run on the CPU: compiled by g++ against CUDA's words in cuda_on_cpu.hpp, for tests without a GPU."""

import ctypes
import hashlib
import re
import shutil
import subprocess
import tempfile
from functools import lru_cache
from pathlib import Path

import numpy as np

from features.kernels.gpu._cuda import FOLDER, PIXELS

SHIM = Path(__file__).parent / "cuda_on_cpu.hpp"
COMPILER = shutil.which("g++")
_FLAGS = ("-std=c++17", "-O1", "-U_FORTIFY_SOURCE", "-ffp-contract=off", "-fPIC", "-shared", "-w", f"-I{FOLDER}")
_KERNEL = re.compile(r"^KERNEL (\w+)\(([^)]*)\)", re.MULTILINE)
_DYNAMIC = re.compile(r"extern __shared__ ([\w ]+?)\s+(\w+)\[\];")


def pixels_of(source: str) -> tuple[str, ...]:
    """The types of pixels for which a source is another program; the first one if it reads none."""
    return tuple(PIXELS) if "Pixel" in (FOLDER / f"{source}.cu").read_text() else tuple(PIXELS)[:1]


SOURCES = sorted(path.stem for path in FOLDER.glob("*.cu"))
PROGRAMS = [(source, pixel) for source in SOURCES for pixel in pixels_of(source)]


class HostProgram:
    """A source compiled for the CPU, with the face of `_cuda.Program`.

    Attributes
    ----------
    downwards : bool
        Run blocks and threads from the last to the first.
    """

    downwards = False

    def __init__(self, source: str, pixel: str) -> None:
        self._library = ctypes.CDLL(str(_compiled(source, pixel)))

    def launch(self, kernel: str, blocks: int, threads: int, arguments: tuple, shared: int) -> None:
        """Run a kernel on a grid."""
        entry = getattr(self._library, f"run_{kernel}")
        held = [_passed(argument) for argument in arguments]
        entry(
            (ctypes.c_void_p * len(held))(*(ctypes.addressof(one) for one in held)),
            len(held), ctypes.c_uint(blocks), ctypes.c_uint(threads), ctypes.c_long(shared), int(HostProgram.downwards),
        )  # fmt: skip


def _passed(argument: object) -> ctypes._SimpleCData:
    """An argument as the launcher reads it: pointer, long long or double."""
    if type(argument) is np.ndarray:
        raise TypeError("an array on the host is given to a kernel; use device.put")
    if isinstance(argument, np.ndarray):
        return ctypes.c_void_p(argument.ctypes.data)
    return ctypes.c_double(argument) if isinstance(argument, np.float64) else ctypes.c_longlong(int(argument))


def _compiled(source: str, pixel: str) -> Path:
    """The shared library of a source, kept between runs under the hash of all that it is made of."""
    code, kinds = _translated(source), pixels_of(source)
    pixel = pixel if pixel in kinds else kinds[0]
    parts = [code, SHIM.read_text(), (FOLDER / "common.cuh").read_text(), pixel, *_FLAGS]
    key = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
    folder = Path(tempfile.gettempdir()) / "hpa-boost-cuda-on-cpu"
    folder.mkdir(exist_ok=True)
    library = folder / f"{source}-{pixel}-{key}.so"
    if not library.is_file():
        with tempfile.TemporaryDirectory(dir=folder) as work:
            (Path(work) / f"{source}.cpp").write_text(code)
            command = [COMPILER, *_FLAGS, f"-DPixel={PIXELS[pixel]}", f"{source}.cpp", "-o", "library.so"]
            done = subprocess.run(command, cwd=work, capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(f"{source}.cu does not compile:\n{done.stderr}")
            (Path(work) / "library.so").replace(library)
    return library


def _translated(source: str) -> str:
    """The source behind the shim, followed by a launcher for each of its kernels."""
    text = (FOLDER / f"{source}.cu").read_text()
    text = _DYNAMIC.sub(r"\1* \2 = (\1*)emulated_shared;", text)
    return "\n".join([f'#include "{SHIM}"', text, *(_launcher(*found) for found in _KERNEL.findall(text))])


def _launcher(name: str, declared: str) -> str:
    types = [re.sub(r"\w+$", "", one.strip()).replace("__restrict__", "") for one in declared.split(",")]
    for one in types:
        assert "*" in one or one.split()[-1] in ("i64", "double"), f"{name}: a scalar is i64 or double, not {one!r}"
    unpacked = ", ".join(f"*({one}*)arguments[{k}]" for k, one in enumerate(types))
    return f"""
static void body_{name}(void** arguments) {{ {name}({unpacked}); }}
extern "C" void run_{name}(void** arguments, int n, unsigned blocks, unsigned threads, long shared, int downwards) {{
    if (n != {len(types)}) {{ fprintf(stderr, "{name}: %d arguments for {len(types)}\\n", n); abort(); }}
    emulated::run(body_{name}, arguments, blocks, threads, shared, downwards);
}}"""


@lru_cache
def host_program(source: str, pixel: str) -> HostProgram:
    """The kernels of a source, on the CPU; stands in for `_cuda.program`."""
    return HostProgram(source, pixel)
