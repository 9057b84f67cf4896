"""Running tasks in parallel: in processes on this machine through joblib, or on the cluster that the caller opened."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from engine.errors import UsageError
from engine.running.cluster import on_cluster, opened
from engine.running.workers import default_workers, run_in_processes


@contextmanager
def workers_for(workers: int, scheduler: str | None, run: Path, inputs: Sequence[Path | None]) -> Iterator[int]:
    """Choose who runs the tasks of the block, processes here or a cluster; yields the number of workers.

    Parameters
    ----------
    workers : int
        Processes; 0 means all cores, and is the only choice with a scheduler.
    scheduler : str or None
        Address of a Dask scheduler.
    run, inputs : Path
        Folders that the workers of a cluster must see, absolute; None is ignored.
    """
    if scheduler is None:
        yield workers or default_workers()
    elif workers:
        raise UsageError(f"--workers {workers} does not go with --scheduler: the cluster says how many. Leave it out.")
    else:
        with on_cluster(scheduler, run, [path for path in inputs if path]) as n_workers:
            yield n_workers


def run_tasks(function: Callable[..., Any], tasks: Iterable[tuple], workers: int) -> Iterator[Any]:
    """Run `function(*task)` for every task and yield the results as they finish, in any order.

    A task is a top-level function from small arguments to finished files on disk, so that another worker can run it
    again. Every worker uses one thread. With one worker everything runs in this process. Within
    `engine.running.cluster.on_cluster` everything runs on that cluster, whatever `workers` is.

    Parameters
    ----------
    function : callable
        Importable by name.
    tasks : iterable of tuple
        Arguments of each task.
    workers : int
        Processes.
    """
    if cluster := opened():
        yield from cluster.run(_single_threaded, ((function, task) for task in tasks))
        return
    if workers == 1:
        for task in tasks:
            yield _single_threaded(function, task)
        return
    yield from run_in_processes(_single_threaded, ((function, task) for task in tasks), workers)


def _single_threaded(function: Callable[..., Any], task: tuple) -> Any:
    """Run one task in one thread: with more, BLAS adds in another order."""
    import cv2

    cv2.setNumThreads(1)
    with threadpool_limits(1):
        return function(*task)
