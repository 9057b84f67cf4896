"""How the CPU's loops are compiled: without the GIL, one thread (workers are processes), kernels cached on disk.

Compiling takes time once per installation. NumPy's functions are slow to compile: 60 to 300 ms for each kind of
`zeros`, `full`, `sum(axis)`, `max`, `ravel` or sum of arrays, against 50 for a loop. So Python makes the arrays and
kernels fill them, and what a loop can do is a loop. A number written into the call of a helper, `f(x, 0)`, is compiled
as a case of its own; `f(x, np.int64(0))` is not.
"""

import numpy as np

from engine.running.compiled import njit, njit_helper

Int = int | np.integer
Float = float | np.floating
"""Numbers inside kernels: Numba makes Python's into NumPy's."""

kernel = njit(nogil=True, error_model="numpy", no_cfunc_wrapper=True)
"""Compiles a function that Python calls."""

helper = njit_helper(error_model="numpy")
"""Compiles a function that only kernels of its module call: it becomes part of them, and Python cannot call it."""

sum_helper = njit_helper(error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
"""The same, where sums may be taken in any order (vector lanes); NaN and infinities keep their meaning."""
