"""Compiling all kernels into an empty cache, as `extract` does once per installation: CPU time and time (Linux, macOS).

python -m benchmarks.compile_kernels [--workers 2]
"""

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

from joblib.externals.loky import get_reusable_executor


def cpu_seconds() -> float:
    """CPU time of this process and of those that it started and that have ended."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(times.ru_utime + times.ru_stime for times in used)


def main() -> None:
    """Print CPU seconds, seconds, files and their size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2, help="processes (default: %(default)s)")
    workers = parser.parse_args().workers
    with tempfile.TemporaryDirectory() as folder:
        os.environ["NUMBA_CACHE_DIR"] = folder  # Numba reads it when it is imported, so that comes now
        from engine.running.parallel import run_tasks
        from features.extraction.compiling import compile_part, parts

        cpu, start = cpu_seconds(), time.perf_counter()
        for _ in run_tasks(compile_part, [(name,) for name in parts()], workers):
            pass
        wall = time.perf_counter() - start
        get_reusable_executor().shutdown(wait=True)  # ended processes are counted
        files = [path for path in Path(folder).rglob("*") if path.is_file()]
        size = sum(path.stat().st_size for path in files) / 2**20
        print(f"{cpu_seconds() - cpu:.1f} CPU s, {wall:.1f} s; {len(files)} files, {size:.1f} MB")


if __name__ == "__main__":
    main()
