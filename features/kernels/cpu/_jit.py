"""How the CPU's loops are compiled: without the GIL, one thread (workers are processes), kernels cached on disk.

Compiling takes time once per installation. NumPy's functions are slow to compile: 60 to 300 ms for each kind of
`zeros`, `full`, `sum(axis)`, `max`, `ravel` or sum of arrays, against 50 for a loop. So Python makes the arrays and
kernels fill them, which also saves counting references to them, and what a loop can do is a loop. A number written into
the call of a helper, `f(x, 0)`, is compiled as a case of its own; `f(x, np.int64(0))` is not. So is a sum that starts
as `n = 0` before it is passed on: while types are found it is first taken for the number. A place read from memory is
made unsigned, `plane[np.uint64(positions[k])]`: a signed one is checked for counting from the end. So is
`row[offset + x]`, and its loop is not vectorised: take `row[offset:]` first.

Numba's cache does not see a change of this file: delete `features/kernels/cpu/__pycache__` after one.
"""

import numpy as np

from engine.running.compiled import njit, njit_helper

Int = int | np.integer
Float = float | np.floating
"""Numbers inside kernels: Numba makes Python's into NumPy's."""

_ARRAYS_FROM_OUTSIDE = {"error_model": "numpy", "_nrt": False}  # a kernel that makes an array does not compile

kernel = njit(nogil=True, no_cfunc_wrapper=True, **_ARRAYS_FROM_OUTSIDE)
"""Compiles a function that Python calls."""

helper = njit_helper(**_ARRAYS_FROM_OUTSIDE)
"""Compiles a function that only kernels of its module call: it becomes part of them, and Python cannot call it."""

inlined = njit_helper(inline="always", **_ARRAYS_FROM_OUTSIDE)
"""The same for a helper with one caller that calls helpers itself: it is compiled as part of its caller only.

Any other helper is optimised and made machine code on its own first, with all helpers in it, and again in each caller.
In texture, four levels deep, this saves a tenth. A helper without others gains nothing, and one that is called twice is
translated twice.
"""

sum_helper = njit_helper(fastmath={"reassoc", "contract", "nsz"}, **_ARRAYS_FROM_OUTSIDE)
"""The same, where sums may be taken in any order (vector lanes); NaN and infinities keep their meaning."""

matrix_kernel, matrix_helper = njit(nogil=True, error_model="numpy"), njit_helper(error_model="numpy")
"""The same for products of matrices, which make arrays."""
