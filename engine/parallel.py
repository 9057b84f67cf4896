"""Running units of work side by side, through joblib: processes here, or whatever backend the caller has opened."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import joblib
from threadpoolctl import threadpool_limits

from engine.workers import run_in_processes


def default_workers() -> int:
    """Cores this process may use."""
    return joblib.cpu_count()


def run_units(function: Callable[..., Any], units: Iterable[tuple], workers: int) -> Iterator[Any]:
    """Run `function(*unit)` for every unit and give the results as they end, in any order.

    A unit is a top-level function from small arguments to finished files on disk, so that it can be done again by
    another worker. Every worker keeps to one thread. With one worker all runs in this process.

    Parameters
    ----------
    function : callable
        Importable by name.
    units : iterable of tuple
        Arguments of each unit.
    workers : int
        Processes.
    """
    if workers == 1:
        for unit in units:
            with threadpool_limits(1):  # what the environment of worker processes says
                result = _single_threaded(function, unit)
            yield result
        return
    yield from run_in_processes(_single_threaded, ((function, unit) for unit in units), workers)


def _single_threaded(function: Callable[..., Any], unit: tuple) -> Any:
    import cv2

    cv2.setNumThreads(1)
    return function(*unit)
