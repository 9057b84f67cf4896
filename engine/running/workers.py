"""Worker processes on this machine: they end with the command, and the tasks of one that is killed are run again."""

import logging
import multiprocessing.resource_tracker
import os
import sys
import threading
import time
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import joblib
from joblib.externals.loky import process_executor
from joblib.externals.loky.backend import resource_tracker
from joblib.externals.loky.process_executor import TerminatedWorkerError

from engine.errors import MachineError, UsageError
from engine.running.interrupt import kill, uninterrupted
from engine.running.lock import held, worker_lock

TRIES = 3
"""The command gives up when workers were killed this often during one task."""

_WATCH_SECONDS = 0.2

_starting: list[Iterator[Any]] = []
"""Results of `start_workers` that nobody has waited for yet."""

_log = logging.getLogger(__name__)

# joblib replaces a worker whose memory has grown (libraries loaded, kernels compiled) between two tasks: nothing is
# lost, so no warning is needed.
warnings.filterwarnings("ignore", "A worker stopped while some jobs were given to the executor", UserWarning)


def default_workers() -> int:
    """Cores this process may use.

    Raises
    ------
    UsageError
        If LOKY_MAX_CPU_COUNT, which limits them, is not a number.
    """
    try:
        return joblib.cpu_count()
    except ValueError as error:
        limit = os.environ.get("LOKY_MAX_CPU_COUNT")
        raise UsageError(
            f"LOKY_MAX_CPU_COUNT is {limit!r}; expected a number of cores. Set it to one, or unset it."
        ) from error


def start_workers(workers: int, module: str, function: str) -> None:
    """Start worker processes before there are tasks, and have each call a function, while this process goes on.

    Parameters
    ----------
    workers : int
    module, function : str
        By name, because this process may not have imported it yet.
    """
    feed = _Feed([(module, function)] * workers)
    _starting.append(_results(_call, feed, workers))


def wait_for_started() -> None:
    """Wait until the workers of `start_workers` have called their function."""
    while _starting:
        with suppress(TerminatedWorkerError):  # killed while they started: tasks get others
            deque(_starting.pop(), maxlen=0)


def _call(module: str, function: str) -> None:
    """In a worker: call a function."""
    process_executor._MAX_MEMORY_LEAK_SIZE = sys.maxsize  # else joblib takes what the first real task loads for a leak
    getattr(import_module(module), function)()


def run_in_processes(function: Callable[..., Any], tasks: Iterable[tuple], workers: int) -> Iterator[Any]:
    """Run `function(*task)` for every task in worker processes and yield the results as they finish, in any order.

    The operating system kills a worker when memory is short. All tasks that were running are then run again with one
    worker less.

    Raises
    ------
    MachineError
        If workers were killed `TRIES` times during the same task.
    """
    default_workers()  # fails early: joblib reads LOKY_MAX_CPU_COUNT too, whatever number it is given
    wait_for_started()
    feed = _Feed(tasks)
    while True:
        try:
            for number, result in _results(function, feed, workers):
                feed.finish(number)
                yield result
            return
        except TerminatedWorkerError as error:
            feed.close()
            if feed.most_deaths() >= TRIES:
                raise MachineError(
                    f"a worker process was killed {TRIES} times during the same task, most likely because memory ran "
                    "out. What was finished is kept, and the same command goes on from there: run it again with fewer "
                    f"--workers (now {workers}), or free memory."
                ) from error
            workers = max(2, workers - 1)
            _log.warning(
                "a worker process was killed, most likely because memory ran out: its tasks are run again, with "
                "%d workers from now on",
                workers,
            )


class _Feed:
    """Waiting and running tasks by number; a new pool gets those first that were running when the last one broke."""

    def __init__(self, tasks: Iterable[tuple]) -> None:
        self.waiting = enumerate(tasks)
        self.under_way: dict[int, tuple] = {}
        self.deaths: Counter[int] = Counter()
        self.guard = threading.Lock()
        self.pool = 0

    def tasks(self) -> Iterator[tuple[int, tuple]]:
        """Tasks for one pool, until it is closed: threads of a broken pool may still request some."""
        pool = self.pool
        yield from list(self.under_way.items())
        while True:
            with self.guard:
                if pool != self.pool:
                    return
                taken = next(self.waiting, None)
                if taken is None:
                    return
                self.under_way[taken[0]] = taken[1]
            yield taken

    def finish(self, number: int) -> None:
        del self.under_way[number]

    def close(self) -> None:
        """Mark the pool as broken; its running tasks are kept for the next pool."""
        with self.guard:
            self.pool += 1
            self.deaths.update(self.under_way.keys())

    def most_deaths(self) -> int:
        return max((self.deaths[number] for number in self.under_way), default=0)


def _results(function: Callable[..., Any], feed: _Feed, workers: int) -> Iterator[tuple[int, Any]]:
    """Begin one pool's tasks; gives their numbers and results. Workers ignore Ctrl-C: the command ends them."""
    me, folder = os.getpid(), held()
    with joblib.parallel_config(
        backend="loky", n_jobs=workers, inner_max_num_threads=1, initializer=_end_with, initargs=(me,)
    ):
        parallel = joblib.Parallel(return_as="generator_unordered", pre_dispatch="2*n_jobs")
        for tracker in (multiprocessing.resource_tracker, resource_tracker):
            tracker.ensure_running()  # now, because starting one unblocks signals
        with uninterrupted():
            results = parallel(
                joblib.delayed(_done_by_worker)(number, function, task, me, folder) for number, task in feed.tasks()
            )
    return cast(Iterator[tuple[int, Any]], results)  # a list, or None, with other values of return_as


def _end_with(parent: int) -> None:
    """In a worker: end soon after the parent process, however that one ended."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_SECONDS)
        kill(os.getpid())

    threading.Thread(target=watch, daemon=True).start()


def _done_by_worker(
    number: int, function: Callable[..., Any], task: tuple, parent: int, folder: Path | None
) -> tuple[int, Any]:
    """In a worker: run a task, unless the command that sent it has ended and another may hold its run folder."""
    with worker_lock(folder):
        if os.getppid() != parent:
            os._exit(1)
        return number, function(*task)
