"""What a piece of work costs, its worker processes included: seconds, processor seconds and peak memory (Linux)."""

import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joblib.externals.loky import get_reusable_executor

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """What was used.

    Attributes
    ----------
    seconds, processor_seconds : float
    peak_gb : float
        Largest sum over the processes of their proportional share of memory.
    """

    seconds: float
    processor_seconds: float
    peak_gb: float


def measure(work: Callable[..., Any], *arguments: Any) -> tuple[Any, Cost]:
    """Run a top-level function in a fresh process and watch it and all that it starts.

    Returns
    -------
    result
        What the function gave.
    cost : Cost
    """
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe(duplex=False)
    start = time.perf_counter()
    process = context.Process(target=_run, args=(theirs, work, arguments))
    process.start()
    theirs.close()
    cost = cost_while(process.pid, lambda: not mine.poll(0) and process.is_alive(), start)
    if not mine.poll(0):
        raise RuntimeError(f"{work.__name__} ended without a result")
    result = mine.recv()
    process.join()
    return result, cost


def cost_while(root: int | None, goes_on: Callable[[], bool], start: float) -> Cost:
    """Watch a process and all that it starts, as long as it goes on; `start` is by `time.perf_counter`."""
    processor: dict[int, float] = {}
    peak = 0.0
    while goes_on():
        alive = family(root or 0)
        processor |= {pid: seconds for pid in alive if (seconds := _processor_seconds(pid)) is not None}
        peak = max(peak, sum(_memory_gb(pid) for pid in alive))
        time.sleep(0.5)
    return Cost(time.perf_counter() - start, sum(processor.values()), peak)


def _run(pipe: Any, work: Callable[..., Any], arguments: tuple) -> None:
    pipe.send(work(*arguments))
    # Without this the process waits for its idle workers, which end after minutes.
    get_reusable_executor().shutdown(wait=True)


def family(root: int) -> list[int]:
    """A process and all its descendants."""
    parents = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and (fields := _stat(int(path.name))):
            parents[int(path.name)] = int(fields[1])
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat after the name."""
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def _processor_seconds(pid: int) -> float | None:
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / _TICKS if fields else None


def _memory_gb(pid: int) -> float:
    try:
        lines = (Path("/proc") / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 2**20
