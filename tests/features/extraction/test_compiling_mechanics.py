"""Compiling ahead of the work: after it, nothing is left to compile, so the next run does not wait again."""

import pytest

from features.extraction.compiling import compile_part, kernels_compiled, load_kernels, parts


def test_after_compiling_every_kernel_module_is_in_the_cache():
    for name in parts():
        assert compile_part(name) == name
    assert kernels_compiled()


@pytest.mark.parametrize(("compiled", "loaded"), [(True, parts()), (False, ())])
def test_kernels_are_loaded_ahead_only_where_they_are_compiled(monkeypatch, compiled, loaded):
    ran = []
    monkeypatch.setattr("features.extraction.compiling.kernels_compiled", lambda: compiled)
    monkeypatch.setattr("features.extraction.compiling.compile_part", ran.append)
    load_kernels()
    assert tuple(ran) == loaded
