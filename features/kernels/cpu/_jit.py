"""How every CPU kernel is compiled: cached on disk, without the GIL, one thread (workers are processes)."""

import numpy as np

from engine.running.compiled import njit

Int = int | np.integer
Float = float | np.floating
"""Numbers inside kernels: Numba makes Python's into NumPy's."""

kernel = njit(nogil=True, error_model="numpy")
