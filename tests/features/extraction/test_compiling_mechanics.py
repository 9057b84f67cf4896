"""Compiling ahead of the work: after it, nothing is left to compile, so the next run does not wait again."""

import pytest

from commands.measuring import get_ready
from features.extraction.compiling import compile_part, kernels_compiled, parts


def test_after_compiling_every_kernel_module_is_in_the_cache():
    for name in parts():
        assert compile_part(name) == name
    assert kernels_compiled()


@pytest.mark.parametrize(("compiled", "loaded"), [(True, parts()), (False, ())])
def test_kernels_are_loaded_ahead_only_where_they_are_compiled(monkeypatch, compiled, loaded):
    ran = []
    monkeypatch.setattr("commands.measuring.kernels_compiled", lambda: compiled)
    monkeypatch.setattr("commands.measuring.compile_part", ran.append)
    get_ready()
    assert tuple(ran) == loaded
