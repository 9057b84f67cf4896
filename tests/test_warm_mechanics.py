"""Compiling ahead of the work: after it, nothing is left to compile, so the next run does not wait again."""

import features
from features._warm import compile_family, compile_segmentation, kernels_compiled


def test_after_compiling_every_kernel_module_is_in_the_cache():
    compile_segmentation()
    for name in features.families():
        assert compile_family(name) == name
    assert kernels_compiled()
