"""How kernels are written: documented, cached on disk, and with the same face on every device."""

import ast
import inspect
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from numba.core.caching import NullCache
from numba.core.dispatcher import Dispatcher
from numba.core.errors import TypingError

import features
from features.kernels.cpu._jit import kernel

FOLDER = Path(features.__file__).parent
CPU, GPU = FOLDER / "kernels" / "cpu", FOLDER / "kernels" / "gpu"
MODULES = sorted(path.stem for path in CPU.glob("[a-z]*.py"))
ON_THE_HOST = {"pooling.py"}  # pools the tables of cells: there is nothing to do on a GPU
KERNEL_DECORATORS = ("kernel", "helper", "inlined", "sum_helper", "matrix_kernel", "matrix_helper")
NUMBA_DECORATORS = (*KERNEL_DECORATORS, "njit", "njit_helper", "jit", "vectorize", "guvectorize")


def kernels_of(module):
    """The compiled functions that a module defines."""
    return {n: f for n, f in vars(module).items() if isinstance(f, Dispatcher) and f.__module__ == module.__name__}


def faces(folder):
    """Arguments and defaults of a folder's public functions, by module and name; nothing is imported."""
    found = {}
    for path in sorted(folder.glob("[a-z]*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                args = node.args
                names = [a.arg for a in (*args.posonlyargs, *args.args, *args.kwonlyargs)]
                defaults = [ast.unparse(d) for d in (*args.defaults, *args.kw_defaults) if d is not None]
                found[f"{path.stem}.{node.name}"] = (names, defaults)
    return found


def twin_differences(cpu, gpu, only_cpu=()):
    """Sentences on every function without a twin with the same arguments and defaults on the other device."""
    ours, theirs = faces(cpu), faces(gpu)
    missing = [f"{name} has no CPU twin" for name in theirs.keys() - ours.keys()]
    missing += [f"{name} has no GPU twin" for name in ours.keys() - theirs.keys() if name.split(".")[0] not in only_cpu]
    changed = [f"{n}: CPU {ours[n]}, GPU {theirs[n]}" for n in ours.keys() & theirs.keys() if ours[n] != theirs[n]]
    return sorted(missing + changed)


@pytest.mark.parametrize("name", MODULES)
def test_kernels_are_cached_and_helpers_have_no_wrapper(name):
    """A helper is compiled into the kernels of its module, and Python cannot call it."""
    for kernel_name, compiled in kernels_of(import_module(f"features.kernels.cpu.{name}")).items():
        is_helper = compiled.targetoptions.get("no_cpython_wrapper", False)
        is_cached = not isinstance(compiled._cache, NullCache)
        assert is_cached != is_helper, f"{name}.{kernel_name} is compiled anew in every process"
        assert not is_helper or kernel_name.startswith("_"), f"{name}.{kernel_name} is a helper, so nobody can call it"
        assert compiled.py_func.__qualname__ == kernel_name, f"{name}.{kernel_name} is not at module level"


def test_a_kernel_that_makes_an_array_does_not_compile():
    """NumPy's functions compile slowly: Python makes the arrays, and kernels fill them."""

    def doubled(values):
        out = np.empty(len(values), np.int64)
        for i in range(len(values)):
            out[i] = 2 * values[i]
        return out

    with pytest.raises(TypingError, match="Only accept returning of array passed into the function"):
        kernel(doubled)(np.arange(3))


@pytest.mark.parametrize("name", MODULES)
def test_public_functions_of_kernels_name_their_parameters(name):
    module = import_module(f"features.kernels.cpu.{name}")
    for function_name, function in vars(module).items():
        python = getattr(function, "py_func", function)
        if inspect.isfunction(python) and python.__module__ == module.__name__ and not function_name.startswith("_"):
            says = inspect.getdoc(python) or ""
            assert "Parameters\n----------" in says, f"{name}.{function_name} does not name its parameters"


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=lambda p: p.relative_to(FOLDER).as_posix())
def test_compiled_functions_are_in_the_kernels_only(path):
    """No loop is compiled elsewhere, where no twin would find it, and none inside another function."""
    tree = ast.parse(path.read_text())
    compiled = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
        and any(
            word in ast.unparse(d).split("(")[0].split(".") for d in node.decorator_list for word in NUMBA_DECORATORS
        )
    ]
    if path.parent != CPU and path.name not in ON_THE_HOST:
        assert [node.name for node in compiled] == []
    assert set(compiled) <= set(tree.body)


@pytest.mark.parametrize("name", MODULES)
def test_kernels_call_no_kernel_of_another_module(name):
    """Numba's cache on disk sees no change in a function of another file, and would run it as it was.

    What modules share (`_jit`, `_logs`) is how they are compiled, and arrays that they are given.
    """
    imported = {
        node.module
        for node in ast.walk(ast.parse((CPU / f"{name}.py").read_text()))
        if isinstance(node, ast.ImportFrom)
    }
    shared = {f"features.kernels.cpu.{module}" for module in ("_jit", "_logs")}
    assert {module for module in imported if module.startswith("features")} <= shared
    assert not any(f"@{word}" in (CPU / "_logs.py").read_text() for word in NUMBA_DECORATORS)


def test_twins_have_the_same_face():
    assert len(MODULES) > 20
    only_cpu = ("field",)  # what is done while fields are read
    assert twin_differences(CPU, GPU, only_cpu) == []


@pytest.mark.parametrize(
    ("gpu", "sentences"),
    [
        ("def count(labels, n=1): ...\ndef more(): ...", 0),
        ("def count(labels, n=1): ...", 1),
        ("def count(labels, n=2): ...\ndef more(): ...", 1),
        ("def count(label, n=1): ...\ndef more(): ...", 1),
        ("def count(labels, n=1): ...\ndef other(): ...", 2),
        ("def count(labels, n=1): ...\ndef more(): ...\ndef _launch(): ...", 0),
    ],
)
def test_twin_differences_are_found(tmp_path, gpu, sentences):
    for folder, source in (("cpu", "def count(labels, n=1): ...\ndef more(): ..."), ("gpu", gpu)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "texture.py").write_text(source)
    assert len(twin_differences(tmp_path / "cpu", tmp_path / "gpu")) == sentences
