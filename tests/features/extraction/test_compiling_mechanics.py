"""Compiling ahead of the work: after it, nothing is left to compile, so the next run does not wait again."""

from features.extraction.compiling import compile_part, kernels_compiled, parts


def test_after_compiling_every_kernel_module_is_in_the_cache():
    for name in parts():
        assert compile_part(name) == name
    assert kernels_compiled()
