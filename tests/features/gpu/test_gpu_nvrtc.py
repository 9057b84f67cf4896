"""CUDA sources as CuPy compiles them: at run time, by NVRTC, without the C headers that nvcc brings along."""

import ctypes
import re
import sys
from ctypes.util import find_library
from pathlib import Path

import cuda_on_cpu
import pytest

from features.kernels.gpu import _cuda

OF_HEADERS = r"\b(INFINITY|NAN|M_PI|(U?INT|U?LLONG|U?SHRT|U?CHAR|DBL|FLT)_(MAX|MIN)|u?int\d+_t|std::)\b"


def nvrtc() -> ctypes.CDLL | None:
    """The compiler's library: the system's, or that of the package nvidia-cuda-nvrtc."""
    packaged = [str(p) for folder in sys.path for p in Path(folder).glob("nvidia/cu*/lib/libnvrtc.so.*[0-9]")]
    names = [name for name in (find_library("nvrtc"), *packaged) if name]
    for builtins in Path(names[0]).parent.glob("libnvrtc-builtins.so.*[0-9]") if packaged else ():
        ctypes.CDLL(str(builtins))  # the compiler looks for it by its bare name, which finds what is loaded already
    return ctypes.CDLL(names[0]) if names else None


def compile_log(library: ctypes.CDLL, source: str, pixel: str) -> str:
    """What NVRTC says of a source: errors, and warnings too; empty if it compiles without."""
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    code = (_cuda.FOLDER / f"{source}.cu").read_bytes()
    library.nvrtcCreateProgram(ctypes.byref(program), code, f"{source}.cu".encode(), 0, None, None)
    options = [one.encode() for one in (*_cuda.OPTIONS, f"-DPixel={_cuda.PIXELS[pixel]}", "-arch=sm_90")]
    refused = library.nvrtcCompileProgram(program, len(options), (ctypes.c_char_p * len(options))(*options))
    library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    library.nvrtcGetProgramLog(program, log)
    library.nvrtcDestroyProgram(ctypes.byref(program))
    return log.value.decode() or "refused" * bool(refused)


@pytest.mark.parametrize(("source", "pixel"), cuda_on_cpu.PROGRAMS)
def test_source_compiles_at_run_time(source, pixel):
    library = nvrtc()
    if library is None:
        pytest.skip("needs libnvrtc, CUDA's compiler at run time (pip install nvidia-cuda-nvrtc)")
    assert compile_log(library, source, pixel) == ""


@pytest.mark.parametrize("source", ["common.cuh", *(f"{source}.cu" for source in cuda_on_cpu.SOURCES)])
def test_source_uses_no_word_of_a_header(source):
    code = re.sub(r"//.*", "", (_cuda.FOLDER / source).read_text())
    assert re.search(OF_HEADERS, code) is None


def test_cupy_has_every_name_that_is_asked_of_xp():
    cupy = pytest.importorskip("cupy", reason="needs CuPy; it imports without a GPU")
    features = _cuda.FOLDER.parents[1]
    texts = [path.read_text() for path in features.rglob("*.py") if path.parent != features / "kernels" / "cpu"]
    asked = {name for text in texts for name in re.findall(r"\bxp\.(\w+(?:\.\w+)*)", text)}
    assert "where" in asked
    assert [name for name in sorted(asked) if not _reaches(cupy, name)] == []


def _reaches(module, name):
    for part in name.split("."):
        module = getattr(module, part, None)
    return module is not None
