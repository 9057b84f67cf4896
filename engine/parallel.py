"""Running units of work side by side: in processes here through joblib, or on the cluster that the caller opened."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import joblib
from threadpoolctl import threadpool_limits

from engine.cluster import on_cluster, opened
from engine.errors import UsageError
from engine.workers import run_in_processes


def default_workers() -> int:
    """Cores this process may use."""
    return joblib.cpu_count()


@contextmanager
def workers_for(workers: int, scheduler: str | None, run: Path, inputs: Sequence[Path | None]) -> Iterator[int]:
    """Say how many workers do the units of the block: processes here, or those of a cluster.

    Parameters
    ----------
    workers : int
        Processes; 0 means all cores, and is the only choice with a scheduler.
    scheduler : str or None
        Address of a Dask scheduler.
    run, inputs : Path
        Folders that its workers must see, absolute; None is left out.
    """
    if scheduler is None:
        yield workers or default_workers()
    elif workers:
        raise UsageError(f"--workers {workers} does not go with --scheduler: the cluster says how many. Leave it out.")
    else:
        with on_cluster(scheduler, run, [path for path in inputs if path]) as n_workers:
            yield n_workers


def run_units(function: Callable[..., Any], units: Iterable[tuple], workers: int) -> Iterator[Any]:
    """Run `function(*unit)` for every unit and give the results as they end, in any order.

    A unit is a top-level function from small arguments to finished files on disk, so that it can be done again by
    another worker. Every worker keeps to one thread. With one worker all runs in this process. Inside of
    `engine.cluster.on_cluster` all runs on that cluster, however many workers are asked for.

    Parameters
    ----------
    function : callable
        Importable by name.
    units : iterable of tuple
        Arguments of each unit.
    workers : int
        Processes.
    """
    if cluster := opened():
        yield from cluster.run(_single_threaded, ((function, unit) for unit in units))
        return
    if workers == 1:
        for unit in units:
            yield _single_threaded(function, unit)
        return
    yield from run_in_processes(_single_threaded, ((function, unit) for unit in units), workers)


def _single_threaded(function: Callable[..., Any], unit: tuple) -> Any:
    """One unit, wherever it runs: BLAS adds in another order with another number of threads."""
    import cv2

    cv2.setNumThreads(1)
    with threadpool_limits(1):
        return function(*unit)
