"""How every CPU kernel is compiled: cached on disk, without the GIL, one thread (workers are processes)."""

import numba

kernel = numba.njit(cache=True, nogil=True, error_model="numpy")
