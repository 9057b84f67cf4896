"""Worker processes on this machine: they end with the command, and the work of one that is killed is done again."""

import multiprocessing.resource_tracker
import os
import signal
import sys
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import joblib
from joblib.externals.loky.backend import resource_tracker
from joblib.externals.loky.process_executor import TerminatedWorkerError

from engine.errors import MachineError
from engine.interrupt import uninterrupted
from engine.lock import at_work, held

TRIES = 3
"""How often a unit may be under way when a worker is killed before the command gives up."""

_WATCH_SECONDS = 0.2

# A worker whose memory has grown (libraries loaded, kernels compiled) makes room for a new one between two units:
# nothing is lost, so nobody need be warned.
warnings.filterwarnings("ignore", "A worker stopped while some jobs were given to the executor", UserWarning)


def run_in_processes(function: Callable[..., Any], units: Iterable[tuple], workers: int) -> Iterator[Any]:
    """Run `function(*unit)` for every unit in worker processes and give the results as they end, in any order.

    The system kills a worker when memory is short. All units that were under way are then done again, with a worker
    less, so that in the end the memory suffices.

    Raises
    ------
    MachineError
        If workers were killed `TRIES` times while one and the same unit was under way.
    """
    feed = _Feed(units)
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
                    f"a worker process was killed {TRIES} times over the same work, most likely because memory ran "
                    "out. What was finished is kept, and the same command goes on from there: run it again with fewer "
                    f"--workers (now {workers}), or free memory."
                ) from error
            workers = max(2, workers - 1)
            print(  # noqa: T201
                "a worker process was killed, most likely because memory ran out: its work is done again, with "
                f"{workers} workers from now on",
                file=sys.stderr,
                flush=True,
            )


class _Feed:
    """Units that wait, and those under way by number; those come first when a new pool asks."""

    def __init__(self, units: Iterable[tuple]) -> None:
        self.waiting = enumerate(units)
        self.under_way: dict[int, tuple] = {}
        self.deaths: Counter[int] = Counter()
        self.guard = threading.Lock()
        self.pool = 0

    def units(self) -> Iterator[tuple[int, tuple]]:
        """Units for one pool, until it is closed: threads of a pool that broke may still ask."""
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
        """The pool broke; what is under way stays there for the next."""
        with self.guard:
            self.pool += 1
            self.deaths.update(self.under_way.keys())

    def most_deaths(self) -> int:
        return max((self.deaths[number] for number in self.under_way), default=0)


def _results(function: Callable[..., Any], feed: _Feed, workers: int) -> Iterator[tuple[int, Any]]:
    """One pool's results with the numbers of their units. Workers never see Ctrl-C: it is the command that ends."""
    me, folder = os.getpid(), held()
    with joblib.parallel_config(
        backend="loky", n_jobs=workers, inner_max_num_threads=1, initializer=_end_with, initargs=(me,)
    ):
        parallel = joblib.Parallel(return_as="generator_unordered", pre_dispatch="2*n_jobs")
        for tracker in (multiprocessing.resource_tracker, resource_tracker):
            tracker.ensure_running()  # starting one lets signals through again
        with uninterrupted():
            results = parallel(
                joblib.delayed(_done_by_worker)(number, function, unit, me, folder) for number, unit in feed.units()
            )
        yield from results


def _end_with(parent: int) -> None:
    """In a worker: be gone soon after the process that started it, however that one ended."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_WATCH_SECONDS)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def _done_by_worker(
    number: int, function: Callable[..., Any], unit: tuple, parent: int, folder: Path | None
) -> tuple[int, Any]:
    """In a worker: do a unit, unless the command that asked for it has gone and another may hold its run folder."""
    with at_work(folder):
        if os.getppid() != parent:
            os._exit(1)
        return number, function(*unit)
